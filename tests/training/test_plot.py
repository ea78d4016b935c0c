"""Charts: every value in its place, round numbers at the axes, gaps where nothing is known."""

import math
import re
from itertools import pairwise

import pytest

from asr.training.plot import Chart, Curve, draw, epoch_ticks, value_ticks


def points(svg: str, colour: int = 0) -> list[list[tuple[float, float]]]:
    """The corners of a curve, piece by piece."""
    (path,) = re.findall(rf'<path d="([^"]*)"[^>]*--c{colour}\)', svg)
    pieces = [piece for piece in path.split("M") if piece]
    return [
        [(float(x), float(y)) for x, y in (corner.split() for corner in piece.split("L"))]
        for piece in pieces
    ]


def heights_of_labels(svg: str) -> dict[str, float]:
    found = re.findall(r'y="([\d.]+)" text-anchor="end">([^<]*)<', svg)
    return {label: float(y) - 3 for y, label in found}


def chart(*values: float, logarithmic: bool = False, level: float | None = None) -> Chart:
    epochs = tuple(range(1, len(values) + 1))
    curves = (Curve("c", values),)
    return Chart("Title", "", epochs, curves, logarithmic=logarithmic, level=level)


def test_values_lie_in_proportion_between_the_labels() -> None:
    svg = draw(chart(4.0, 2.0, 1.0))
    labels, (corners,) = heights_of_labels(svg), points(svg)
    assert [y for _, y in corners] == pytest.approx(
        [labels["4"], labels["2"], labels["1"]], abs=0.1
    )
    assert labels["4"] < labels["2"] < labels["0"], "y grows downwards"
    assert labels["0"] - labels["2"] == pytest.approx(labels["2"] - labels["4"], abs=0.11)
    steps = [right[0] - left[0] for left, right in pairwise(corners)]
    assert steps[0] == pytest.approx(steps[1], abs=0.11)


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis() -> None:
    svg = draw(chart(0.01, 0.1, 1.0, 10.0, logarithmic=True))
    (corners,) = points(svg)
    rises = [left[1] - right[1] for left, right in pairwise(corners)]
    assert rises == pytest.approx([rises[0]] * 3, abs=0.11)
    assert corners[1][1] == pytest.approx(heights_of_labels(svg)["0.1"], abs=0.1)


def test_a_value_that_is_not_known_leaves_a_gap() -> None:
    assert [len(piece) for piece in points(draw(chart(1, 2, math.nan, 3, math.inf, 1)))] == [
        2,
        1,
        1,
    ]
    assert [len(piece) for piece in points(draw(chart(1, 0, 3, logarithmic=True)))] == [1, 1]


def test_the_level_to_compare_with_is_always_on_the_chart() -> None:
    svg = draw(chart(1.0, 2.0, level=40.0))
    (level,) = re.findall(r'y1="([\d.]+)"[^>]*stroke-dasharray', svg)
    assert float(level) == pytest.approx(heights_of_labels(svg)["40"], abs=0.1)


def test_shares_are_labelled_in_percent() -> None:
    svg = draw(Chart("T", "", (1, 2), (Curve("c", (0.0, 0.3)),), percent=True))
    assert list(heights_of_labels(svg)) == ["0 %", "5 %", "10 %", "15 %", "20 %", "25 %", "30 %"]


def test_a_single_epoch_is_a_dot() -> None:
    svg = draw(chart(3.0))
    assert svg.count("<circle") == 1
    assert ">1</text>" in svg


def test_a_title_is_text() -> None:
    assert 'aria-label="a &lt; &quot;b&quot;, by epoch"' in draw(
        Chart('a < "b"', "", (1,), (Curve("c", (1.0,)),))
    )


@pytest.mark.parametrize("top", [1e-7, 0.0003, 0.07, 0.3, 1, 1.01, 3.7, 59, 60, 61, 1234.5, 8e9])
def test_linear_ticks_reach_just_above_the_values(top: float) -> None:
    ticks = value_ticks([top, top / 3], logarithmic=False)
    step = ticks[1]
    assert ticks[0] == 0
    assert ticks[-2] < top <= ticks[-1] * (1 + 1e-9)
    assert len(ticks) <= 7
    assert f"{step:e}"[0] in "125"
    assert [right - left for left, right in pairwise(ticks)] == pytest.approx(
        [step] * (len(ticks) - 1)
    )


@pytest.mark.parametrize(
    ("low", "high"), [(3, 3), (1, 1), (2, 30), (0.02, 0.05), (1e-9, 1e9), (0.3, 800), (1e-30, 1e30)]
)
def test_logarithmic_ticks_hold_the_values_between_them(low: float, high: float) -> None:
    ticks = value_ticks([low, high], logarithmic=True)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 8
    assert all(left < right for left, right in pairwise(ticks))
    assert all(f"{tick:e}"[0] in "125" for tick in ticks)


def test_nothing_but_zeros_has_an_axis() -> None:
    assert value_ticks([0.0, 0.0], logarithmic=False)[0] == 0
    assert len(points(draw(chart(0.0, 0.0)))[0]) == 2


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (range(1, 2), [1]),
        (range(1, 5), [1, 2, 3, 4]),
        (range(1, 17), [2, 4, 6, 8, 10, 12, 14, 16]),
        (range(1, 41), [5, 10, 15, 20, 25, 30, 35, 40]),
        (range(7, 8), [7]),
    ],
)
def test_epochs_are_labelled_by_round_numbers(epochs: range, expected: list[int]) -> None:
    assert epoch_ticks(epochs) == expected
