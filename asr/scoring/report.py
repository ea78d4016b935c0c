"""Scored test sets: as named records, as a table, as JSON and as one self-contained HTML page."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asr.files import write_text
from asr.pages import render_page
from asr.scoring.error_rate import (
    Alignment,
    ErrorCounts,
    align_words_batch,
    character_errors_batch,
    sum_counts,
)
from asr.scoring.transcripts import match
from asr.text import Normalizer

_TEMPLATE = "report.html"


@dataclass(frozen=True)
class ScoredUtterance:
    """One utterance: its words aligned, its errors counted."""

    id: str
    speaker: str | None
    alignment: Alignment  # of the words
    characters: ErrorCounts

    @property
    def words(self) -> ErrorCounts:
        """Word errors."""
        return self.alignment.counts


@dataclass(frozen=True)
class ScoreSummary:
    """Errors of many utterances together."""

    utterances: int
    wrong_utterances: int  # with one word error or more
    words: ErrorCounts
    characters: ErrorCounts

    @property
    def sentence_error_rate(self) -> float:
        """Share of utterances with a word error in them; 0.0 of none."""
        return self.wrong_utterances / max(self.utterances, 1)

    def to_json(self) -> dict[str, Any]:
        """Plain data: the rates as fractions of 1, and the counts they come from."""
        return {
            "utterances": self.utterances,
            "word_error_rate": self.words.rate,
            "character_error_rate": self.characters.rate,
            "sentence_error_rate": self.sentence_error_rate,
            "words": _counts_to_json(self.words),
            "characters": _counts_to_json(self.characters),
        }


@dataclass(frozen=True)
class ScoredSet:
    """One test set, scored."""

    name: str
    normalizer: str  # applied to both sides
    emptied_references: int  # references that only the normaliser made empty
    utterances: tuple[ScoredUtterance, ...]

    @cached_property
    def summary(self) -> ScoreSummary:
        """Errors of all utterances together."""
        return _summarize(self.utterances)

    @cached_property
    def speakers(self) -> dict[str, ScoreSummary]:
        """Errors by speaker, the highest word error rate first; those without one left out."""
        groups: dict[str, list[ScoredUtterance]] = defaultdict(list)
        for utterance in self.utterances:
            if utterance.speaker is not None:
                groups[utterance.speaker].append(utterance)
        summaries = {speaker: _summarize(group) for speaker, group in groups.items()}
        ranked = sorted(summaries.items(), key=lambda item: (-item[1].words.rate, item[0]))
        return dict(ranked)

    @property
    def most_errors_first(self) -> list[ScoredUtterance]:
        """The utterances, those with the most word errors first."""
        return sorted(self.utterances, key=lambda one: (-one.words.errors, -one.words.rate, one.id))

    def to_json(self) -> dict[str, Any]:
        """Plain data: the summary of the whole set and of each speaker."""
        return {
            "name": self.name,
            "normalizer": self.normalizer,
            "emptied_references": self.emptied_references,
            **self.summary.to_json(),
            "speakers": {name: summary.to_json() for name, summary in self.speakers.items()},
        }


def score_set(
    name: str,
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    *,
    normalizer: Normalizer,
    speakers: Mapping[str, str | None] | None = None,
) -> ScoredSet:
    """Score one test set, in the order of its references.

    Args:
        name: what the test set is called in tables and messages.
        references: what was said, by utterance id.
        hypotheses: what was recognised, by utterance id.
        normalizer: applied to both sides.
        speakers: who speaks, by utterance id, where that is known.

    Raises:
        DataError: an utterance has no hypothesis or no reference.
    """
    pairs = match(references, hypotheses, where=name)
    said = [normalizer(pair.reference) for pair in pairs]
    heard = [normalizer(pair.hypothesis) for pair in pairs]
    words = align_words_batch(said, heard)
    characters = character_errors_batch(said, heard)
    who = speakers or {}
    return ScoredSet(
        name=name,
        normalizer=normalizer.name,
        emptied_references=sum(
            bool(pair.reference.strip()) and not text
            for pair, text in zip(pairs, said, strict=True)
        ),
        utterances=tuple(
            ScoredUtterance(pair.id, who.get(pair.id), alignment, counts)
            for pair, alignment, counts in zip(pairs, words, characters, strict=True)
        ),
    )


def write_json(path: Path, sets: Sequence[ScoredSet]) -> None:
    """Write the summaries of the test sets: {"sets": [...]}."""
    data = {"sets": [scored.to_json() for scored in sets]}
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


def print_table(sets: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each test set on stdout: words, WER, CER and the kinds of error.

    Args:
        sets: what `ScoredSet.to_json` gives of each, and `read_json` gives back.
    """
    table = Table()
    table.add_column("test set", overflow="fold")
    for heading in ("utterances", "words", "WER", "CER", "sub", "del", "ins"):
        table.add_column(heading, justify="right", no_wrap=True)
    for scored in sets:
        words = scored["words"]
        errors = (words["substitutions"], words["deletions"], words["insertions"])
        table.add_row(
            scored["name"],
            f"{scored['utterances']:,}",
            f"{words['reference_length']:,}",
            format_rate(scored["word_error_rate"]),
            format_rate(scored["character_error_rate"]),
            *(f"{number:,}" for number in errors),
        )
    # Into a file or a pipe, rich would squeeze the table into 80 columns and cut names off.
    width = None if sys.stdout.isatty() else 160
    # markup and emoji off: a test set named "[digits]" is no style.
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def format_rate(rate: float) -> str:
    """A rate as a percentage: 0.1234 -> "12.34 %"."""
    return f"{100 * rate:.2f} %"


def _summarize(utterances: Iterable[ScoredUtterance]) -> ScoreSummary:
    scored = list(utterances)
    return ScoreSummary(
        utterances=len(scored),
        wrong_utterances=sum(utterance.words.errors > 0 for utterance in scored),
        words=sum_counts(utterance.words for utterance in scored),
        characters=sum_counts(utterance.characters for utterance in scored),
    )


def _counts_to_json(counts: ErrorCounts) -> dict[str, int]:
    return {
        "reference_length": counts.reference_length,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
