"""A picture of a grid of weights: where the errors are few."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from asr.files import whole_file
from asr.tuning.grid import Grid

_BONUS = "word bonus (nats)"
_WEIGHT = "weight of the language model"
_RATE = "word error rate on dev (%)"


def draw_grid(path: Path, grid: Grid, title: str) -> None:
    """Draw the word error rate over both weights, with the pair that was chosen, as PNG."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    rates = 100 * grid.errors / max(1, grid.words)
    # A few points above the best all is equally bad: the colours are kept for where it matters.
    top = min(float(rates.max()), float(rates.min()) * 1.3 + 1)
    weight, bonus = grid.best()
    if len(grid.lm_weights) == 1 or len(grid.word_bonuses) == 1:  # one of them does not matter
        _draw_curve(axes, grid, rates)
    else:
        image = axes.pcolormesh(
            grid.word_bonuses, grid.lm_weights, rates, cmap="viridis_r", vmax=top, shading="nearest"
        )
        axes.plot(bonus, weight, "o", markersize=11, markerfacecolor="none", markeredgecolor="red")
        axes.annotate(
            f"{np.min(rates):.2f} %",
            (bonus, weight),
            xytext=(9, 9),
            textcoords="offset points",
            color="red",
        )
        axes.set_xlabel(_BONUS)
        axes.set_ylabel(_WEIGHT)
        figure.colorbar(image, ax=axes, label=_RATE, extend="max")
    axes.set_title(title)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _draw_curve(axes: Axes, grid: Grid, rates: NDArray[np.float64]) -> None:
    of_weights = len(grid.word_bonuses) == 1
    places = grid.lm_weights if of_weights else grid.word_bonuses
    weight, bonus = grid.best()
    axes.plot(places, rates.ravel())
    axes.plot(weight if of_weights else bonus, rates.min(), "o", color="red")
    axes.set_xlabel(_WEIGHT if of_weights else _BONUS)
    axes.set_ylabel(_RATE)
