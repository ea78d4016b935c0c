"""Which curves of a training are shown, and how to read them."""

import math
from collections.abc import Sequence
from typing import Any

from asr.training.measurements import ALL
from asr.training.plot import COLOURS, Chart, Curve

Record = dict[str, Any]

_LOG_RATIO = 30.0  # a loss that falls by more than this is drawn on a logarithmic scale


def charts(records: Sequence[Record], *, clip_norm: float) -> list[Chart]:
    """The charts of a training; those of which the records know nothing are left out."""
    found = [*_results(records), *_gradients(records, clip_norm), *_emissions(records)]
    return [chart for chart in [*found, *_costs(records)] if chart.known]


def _results(records: Sequence[Record]) -> list[Chart]:
    losses = [_curve(records, "training", "loss"), _curve(records, "dev", "dev_loss", 1)]
    if any("dev_mmi" in record for record in records):
        losses.append(_curve(records, "dev, against other sequences", "dev_mmi", 2))
    return [
        _chart(
            records,
            "Loss",
            "nats per target token; dropout and augmentation make training the harder one",
            *losses,
            logarithmic=_spans_much(losses),
        ),
        _chart(
            records,
            "Error rates on dev",
            "greedy decoding, without a language model",
            _curve(records, "WER", "dev_wer"),
            _curve(records, "CER", "dev_cer", 1),
            percent=True,
        ),
        _chart(
            records,
            "Learning rate",
            "at the end of the epoch",
            _curve(records, "rate", "learning_rate"),
        ),
    ]


def _gradients(records: Sequence[Record], clip_norm: float) -> list[Chart]:
    found = [
        _chart(
            records,
            "Gradient norm",
            f"before clipping, over the epoch's steps; the line is clip_norm, {clip_norm:g}",
            _norms(records, "mean", ALL, "mean"),
            _norms(records, "maximum", ALL, "max", 1),
            logarithmic=True,
            level=clip_norm,
        ),
        _chart(
            records,
            "Gradient norm by layer",
            "mean over the epoch's steps; dashed: the direction that reads backwards",
            *_layers(records),
            logarithmic=True,
        ),
        _chart(
            records,
            "Clipped steps",
            "share of the steps whose gradient was longer than clip_norm",
            _curve(records, "clipped", "clipped_share"),
            percent=True,
        ),
    ]
    if any(record.get("skipped_steps") for record in records):
        note = "their gradient was not finite; the loss is that of the other steps"
        curve = _curve(records, "steps", "skipped_steps")
        found.append(_chart(records, "Steps left out", note, curve))
    return found


def _emissions(records: Sequence[Record]) -> list[Chart]:
    return [
        _chart(
            records,
            "Blanks on dev",
            "share of the frames whose best token is the blank; near 100 % nothing is recognised",
            _curve(records, "blanks", "blank_share"),
            percent=True,
        ),
        _chart(
            records,
            "Emitted / target tokens on dev",
            "above the line too much is put out, below it too little",
            _curve(records, "ratio", "emitted_ratio"),
            level=1.0,
        ),
    ]


def _costs(records: Sequence[Record]) -> list[Chart]:
    return [
        _chart(
            records,
            "Padding and waiting",
            "share of frames that only pad a batch, share of time that waits for the next batch",
            _curve(records, "padding", "padding_share"),
            _curve(records, "waiting for data", "data_wait", 1),
            percent=True,
        ),
        _chart(
            records,
            "Throughput",
            "seconds of speech per second of training",
            _curve(records, "throughput", "throughput"),
        ),
    ]


def _chart(
    records: Sequence[Record], title: str, note: str, *curves: Curve, **options: Any
) -> Chart:
    return Chart(title, note, tuple(record["epoch"] for record in records), curves, **options)


def _curve(records: Sequence[Record], label: str, key: str, colour: int = 0) -> Curve:
    return Curve(label, tuple(float(record.get(key, math.nan)) for record in records), colour)


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
