"""What `asr score` prints: rates with intervals, slices, confusions, two systems side by side."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from asr.scoring.analysis import Analysis
from asr.scoring.bootstrap import Interval
from asr.scoring.comparison import Comparison
from asr.scoring.confusions import Confusions, VocabularySplit
from asr.scoring.error_rate import ErrorCounts
from asr.scoring.slices import Slice
from asr.text import Normalizer

_SHOWN_CHANGES = 20
_RATES = ("utterances", "words", "WER", "95 %", "CER", "SER", "sub", "del", "ins")
_NAME_WIDTH = 8  # characters of a name that a terminal shows beside each other, at least
_PADDING = 3  # of each column of a table, its line included


def print_analyses(
    analyses: Sequence[Analysis], comparison: Comparison | None, *, errors: int
) -> None:
    """Print on stdout all that is known of one system or two.

    Args:
        analyses: of one test set.
        comparison: of two systems.
        errors: how many of the most frequent ones of each kind.
    """
    print_table([one.scored.to_json() for one in analyses])
    for one in analyses:
        if len(analyses) > 1 and (one.slices or one.vocabulary or errors):
            print(f"{one.scored.name}:")
        for key, slices in one.slices.items():
            print_slices(key, slices)
        if one.vocabulary:
            print("\n".join(describe_vocabulary(one.vocabulary)))
        if one.oracle:
            print(describe_oracle(one.scored.name, one.oracle))
        if errors:
            print_confusions(one.confusions, errors)
    scored = analyses[0].scored
    print(f"normalizer: {scored.normalizer}, applied to both sides")
    if scored.emptied_references:
        print(
            f"{scored.emptied_references} references were not empty and became so under it; "
            "whatever was recognised there counts as inserted"
        )
    drawn, units = scored.bootstrap, scored.intervals.units
    rough = ", which are few: take it as rough" if units.few else ""
    print(
        f"95 %: percentile bootstrap over {units}{rough}; "
        f"{drawn.resamples:,} resamples, seed {drawn.seed}"
    )
    if comparison is not None:
        print_comparison(comparison)


def print_table(sets: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each test set on stdout: words, rates and the kinds of error.

    Args:
        sets: what `ScoredSet.to_json` gives of each, and `read_json` gives back; those written by
            an earlier version have no intervals.
    """
    _print_rates("test set", [(scored["name"], _rate_cells(scored)) for scored in sets])


def print_slices(key: str, slices: Sequence[Slice]) -> None:
    """Print a row for each slice on stdout."""
    _print_rates(key, [(one.label, _rate_cells(one.to_json())) for one in slices])


def print_confusions(confusions: Confusions, most: int) -> None:
    """Print the most frequent errors on stdout, and the words that are wrong most often."""
    table = Table()
    for heading in ("said -> heard", "deleted", "inserted", "most often wrong"):
        table.add_column(heading, overflow="fold")
    columns = [
        [f"{times:,} x {said} -> {heard}" for (said, heard), times in confusions.substitutions],
        [f"{times:,} x {word}" for word, times in confusions.deletions],
        [f"{times:,} x {word}" for word, times in confusions.insertions],
        [f"{one.wrong:,} of {one.said:,} {one.word}" for one in confusions.words],
    ]
    for row in range(min(most, max(map(len, columns)))):
        table.add_row(*(column[row] if row < len(column) else "" for column in columns))
    print_wide(table)


def describe_vocabulary(split: VocabularySplit) -> list[str]:
    """How words in and out of a vocabulary fare, a line each."""
    lines = []
    for where, said, wrong in (
        ("in the vocabulary", split.inside, split.inside_wrong),
        ("outside of it", split.outside, split.outside_wrong),
    ):
        share = format_rate(wrong / said) if said else "none"
        lines.append(
            f"words {where}: {said:,}, of these wrong (insertions aside): {wrong:,}, {share}"
        )
    return lines


def describe_oracle(name: str, errors: ErrorCounts) -> str:
    """What a perfect choice from the n-best lists would give."""
    return f"oracle WER of the n-best lists of {name}: {format_rate(errors.rate)}"


def print_comparison(comparison: Comparison) -> None:
    """Print two systems side by side on stdout, and the result in words."""
    print("\n".join(comparison.evidence))
    if comparison.caution:
        print(f"caution: {comparison.caution}")
    print(comparison.sentence)


def print_changes(side: str, texts: Mapping[str, str], normalizer: Normalizer) -> None:
    """Print on stdout how many texts a normaliser changes, and the first of them."""
    changed = [
        (key, text, after)
        for key, text in texts.items()
        if (after := normalizer(text)) != " ".join(text.split())
    ]
    print(f"{normalizer.name} changes {len(changed):,} of {len(texts):,} texts of {side}")
    for key, before, after in changed[:_SHOWN_CHANGES]:
        print(f"  {key}\n    - {before}\n    + {after}")
    if len(changed) > _SHOWN_CHANGES:
        print(f"  … and {len(changed) - _SHOWN_CHANGES:,} more")


def format_rate(rate: float) -> str:
    """A rate as a percentage: 0.1234 -> "12.34 %"."""
    return f"{100 * rate:.2f} %"


def format_interval(interval: Sequence[float]) -> str:
    """Bounds as percentages: (0.01, 0.025) -> "1.00 to 2.50"."""
    low, high = Interval(*interval)
    return f"{100 * low:.2f} to {100 * high:.2f}"


def print_wide(table: Table) -> None:
    """Print a table on stdout, on a terminal or not."""
    # Into a file or a pipe, rich would squeeze the table into 80 columns and cut names off.
    width = None if sys.stdout.isatty() else 160
    # markup and emoji off: a test set named "[digits]" is no style.
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _print_rates(key: str, rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Print a row for each name; a narrow terminal gets the names and the first figures whole."""
    widths = [
        max(map(len, column)) for column in zip(_RATES, *(cells for _, cells in rows), strict=True)
    ]
    shown = len(_RATES)
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - _NAME_WIDTH - _PADDING - 1
        while shown > 1 and sum(widths[:shown]) + _PADDING * shown > room:
            shown -= 1
    table = Table()
    table.add_column(key, overflow="fold")
    for heading in _RATES[:shown]:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cells in rows:
        table.add_row(name, *cells[:shown])
    print_wide(table)
    if shown < len(_RATES):
        print(f"no room in this terminal for {', '.join(_RATES[shown:])}: make it wider")


def _rate_cells(scored: Mapping[str, Any]) -> list[str]:
    words = scored["words"]
    intervals = scored.get("intervals")
    errors = (words["substitutions"], words["deletions"], words["insertions"])
    return [
        f"{scored['utterances']:,}",
        f"{words['reference_length']:,}",
        format_rate(scored["word_error_rate"]),
        format_interval(intervals["word_error_rate"]) if intervals else "",
        format_rate(scored["character_error_rate"]),
        format_rate(scored["sentence_error_rate"]),
        *(f"{number:,}" for number in errors),
    ]
