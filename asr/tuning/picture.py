"""A picture of a grid of weights: where the errors are few."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from asr.files import whole_file
from asr.tuning.grid import Grid


def draw_grid(path: Path, grid: Grid, title: str) -> None:
    """Draw the word error rate over both weights, with the pair that was chosen, as PNG."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    rates = 100 * grid.errors / max(1, grid.words)
    # A few points above the best all is equally bad: the colours are kept for where it matters.
    top = min(float(rates.max()), float(rates.min()) * 1.3 + 1)
    image = axes.pcolormesh(
        grid.word_bonuses, grid.lm_weights, rates, cmap="viridis_r", vmax=top, shading="nearest"
    )
    weight, bonus = grid.best()
    axes.plot(bonus, weight, "o", markersize=11, markerfacecolor="none", markeredgecolor="red")
    axes.annotate(
        f"{np.min(rates):.2f} %",
        (bonus, weight),
        xytext=(9, 9),
        textcoords="offset points",
        color="red",
    )
    axes.set_xlabel("word bonus (nats)")
    axes.set_ylabel("weight of the language model")
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="word error rate on dev (%)", extend="max")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
