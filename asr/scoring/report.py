"""Scored test sets as JSON and as one self-contained HTML page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from asr.files import write_text
from asr.pages import render_page
from asr.scoring.comparison import Comparison
from asr.scoring.scored import ScoredSet
from asr.scoring.tables import format_rate

_TEMPLATE = "report.html"


class Scored(Protocol):
    """What has scores to write: a `ScoredSet`, an `Analysis`."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""


def write_json(path: Path, sets: Sequence[Scored], *, comparison: Comparison | None = None) -> None:
    """Write the summaries of the test sets: {"sets": [...]}, and how two systems compare."""
    data: dict[str, Any] = {"sets": [scored.to_json() for scored in sets]}
    if comparison is not None:
        data["comparison"] = comparison.to_json()
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> list[dict[str, Any]]:
    """Read what `write_json` wrote: the summary of each test set."""
    sets: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["sets"]
    return sets


def write_report(
    path: Path, sets: Sequence[ScoredSet], *, title: str, facts: Mapping[str, str]
) -> None:
    """Write one HTML page that needs no network and no other file.

    Args:
        path: the page.
        sets: the test sets, in the order to show them.
        title: the page's heading.
        facts: what the reader should know of the run (model, machine, date), shown above.
    """
    page = render_page(
        Path(__file__).with_name(_TEMPLATE),
        {"title": title, "facts": facts, "sets": sets},
        {"percent": format_rate, "count": "{:,}".format},
    )
    write_text(path, page)
