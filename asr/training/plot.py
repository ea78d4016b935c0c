"""Curves over epochs as SVG: drawn by hand in a millisecond, since it is done after every epoch.

Colours are CSS variables of the page around it: --c0 to --c5 of the curves, --dim, --line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = 6
_WIDTH, _HEIGHT = 420.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 8.0, 8.0, 22.0  # margins, for the labels
_MARKED_EPOCHS = 12  # so few points are marked, that a single one is seen
_MOST_TICKS = 6


@dataclass(frozen=True)
class Curve:
    """One quantity over the epochs, never negative."""

    label: str
    values: tuple[float, ...]  # what is not finite leaves a gap
    colour: int = 0  # 0 to COLOURS - 1
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Some curves over one axis."""

    title: str
    note: str  # how to read it
    epochs: tuple[int, ...]
    curves: tuple[Curve, ...]
    percent: bool = False
    logarithmic: bool = False
    level: float | None = None  # a line to compare with

    @property
    def known(self) -> list[float]:
        """All values that can be drawn."""
        return [value for curve in self.curves for value in curve.values if self.fits(value)]

    def fits(self, value: float) -> bool:
        """Whether a value has a place on the axis."""
        return math.isfinite(value) and (value > 0 or (value == 0 and not self.logarithmic))


def draw(chart: Chart) -> str:
    """A chart as an SVG element that fills its place; `chart.known` must not be empty."""
    levels = [] if chart.level is None else [chart.level]
    ticks = value_ticks([*chart.known, *levels], logarithmic=chart.logarithmic)
    place = _Place(chart, ticks[0], ticks[-1])
    title = escape(f"{chart.title}, by epoch")
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{title}" '
        'font-size="10" fill="var(--dim)">'
    ]
    for tick in ticks:
        y = place.y(tick)
        words = f"{100 * tick:g} %" if chart.percent else f"{tick:g}"
        parts.append(_line(y, 'stroke="var(--line)"'))
        parts.append(f'<text x="{_LEFT - 6:g}" y="{y + 3:.1f}" text-anchor="end">{words}</text>')
    for epoch in epoch_ticks(chart.epochs):
        x = place.x(epoch)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6:g}" text-anchor="middle">{epoch}</text>')
    parts += [
        _line(place.y(level), 'stroke="var(--dim)" stroke-dasharray="2 3"') for level in levels
    ]
    for curve in chart.curves:
        parts += _draw_curve(curve, chart, place)
    return "\n".join([*parts, "</svg>"])


def value_ticks(values: Sequence[float], *, logarithmic: bool) -> list[float]:
    """Round numbers, rising, the first not above the values and the last not below them.

    From 0 on, in steps of 1, 2 or 5 times a power of ten; or such numbers themselves, if there are
    not too many, where the axis is logarithmic.
    """
    if logarithmic:
        return _log_ticks(min(values), max(values))
    top = max(values) or 1.0
    step = next(step for step in _round_numbers(top / _MOST_TICKS) if step * _MOST_TICKS >= top)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def epoch_ticks(epochs: Sequence[int]) -> list[int]:
    """Round epochs, ten of them at most; the only one where there is one."""
    first, last = epochs[0], epochs[-1]
    least = max(1.0, (last - first) / 10)
    step = round(next(step for step in _round_numbers(least) if step >= least))
    return [epoch for epoch in range(first, last + 1) if epoch % step == 0] or [last]


def _log_ticks(low: float, high: float) -> list[float]:
    ticks: list[float] = []
    for number in _round_numbers(low):
        if number <= low or not ticks:
            ticks = [number]
        elif ticks[-1] < high:
            ticks.append(number)
        else:
            break
    if len(ticks) == 1:
        ticks.append(next(number for number in _round_numbers(high) if number > ticks[0]))
    if len(ticks) <= _MOST_TICKS:
        return ticks
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = math.ceil((last - first) / _MOST_TICKS)
    return [10.0**power for power in range(first, last + stride, stride)]


def _round_numbers(low: float) -> Iterator[float]:
    """1, 2 and 5 times the powers of ten, from that power on in which `low` lies."""
    power = math.floor(math.log10(low))
    while True:
        for factor in (1, 2, 5):
            # A division, where the power is negative: 3 / 10 is nearer to 0.3 than 3 * 0.1.
            yield factor * 10.0**power if power >= 0 else factor / 10.0**-power
        power += 1


class _Place:
    """Where epochs and values lie on the canvas."""

    def __init__(self, chart: Chart, low: float, high: float) -> None:
        self._chart, self._low, self._high = chart, low, high

    def x(self, epoch: float) -> float:
        first, last = self._chart.epochs[0] - 0.5, self._chart.epochs[-1] + 0.5
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - first) / (last - first)

    def y(self, value: float) -> float:
        low, high = self._low, self._high
        if self._chart.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = (value - low) / (high - low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _draw_curve(curve: Curve, chart: Chart, place: _Place) -> list[str]:
    colour = f"var(--c{curve.colour})"
    path, pen_down, dots = [], False, []
    for epoch, value in zip(chart.epochs, curve.values, strict=True):
        if not chart.fits(value):
            pen_down = False
            continue
        x, y = place.x(epoch), place.y(value)
        path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = True
        if len(chart.epochs) <= _MARKED_EPOCHS:
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>')
    dashes = ' stroke-dasharray="6 4"' if curve.dashed else ""
    style = f'fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"{dashes}'
    return [f'<path d="{" ".join(path)}" {style}/>', *dots]


def _line(y: float, style: str) -> str:
    return f'<line x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" {style}/>'
