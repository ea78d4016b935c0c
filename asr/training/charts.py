"""The curves of a training, as SVG without colours of its own: the page that shows it has them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from asr.training.measurements import ALL

Record = dict[str, Any]

COLOURS = 6  # that the page defines: --c0 to --c5
_TEXT, _GRID = "#fe0001", "#fe0002"  # stand for the page's colours
_MARKED_EPOCHS = 12  # so few points are marked, that a single one is seen
_LOG_RATIO = 30.0  # a curve that falls by more than this is drawn on a logarithmic scale


@dataclass(frozen=True)
class Curve:
    """One quantity over the epochs."""

    label: str
    values: tuple[float, ...]  # NaN: not known
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
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return any(math.isfinite(value) for curve in self.curves for value in curve.values)


def charts(records: Sequence[Record], *, clip_norm: float) -> list[Chart]:
    """The charts of a training; those of which the records know nothing are left out."""
    epochs = tuple(record["epoch"] for record in records)

    def curve(label: str, key: str, colour: int = 0) -> Curve:
        return Curve(label, tuple(float(r.get(key, math.nan)) for r in records), colour)

    def chart(title: str, note: str, *curves: Curve, **more: Any) -> Chart:
        return Chart(title, note, epochs, curves, **more)

    losses = (curve("training", "loss"), curve("dev", "dev_loss", 1))
    found = [
        chart(
            "Loss",
            "nats per target token; dropout and augmentation make training the harder one",
            *losses,
            logarithmic=_spans_much(losses),
        ),
        chart(
            "Error rates on dev",
            "greedy decoding, without a language model",
            curve("WER", "dev_wer"),
            curve("CER", "dev_cer", 1),
            percent=True,
        ),
        chart("Learning rate", "at the end of the epoch", curve("rate", "learning_rate")),
        chart(
            "Gradient norm",
            f"before clipping, over the epoch's steps; the line is clip_norm, {clip_norm:g}",
            _norms(records, "mean", ALL, "mean"),
            _norms(records, "maximum", ALL, "max", 1),
            logarithmic=True,
            level=clip_norm,
        ),
        chart(
            "Gradient norm by layer",
            "mean over the epoch's steps; dashed: the direction that reads backwards",
            *_layers(records),
            logarithmic=True,
        ),
        chart(
            "Blanks on dev",
            "share of the frames whose best token is the blank; near 100 % nothing is recognised",
            curve("blanks", "blank_share"),
            percent=True,
        ),
        chart(
            "Emitted / target tokens on dev",
            "above the line too much is put out, below it too little",
            curve("ratio", "emitted_ratio"),
            level=1.0,
        ),
        chart(
            "Lost time",
            "share of frames that only pad a batch, share of time that waits for the next batch",
            curve("padding", "padding_share"),
            curve("waiting for data", "data_wait", 1),
            percent=True,
        ),
        chart("Throughput", "seconds of speech per second of training", curve("", "throughput")),
        chart(
            "Clipped steps",
            "share of the steps whose gradient was longer than clip_norm",
            curve("clipped", "clipped_share"),
            percent=True,
        ),
        chart(
            "Steps left out",
            "their gradient was not finite; the loss is that of the other steps",
            curve("steps", "skipped_steps"),
        ),
    ]
    return [one for one in found if one.known]


def draw(chart: Chart) -> str:
    """A chart as an SVG element that takes its colours from CSS variables and fills its place."""
    # Here and not above: matplotlib takes a second, and only the process that draws needs it.
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.title, "font.size": 9}):
        figure = Figure(figsize=(5.2, 2.3))
        FigureCanvasSVG(figure)
        figure.subplots_adjust(left=0.1, right=0.98, bottom=0.11, top=0.96)
        _plot(figure.add_subplot(), chart)
        figure.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    return _for_the_page(out.getvalue(), chart)


def colour_of(curve: Curve) -> str:
    """The CSS colour of a curve."""
    return f"var(--c{curve.colour})"


_NO_METADATA = {key: None for key in ("Creator", "Date", "Format", "Type")}


def _plot(axes: Any, chart: Chart) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

    if chart.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    for curve in chart.curves:
        values = [_drawable(value, chart.logarithmic) for value in curve.values]
        axes.plot(
            chart.epochs,
            values,
            color=_stand_in(curve.colour),
            linestyle=(0, (4, 2)) if curve.dashed else "-",
            marker="o" if len(values) <= _MARKED_EPOCHS else "",
            markersize=3,
            linewidth=1.6,
            clip_on=False,
        )
    if chart.level is not None:
        axes.axhline(chart.level, color=_TEXT, linewidth=0.8, linestyle=(0, (1, 2)))
    if not chart.logarithmic:
        axes.set_ylim(bottom=0)
    if chart.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(chart.epochs[0] - 0.5, chart.epochs[-1] + 0.5)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=_TEXT)
    axes.spines[:].set_visible(False)


def _for_the_page(svg: str, chart: Chart) -> str:
    svg = svg[svg.index("<svg") :]
    opening = re.search(r'viewBox="([^"]*)"', svg)
    assert opening, "matplotlib writes a viewBox"
    inside = svg[svg.index(">") + 1 :]
    inside = re.sub(r"<style.*?</style>|<!--.*?-->", "", inside, flags=re.DOTALL)
    inside = re.sub(r" font-family: [^;\"]*;", "", inside)  # the page's own
    inside = inside.replace("xlink:href", "href")  # a page knows no XML namespaces
    # Of its many ids only those of markers and clips are used; the others are the same in each chart.
    used = set(re.findall(r"#([mp][0-9a-f]{10})", inside))
    inside = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", inside)
    for colour in range(COLOURS):
        inside = inside.replace(_stand_in(colour), f"var(--c{colour})")
    inside = inside.replace(_TEXT, "var(--dim)").replace(_GRID, "var(--line)")
    label = chart.title.replace("/", "per")
    return f'<svg viewBox="{opening[1]}" role="img" aria-label="{label} by epoch">{inside}'


def _stand_in(colour: int) -> str:
    """A colour that nothing else has, to be put in for one of the page's."""
    return f"#fe01{colour:02x}"


def _drawable(value: float, logarithmic: bool) -> float:
    fits = math.isfinite(value) and (value > 0 or not logarithmic)
    return value if fits else math.nan


def _spans_much(curves: Sequence[Curve]) -> bool:
    values = [value for curve in curves for value in curve.values if math.isfinite(value)]
    return bool(values) and min(values) > 0 and max(values) > _LOG_RATIO * min(values)


def _norms(records: Sequence[Record], label: str, layer: str, of: str, colour: int = 0) -> Curve:
    values = (r.get("gradient_norm", {}).get(layer, {}).get(of, math.nan) for r in records)
    return Curve(label, tuple(values), colour, dashed=layer.endswith(" back"))


def _layers(records: Sequence[Record]) -> list[Curve]:
    """Weights that mix or recur, lowest first; one colour a layer. Norms and biases say little."""
    names = dict.fromkeys(name for r in records for name in r.get("gradient_norm", {}))
    shown = [
        name
        for name in names
        if name in ("subsampling", "head") or name.endswith((" ahead", " back"))
    ]
    layers = dict.fromkeys(_layer(name) for name in shown)
    colours = {layer: number % COLOURS for number, layer in enumerate(layers)}
    return [_norms(records, name, name, "mean", colours[_layer(name)]) for name in shown]


def _layer(name: str) -> str:
    """'layer 2 back' -> 'layer 2'."""
    return name.removesuffix(" ahead").removesuffix(" back")
