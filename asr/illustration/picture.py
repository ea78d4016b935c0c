"""The picture of one utterance: panels over one axis of time, as markup for a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.audio import Waveform
from asr.decoding.hypothesis import Word
from asr.illustration.emissions import HEIGHT, Curve, Emissions, written
from asr.illustration.sound import (
    ENVELOPE_HEIGHT,
    ENVELOPE_WIDTH,
    envelope_path,
    peak_db,
    spectrogram_uri,
)
from asr.pages import render_page

_TEMPLATE = Path(__file__).with_name("picture.html")
# Okabe & Ito's colours, which the colour-blind tell apart, but black and yellow: they stand on
# light and on dark.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_PIXELS_A_SECOND = 90  # at least: letters have to stand side by side
_ROWS_WITH_CURVES, _ROWS_WITHOUT = 272, 166  # where the words begin, in pixels
_ROW = 28
_TICKS = 16  # at most


@dataclass(frozen=True)
class WordRow:
    """Words with times below the panels."""

    label: str
    words: Sequence[Word] | None  # None: they do not fit into the frames


def draw_picture(
    waveform: Waveform, rows: Sequence[WordRow], emissions: Emissions | None, text: str
) -> str:
    """Draw one utterance.

    Args:
        waveform: its sound.
        rows: words with times, to stand below.
        emissions: what a model makes of it; None: the panel of probabilities is left out.
        text: whose tokens are aligned below the probabilities.

    Returns:
        Markup in which all text is escaped: HTML with SVG inside, which obeys the page's colours.
    """
    seconds = max(waveform.duration, 1e-3)
    top = _ROWS_WITHOUT if emissions is None else _ROWS_WITH_CURVES
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
        "envelope": {
            "path": envelope_path(waveform),
            "width": ENVELOPE_WIDTH,
            "height": ENVELOPE_HEIGHT,
        },
        "spectrogram": spectrogram_uri(waveform),
        "rows": placed,
        "curves": [],
        "tokens": [],
    }
    if emissions is not None:
        labels += [{"text": "probability", "y": 180}, {"text": "tokens", "y": 262}]
        values |= _curve_values(emissions, text)
    filters = {"x": lambda time: f"{100 * time / seconds:.2f}%"}
    return re.sub(r">\s+<", "><", render_page(_TEMPLATE, values, filters)).strip()


def _curve_values(emissions: Emissions, text: str) -> dict[str, Any]:
    """What the template takes of the curves and of the tokens below them."""
    curves, spans = emissions.curves(), emissions.tokens_of(text)
    colours = _colours([span.token for span in spans], curves)
    tokens, frame = emissions.model.tokens, emissions.model.frame_seconds
    return {
        "frames": emissions.frames,
        "frames_end": emissions.frames * frame,
        "curve_height": HEIGHT,
        "curves": [
            {
                "token": one.token,
                "symbol": written(one.symbol, tokens),
                "path": one.path,
                "colour": colours.get(one.token, ""),
            }
            for one in curves
        ],
        "tokens": [
            {
                "symbol": written(tokens.symbols[one.token], tokens),
                "middle": frame * (one.start + one.end) / 2,
                "colour": colours[one.token],
            }
            for one in spans
        ],
    }


def _colours(spoken: Sequence[int], curves: Sequence[Curve]) -> dict[int, str]:
    """A colour for each token but the blank; those that are said first have the first ones."""
    order = dict.fromkeys([*spoken, *(one.token for one in curves if one.token)])
    return {token: _COLOURS[number % len(_COLOURS)] for number, token in enumerate(order)}


def _ticks(seconds: float) -> list[float]:
    """Round times along the axis, 0 the first."""
    steps = (base * 10.0**power for power in range(-2, 6) for base in (1, 2, 5))
    step = next(step for step in steps if seconds / step <= _TICKS)
    return [round(step * number, 6) for number in range(int(seconds / step) + 1)]
