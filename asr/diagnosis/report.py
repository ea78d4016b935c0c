"""What was measured, for people and programs: a table, a JSON file, a picture and a page."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr.diagnosis.decay import GradientDecay, ModelGradients, in_time
from asr.diagnosis.picture import draw_gradients, to_png, to_svg
from asr.files import whole_file, write_text
from asr.pages import render_page

JSON, PNG, PAGE = "gradients.json", "gradients.png", "gradients.html"
HEADINGS = (
    "model",
    "what is measured",
    "input from",
    "half is left after",
    "1 % is left after",
    "factor per frame",
    "verdict",
)
_DIRECTIONS = {"past": "forward", "future": "backward"}


def table_rows(results: Sequence[ModelGradients]) -> list[tuple[str, ...]]:
    """A row of words for each layer and direction of each model, below HEADINGS."""
    return [
        (
            result.model if result.weights == "as saved" else f"{result.model}, untrained",
            f"layer {decay.layer} {_DIRECTIONS[decay.side]}" if decay.layer else "whole model",
            decay.side,
            _distance(decay, 0.5),
            _distance(decay, 0.01),
            "" if decay.factor is None else f"{decay.factor:.3f}",
            decay.explanation,
        )
        for result in results
        for decay in result.decays
    ]


def print_gradients(results: Sequence[ModelGradients]) -> None:
    """Print a row for each layer and direction of each model on stdout."""
    table = Table()
    table.add_column(HEADINGS[0], overflow="fold")
    for heading in HEADINGS[1:]:
        table.add_column(heading, overflow="fold")
    for row in table_rows(results):
        table.add_row(*row)
    # Into a file or a pipe, rich would squeeze the table into 80 columns and cut names off.
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def write_gradients(
    folder: Path, results: Sequence[ModelGradients], *, facts: Mapping[str, str]
) -> None:
    """Write gradients.json, gradients.png and gradients.html, each whole or not at all.

    Args:
        folder: made where it is missing; nothing is written if one of the files cannot be made.
        results: the models, in the order to show them.
        facts: what was measured on, and how much, by name.
    """
    figure = draw_gradients(results)
    png, page = to_png(figure), _page(results, to_svg(figure), facts)
    data = {"facts": dict(facts), "models": [result.to_json() for result in results]}
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(folder / PNG) as temporary:
        temporary.write_bytes(png)
    write_text(folder / JSON, text + "\n")
    write_text(folder / PAGE, page)


def _page(results: Sequence[ModelGradients], picture: str, facts: Mapping[str, str]) -> str:
    rows = table_rows(results)
    values = {"facts": facts, "picture": picture, "headings": HEADINGS, "rows": rows}
    return render_page(Path(__file__).with_name(PAGE), values)


def _distance(decay: GradientDecay, share: float) -> str:
    frames = decay.falls_to(share)
    if frames is None:
        return f"> {decay.reach} frames"
    return f"{frames:.1f} frames, {in_time(frames * decay.frame_seconds)}"
