"""The picture: norms of gradients over the distance in time, a panel for each layer."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from asr.diagnosis.decay import GradientDecay, ModelGradients

# Okabe & Ito's colours, which the colour-blind tell apart; the palest left out.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_LEAST, _MOST = 1e-4, 1e4  # of the norm: below and above, curves leave the picture
_MARKS = {0.5: "½", 0.01: "1 %"}
_WIDTH = 11.0  # inches
_LETTER, _LINE = 0.07, 0.9  # of a name in the legend, and of what stands before and behind it


def draw_gradients(results: Sequence[ModelGradients]) -> Figure:
    """Draw a panel for each layer and one for the whole model, a line for each model.

    The output frame stands at 0; what lies left of it is the past, which the forward direction
    carries, and right of it the future, which the backward direction does.
    """
    layers = sorted({one.layer for r in results for one in r.decays if one.layer is not None})
    panels = [*layers, None]
    rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(_WIDTH, 0.9 + 3.1 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).flatten()
    models = list(dict.fromkeys(result.model for result in results))
    for panel, layer in zip(axes, panels, strict=False):
        _draw_panel(panel, layer, results, models)
    for panel in axes[len(panels) :]:
        panel.remove()
    lines = dict(zip(*reversed(axes[len(panels) - 1].get_legend_handles_labels()), strict=True))
    widest = _LINE + _LETTER * max(map(len, lines), default=0)
    columns = min(3, max(1, int(_WIDTH / widest)))
    figure.legend(
        lines.values(), lines.keys(), loc="outside upper left", ncols=columns, frameon=False
    )
    return figure


def to_png(figure: Figure) -> bytes:
    """The picture as the content of a PNG file."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def to_svg(figure: Figure) -> str:
    """The picture as an `svg` element, to stand in a page; the same for the same curves."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": "gradients", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _draw_panel(
    panel: Any, layer: int | None, results: Sequence[ModelGradients], models: Sequence[str]
) -> None:
    farthest = {"past": 0.0, "future": 0.0}
    for result in results:
        known = result.cell in result.model  # from the name already
        label = result.model if known else f"{result.model} ({result.cell})"
        # Neither a formula nor, by an underscore, a line without a name, to matplotlib.
        label = label.replace("$", r"\$").lstrip("_")
        style = {
            "color": _COLOURS[models.index(result.model) % len(_COLOURS)],
            "linestyle": "--" if result.weights == "untrained" else "-",
            "label": label if result.weights == "as saved" else f"{label}, untrained",
        }
        for decay in result.decays:
            if decay.layer == layer:
                _draw_curve(panel, decay, style)
                seen = 1000 * decay.frame_seconds * max(1, _last_seen(decay))
                farthest[decay.side] = max(farthest[decay.side], seen)
    panel.set_yscale("log")
    panel.set_xlim(-1.03 * farthest["past"], 1.03 * farthest["future"])
    low, high = _limits([one for r in results for one in r.decays if one.layer == layer])
    panel.set_ylim(low, high)
    for share, name in _MARKS.items():
        if low < share < high:
            panel.axhline(share, color="0.6", linewidth=0.8, linestyle=":")
            place = ("axes fraction", "data")
            panel.annotate(name, (1.01, share), xycoords=place, va="center", color="0.4")
    panel.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    whole = layer is None
    panel.set_title("Whole model" if whole else f"Layer {layer}", loc="left", fontweight="bold")
    panel.set_ylabel("‖∂ log p(t) / ∂ features(t+d)‖" if whole else "‖∂h(t) / ∂x(t+d)‖")
    panel.set_xlabel("d in ms: past < 0 < future" if farthest["future"] else "d in ms (past)")
    panel.grid(alpha=0.25, linewidth=0.6)
    _count_frames(panel, results)


def _draw_curve(panel: Any, decay: GradientDecay, style: dict[str, Any]) -> None:
    sign = -1 if decay.side == "past" else 1
    drawn = decay.norms[: _last_seen(decay) + 2]  # one more, to leave the picture by its edge
    times = [sign * 1000 * decay.frame_seconds * k for k in range(len(drawn))]
    heights = [norm if 0 < norm < math.inf else math.nan for norm in drawn]
    panel.plot(times, heights, linewidth=1.6, **style)


def _limits(decays: Sequence[GradientDecay]) -> tuple[float, float]:
    """The lowest and the highest norm that a panel shows, with a margin."""
    seen = [norm for one in decays for norm in one.norms if _LEAST <= norm <= _MOST]
    return max(_LEAST, min(seen, default=0.1) / 2), min(_MOST, 2 * max(seen, default=1.0))


def _last_seen(decay: GradientDecay) -> int:
    """The longest distance in frames at which a curve is in the picture."""
    seen = (k for k, norm in enumerate(decay.norms) if _LEAST <= norm <= _MOST)
    return max(seen, default=0)


def _count_frames(panel: Any, results: Sequence[ModelGradients]) -> None:
    """A second axis in encoder frames, where they are equally long in all models."""
    lengths = {1000 * result.frame_seconds for result in results}
    if len(lengths) == 1:
        one = lengths.pop()
        axis = panel.secondary_xaxis("top", functions=(lambda ms: ms / one, lambda n: n * one))
        axis.set_xlabel(f"encoder frames of {one:g} ms", fontsize="small", color="0.35")
        axis.tick_params(labelsize="small", colors="0.35")
