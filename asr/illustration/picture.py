"""The picture of one utterance: panels over one axis of time, as markup for a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.audio import Waveform
from asr.decoding.hypothesis import Word
from asr.illustration.sound import (
    ENVELOPE_HEIGHT,
    ENVELOPE_WIDTH,
    envelope_path,
    peak_db,
    spectrogram_uri,
)
from asr.pages import render_page

_TEMPLATE = Path(__file__).with_name("picture.html")
CURVE_HEIGHT = 100  # of a probability of 1, in units of the paths
_PIXELS_A_SECOND = 120  # at least: letters have to stand side by side
_ROWS_WITH_CURVES, _ROWS_WITHOUT = 272, 166  # where the words begin, in pixels
_ROW = 28
_TICKS = 16  # at most


@dataclass(frozen=True)
class Curve:
    """The probability of one token over the frames."""

    symbol: str
    colour: str | None  # None: the blank
    path: str  # `d` of an SVG path: x is the encoder frame, y falls from CURVE_HEIGHT to 0


@dataclass(frozen=True)
class PlacedToken:
    """One token of a text, where it was said."""

    symbol: str
    colour: str
    middle: float  # seconds


@dataclass(frozen=True)
class Probabilities:
    """The panel of what a model emits."""

    frames: int  # encoder frames, U
    end: float  # of the last one, in seconds
    curves: Sequence[Curve]
    tokens: Sequence[PlacedToken]  # the alignment of a text, below the curves


@dataclass(frozen=True)
class WordRow:
    """Words with times below the panels."""

    label: str
    words: Sequence[Word] | None  # None: they do not fit into the frames


def draw_picture(
    waveform: Waveform, rows: Sequence[WordRow], probabilities: Probabilities | None = None
) -> str:
    """Draw one utterance.

    Args:
        waveform: its sound.
        rows: words with times, to stand below.
        probabilities: what a model makes of it; None leaves the panel out.

    Returns:
        Markup in which all text is escaped: HTML with SVG inside, which obeys the page's colours.
    """
    seconds = max(waveform.duration, 1e-3)
    top = _ROWS_WITHOUT if probabilities is None else _ROWS_WITH_CURVES
    placed: list[dict[str, Any]] = [
        {"label": row.label, "words": row.words, "y": top + _ROW * number}
        for number, row in enumerate(rows)
    ]
    labels = [
        {"text": "waveform", "y": 14},
        {"text": f"peak {peak_db(waveform):.0f} dB", "y": 28},
        {"text": "mel", "y": 72},
        {"text": "spectrogram", "y": 86},
        {"text": "80 dB", "y": 100},
        *({"text": row["label"], "y": row["y"] + 14} for row in placed),
    ]
    values: dict[str, Any] = {
        "seconds": round(seconds, 4),
        "width": round(_PIXELS_A_SECOND * seconds),
        "height": top + _ROW * len(placed) + 16,
        "labels": labels,
        "ticks": _ticks(seconds),
        "last": 0.97 * seconds,  # beyond, a number would be cut off
        "envelope": {
            "path": envelope_path(waveform),
            "width": ENVELOPE_WIDTH,
            "height": ENVELOPE_HEIGHT,
        },
        "spectrogram": spectrogram_uri(waveform),
        "rows": placed,
        "probabilities": probabilities,
        "curve_height": CURVE_HEIGHT,
    }
    if probabilities is not None:
        labels += [{"text": "probability", "y": 180}, {"text": "tokens", "y": 262}]
    filters = {"x": lambda time: f"{100 * time / seconds:.2f}%"}
    return re.sub(r">\s+<", "><", render_page(_TEMPLATE, values, filters)).strip()


def _ticks(seconds: float) -> list[float]:
    """Round times along the axis, 0 the first."""
    steps = (base * 10.0**power for power in range(-2, 6) for base in (1, 2, 5))
    step = next(step for step in steps if seconds / step <= _TICKS)
    return [round(step * number, 6) for number in range(int(seconds / step) + 1)]
