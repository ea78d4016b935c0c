"""The results of a sweep as a picture: word error rates over up to three settings.

    one setting    x axis
    two            colour, x axis
    three          colour, column of panels, x axis

A row of panels shows one set: dev, then the test sets. A cross at the top is a training that
diverged.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from asr.files import whole_file
from asr.recipe.grid import Axis, short_names, show
from asr.recipe.sweep_table import Row, set_names

MOST_AXES = 3
# Colours that people of all kinds of colour vision tell apart (Okabe & Ito 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_MARKERS = "osD^vP*X"
# Ratios of the largest to the smallest number from which an axis is logarithmic.
_WIDE_ACROSS, _WIDE_UP = 4.0, 10.0


def draw(path: Path, rows: Sequence[Row]) -> bool:
    """Draw the word error rates of a sweep into a PNG file.

    Returns:
        False, and nothing is drawn, where no rates are known or more than three settings are swept.
    """
    sets, axes = set_names(rows), _axes(rows)
    if not sets or len(axes) > MOST_AXES:
        return False
    names = short_names([axis.key for axis in axes])
    colour, panel, across = _roles(axes)
    columns: Sequence[Any] = panel.values if panel else (None,)
    figure = Figure(figsize=(2.2 + 3.4 * len(columns), 0.8 + 2.9 * len(sets)), layout="constrained")
    grid = figure.subplots(len(sets), len(columns), squeeze=False, sharex=True, sharey="row")
    measured = [row.measured.rates for row in rows]
    known = {name: [rates[name].wer for rates in measured if name in rates] for name in sets}
    log = any(_wide(rates) for rates in known.values())
    for line, name in zip(grid, sets, strict=True):
        for place, value in zip(line, columns, strict=True):
            chosen = [row for row in rows if panel is None or _has(row, panel, value)]
            _plot(place, chosen, name, colour=colour, across=across)
        _label_up(line[0], known[name], name, log=log and min(known[name]) > 0)
    for place, value in zip(grid[0], columns, strict=True):
        if panel:
            place.set_title(f"{names[panel.key]} = {show(value)}")
    for place in grid[-1]:
        _label_across(place, across, names[across.key])
    _explain(figure, rows, names[colour.key] if colour else None)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return True


def _axes(rows: Sequence[Row]) -> list[Axis]:
    """The swept settings and their values, in the order of the rows."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        for key, value in row.combination.values.items():
            found.setdefault(key, {})[show(value)] = value
    return [Axis(key, tuple(values.values())) for key, values in found.items()]


def _roles(axes: Sequence[Axis]) -> tuple[Axis | None, Axis | None, Axis]:
    """Colour, column of panels, x axis."""
    if len(axes) == 1:
        return None, None, axes[0]
    return axes[0], axes[1] if len(axes) == MOST_AXES else None, axes[-1]


def _has(row: Row, axis: Axis, value: Any) -> bool:
    # As shown: in Python, 1 equals true.
    return show(row.combination.values[axis.key]) == show(value)


def _plot(
    place: Axes, rows: Sequence[Row], name: str, *, colour: Axis | None, across: Axis
) -> None:
    """One line a colour, and crosses for what diverged."""
    positions = _positions(across)
    for index, value in enumerate(colour.values if colour else (None,)):
        mine = [row for row in rows if colour is None or _has(row, colour, value)]
        points = [(positions[show(row.combination.values[across.key])], row) for row in mine]
        rates = sorted(
            (x, row.measured.rates[name].wer) for x, row in points if name in row.measured.rates
        )
        shade, marker = _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]
        xs, heights = [x for x, _ in rates], [rate for _, rate in rates]
        place.plot(xs, heights, color=shade, marker=marker, label=show(value))
        crosses = [x for x, row in points if row.outcome == "diverged"]
        # Below each other, so that none hides another.
        heights = [0.96 - 0.06 * index] * len(crosses)
        top = place.get_xaxis_transform()
        place.plot(crosses, heights, color=shade, marker="x", ls="", mew=2, transform=top)
    place.margins(x=0.12)
    place.grid(axis="y", alpha=0.3)


def _numeric(axis: Axis) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in axis.values)


def _positions(axis: Axis) -> dict[str, float]:
    """Where each value stands on the x axis: at itself, or one after the other."""
    if _numeric(axis):
        return {show(value): float(value) for value in axis.values}
    return {show(value): float(index) for index, value in enumerate(axis.values)}


def _explain(figure: Figure, rows: Sequence[Row], title: str | None) -> None:
    """Say which colour is which, and what a cross is."""
    handles, _ = figure.axes[0].get_legend_handles_labels()
    handles = handles if title else []
    if any(row.outcome == "diverged" for row in rows):
        handles.append(Line2D([], [], color="grey", marker="x", ls="", mew=2, label="diverged"))
    if handles:
        figure.legend(handles=handles, loc="outside right upper", title=title)


def _label_across(place: Axes, axis: Axis, name: str) -> None:
    positions = _positions(axis)
    numbers = sorted(positions.values())
    if _numeric(axis) and numbers[0] > 0 and numbers[-1] / numbers[0] >= _WIDE_ACROSS:
        place.set_xscale("log")
        place.xaxis.set_minor_locator(NullLocator())
    place.set_xticks(list(positions.values()), list(positions))
    place.set_xlabel(name)


def _label_up(place: Axes, rates: Sequence[float], name: str, *, log: bool) -> None:
    """The y axis that the panels of one set share."""
    place.set_ylabel(f"{name} WER")
    if log:
        place.set_yscale("log")
        place.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        place.yaxis.set_minor_locator(NullLocator())
    else:
        place.set_ylim(0, 1.08 * max(rates) or 1)
    place.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))


def _wide(rates: Sequence[float]) -> bool:
    return min(rates) > 0 and max(rates) / min(rates) >= _WIDE_UP
