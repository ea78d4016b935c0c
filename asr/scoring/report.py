"""Scored test sets as JSON and as one self-contained HTML page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from asr.errors import DataError, one_line
from asr.files import write_text
from asr.pages import render_page
from asr.scoring.comparison import Comparison
from asr.scoring.confusions import Confusions, VocabularySplit, count_confusions
from asr.scoring.error_rate import ErrorCounts
from asr.scoring.rows import utterance_columns
from asr.scoring.scored import ScoredSet
from asr.scoring.slices import Slice
from asr.scoring.tables import (
    describe_oracle,
    describe_vocabulary,
    format_interval,
    format_rate,
)

_TEMPLATE = "report.html"
_SHOWN = 10  # errors of each kind
_ROOM = 1.05  # of a plot's axis beyond the highest that it shows


class Scored(Protocol):
    """What has scores to write: a `ScoredSet`, an `Analysis`."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""


@dataclass(frozen=True)
class Reported:
    """One scored set, and what the page shows of it beside the scores."""

    scored: ScoredSet
    slices: Mapping[str, Sequence[Slice]] = field(default_factory=dict)  # by key
    vocabulary: VocabularySplit | None = None
    oracle: ErrorCounts | None = None  # word errors, where there are n-best lists
    # The rest by utterance id, as far as it is known.
    confidences: Mapping[str, Sequence[float]] = field(default_factory=dict)  # of recognised words
    recordings: Mapping[str, str] = field(default_factory=dict)  # addresses, as the page sees them
    seconds: Mapping[str, float] = field(default_factory=dict)  # lengths of the recordings
    pictures: Mapping[str, str] = field(default_factory=dict)  # markup, finished and escaped

    @property
    def confusions(self) -> Confusions:
        """Which words go wrong."""
        return count_confusions(utterance.alignment for utterance in self.scored.utterances)

    @property
    def plots(self) -> dict[str, "Plot"]:
        """The slices by key, each with an axis of its own."""
        overall = self.scored.summary.words.rate
        return {key: Plot(overall, slices) for key, slices in self.slices.items()}

    @property
    def notes(self) -> list[str]:
        """What is known beyond the rates, in words."""
        lines = [] if self.vocabulary is None else describe_vocabulary(self.vocabulary)
        oracle = [] if self.oracle is None else [describe_oracle(self.scored.name, self.oracle)]
        return lines + oracle

    def to_page(self, comparison: Comparison | None = None) -> dict[str, Any]:
        """What the page's script takes, as plain data.

        With a comparison also which system has fewer errors, by utterance: 1, 2, or 0 for neither.
        """
        columns = utterance_columns(self.scored, self.confidences, self.recordings, self.seconds)
        columns["pictures"] = dict(self.pictures)
        if comparison is not None:
            first, second = map(frozenset, comparison.better)
            ids = [utterance.id for utterance in self.scored.utterances]
            columns["better"] = [1 if key in first else 2 * (key in second) for key in ids]
        return columns


@dataclass(frozen=True)
class Plot:
    """Word error rates of slices with their intervals, on one axis from 0."""

    overall: float  # of the whole set
    slices: Sequence[Slice]

    @property
    def end(self) -> float:
        """The axis' end, as a fraction of 1."""
        highest = max(
            (max(one.summary.words.rate, one.interval.high) for one in self.slices), default=0.0
        )
        return _ROOM * max(highest, self.overall) or 1.0

    @property
    def ticks(self) -> list[float]:
        """Round numbers along the axis, 0 the first."""
        steps = (base * 10.0**power for power in range(-4, 3) for base in (1, 2, 5))
        step = next(step for step in steps if self.end / step < 5)
        return [step * number for number in range(int(self.end / step) + 1)]

    def place(self, rate: float) -> str:
        """Where on the axis a rate is: "12.5%" of its length."""
        return f"{100 * rate / self.end:.2f}%"


def write_json(path: Path, sets: Sequence[Scored], *, comparison: Comparison | None = None) -> None:
    """Write the summaries of the test sets: {"sets": [...]}, and how two systems compare."""
    data: dict[str, Any] = {"sets": [scored.to_json() for scored in sets]}
    if comparison is not None:
        data["comparison"] = comparison.to_json()
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> list[dict[str, Any]]:
    """Read what `write_json` wrote: the summary of each test set. Raises DataError."""
    try:
        sets: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["sets"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: cannot be read ({one_line(error)}); run the stage 'score' again"
        ) from None
    return sets


def write_report(
    path: Path,
    sets: Sequence[Reported],
    *,
    title: str,
    facts: Mapping[str, str],
    comparison: Comparison | None = None,
) -> None:
    """Write one HTML page that needs no network and, the recordings aside, no other file.

    Args:
        path: the page.
        sets: the test sets, in the order to show them.
        title: the page's heading.
        facts: what the reader should know of the run (model, machine, date), shown above.
        comparison: of two systems on one set.
    """
    values = {
        "title": title,
        "facts": facts,
        "sets": sets,
        "comparison": comparison,
        "shown": _SHOWN,
    }
    filters: dict[str, Callable[..., str]] = {
        "percent": format_rate,
        "count": "{:,}".format,
        "interval": format_interval,
        "tick": lambda rate: f"{100 * rate:.3g} %",
    }
    write_text(path, render_page(Path(__file__).with_name(_TEMPLATE), values, filters))
