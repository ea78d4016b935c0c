"""The results of a sweep as a table: on the terminal, in Markdown, as CSV and as JSON."""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from asr.files import write_text
from asr.recipe.grid import Combination, short_names, show
from asr.recipe.measurements import Measurements
from asr.scoring.tables import format_rate

Outcome = Literal["done", "diverged", "failed", "unfinished"]


@dataclass(frozen=True)
class Row:
    """One combination, and what came of it."""

    combination: Combination
    outcome: Outcome
    reason: str  # where it is not done
    measured: Measurements

    @property
    def note(self) -> str:
        """'' where it is done, else 'diverged: why', without what to do about it."""
        if self.outcome == "done":
            return ""
        why = self.reason.partition("; ")[0]
        return f"{self.outcome}: {why}" if why else self.outcome

    def to_json(self) -> dict[str, Any]:
        """Plain data, rates as fractions of 1."""
        return {
            "folder": self.combination.name,
            "settings": dict(self.combination.values),
            "outcome": self.outcome,
            "reason": self.reason,
            **asdict(self.measured),
        }


@dataclass(frozen=True)
class _Column:
    heading: str
    value: Callable[[Row], Any]  # None: not known
    words: Callable[[Any], str] = show  # of a value that is known
    right: bool = True


def set_names(rows: Sequence[Row]) -> list[str]:
    """The sets that error rates are known of: dev first, then the test sets."""
    return list(dict.fromkeys(name for row in rows for name in row.measured.rates))


def write_json(path: Path, rows: Sequence[Row], recipe: str) -> None:
    """Write {"recipe": name, "rows": [...]}."""
    data = {"recipe": recipe, "rows": [row.to_json() for row in rows]}
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the table as CSV: plain numbers, rates as fractions of 1, unknown ones empty."""
    columns = _columns(rows)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([column.heading for column in columns])
    for row in rows:
        values = [column.value(row) for column in columns]
        lines.writerow(["" if value is None else value for value in values])
    write_text(path, text.getvalue())


def write_markdown(path: Path, rows: Sequence[Row]) -> None:
    """Write the table to be pasted into a README."""
    columns = _columns(rows)
    heads = [column.heading for column in columns]
    rule = ["---:" if column.right else "---" for column in columns]
    cells = [[one.replace("|", r"\|") for one in line] for line in _cells(columns, rows)]
    lines = [f"| {' | '.join(line)} |" for line in [heads, rule, *cells]]
    write_text(path, "\n".join(lines) + "\n")


def print_table(rows: Sequence[Row]) -> None:
    """Print the table on stdout."""
    columns = _columns(rows)
    table = Table()
    for column in columns:
        side: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.heading, justify=side, overflow="fold")
    for line in _cells(columns, rows):
        table.add_row(*line)
    # Into a file or a pipe, rich would squeeze the table into 80 columns.
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _columns(rows: Sequence[Row]) -> list[_Column]:
    keys = list(rows[0].combination.values)
    swept = [_swept(key, name) for key, name in short_names(keys).items()]
    rates = [_rate(name, kind) for name in set_names(rows) for kind in ("wer", "cer")]
    measured = [
        _Column("parameters", lambda row: row.measured.parameters, "{:,}".format),
        *rates,
        _Column("epochs", lambda row: row.measured.epochs),
        _Column("training s", lambda row: row.measured.seconds, "{:,.0f}".format),
        _Column("frames/s", lambda row: row.measured.frames_per_second, "{:,.0f}".format),
    ]
    note = _Column("note", lambda row: row.note, right=False)
    return [*swept, *measured, *([note] if any(row.note for row in rows) else [])]


def _swept(key: str, name: str) -> _Column:
    # In words already here: null is a value, not an unknown one.
    return _Column(name, lambda row: show(row.combination.values[key]), right=False)


def _rate(name: str, kind: str) -> _Column:
    def value(row: Row) -> float | None:
        rates: Mapping[str, Any] = row.measured.rates
        return getattr(rates[name], kind) if name in rates else None

    return _Column(f"{name} {kind.upper()}", value, format_rate)


def _cells(columns: Sequence[_Column], rows: Sequence[Row]) -> list[list[str]]:
    return [
        ["" if (value := column.value(row)) is None else column.words(value) for column in columns]
        for row in rows
    ]
