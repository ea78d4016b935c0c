"""What tuning has found, in words: rates step by step, what brings how much, the grid."""

from collections.abc import Iterator

import numpy as np

from asr.decoding.rescoring import RescoringSettings
from asr.tuning.grid import Grid
from asr.tuning.model import LANGUAGE_MODEL, OUTSIDE, TunedDecoder
from asr.tuning.weights import Tuned

_AROUND = 3  # rows and columns on each side of the best pair
_STRIDE = 2  # weights of the grid from one of them to the next


def account_for(tuned: TunedDecoder, audio_seconds: float) -> Iterator[str]:
    """Say what came of tuning, line by line.

    Args:
        tuned: the decoder.
        audio_seconds: of the development set.
    """
    for name, counts in tuned.rates.items():
        yield f"dev, {name}: WER {counts.rate:.2%}"
    if tuned.weights:
        if LANGUAGE_MODEL in tuned.rates:
            yield _gains(tuned.rates["greedy"].rate, tuned.weights)
        yield from grid_lines(tuned.weights.grid)
        yield _weights(tuned.weights)
        if tuned.description.rescoring:
            yield _rescoring(tuned.description.rescoring)
    for row in tuned.beams:
        speed = f"{row.times_real_time(audio_seconds):.0f} times real time in one process"
        yield f"beam {row.beam}: WER {row.counts.rate:.2%}, {speed}"
    if len(tuned.beams) > 1 and tuned.description.settings:
        yield (
            f"beam {tuned.description.settings.beam} is kept: the narrowest within 0.1 points of "
            "the best"
        )
    if OUTSIDE in tuned.rates:
        yield _outside(tuned.description.spelling_penalty)
    before, after = tuned.calibration_errors
    yield f"confidences: expected calibration error {before:.3f}, calibrated {after:.3f}"


def grid_lines(grid: Grid) -> Iterator[str]:
    """The grid around its best pair as a table, in per cent of the words."""
    best = grid.best()
    rows = _around(grid.lm_weights, best[0])
    columns = _around(grid.word_bonuses, best[1])
    yield "WER in % of n-best lists ranked anew; down: weight of the language model, across: bonus"
    yield " " * 6 + "".join(f"{grid.word_bonuses[column]:>8.2f}" for column in columns)
    for row in rows:
        cells = [f"{100 * grid.errors[row, one] / max(1, grid.words):.2f}" for one in columns]
        here = (float(grid.lm_weights[row]), [float(grid.word_bonuses[one]) for one in columns])
        marked = [
            f"[{cell}]" if (here[0], bonus) == best else f"{cell} "
            for cell, bonus in zip(cells, here[1], strict=True)
        ]
        yield f"{here[0]:>6.2f}" + "".join(f"{cell:>8}" for cell in marked)


def _around(values: np.ndarray, best: float) -> list[int]:
    """Places of the best value and of its neighbours."""
    place = int(np.abs(values - best).argmin())
    near = range(place - _AROUND * _STRIDE, place + _AROUND * _STRIDE + 1, _STRIDE)
    return [one for one in near if 0 <= one < len(values)]


def _gains(greedy: float, weights: Tuned) -> str:
    """How much of what is gained comes from where, in points of the word error rate."""
    alone, before, plain, after = (
        one.rate for one in (weights.alone, weights.before, weights.plain, weights.after)
    )
    penalty = f", a higher blank penalty {100 * (plain - after):.2f}" if after != plain else ""
    return (
        f"of {100 * (greedy - after):.2f} points less than greedy, "
        f"the search without language model brings {100 * (greedy - alone):.2f}, "
        f"the language model {100 * (alone - before):.2f}, "
        f"tuning its weights {100 * (before - plain):.2f}{penalty}"
    )


def _weights(weights: Tuned) -> str:
    """Those that were chosen; of what the search has no use for there is one alone."""
    words = []
    if len(weights.grid.lm_weights) > 1:
        words.append(f"weight of the language model {weights.settings.lm_weight:g}")
    if len(weights.grid.word_bonuses) > 1:
        words.append(f"bonus {weights.settings.word_bonus:g} a word")
    if weights.settings.blank_penalty:
        words.append(f"blank penalty {weights.settings.blank_penalty:g}")
    return ", ".join(words)


def _rescoring(settings: RescoringSettings) -> str:
    models = f"weight of the language model {settings.lm_weight:g}"
    if settings.rnn_weight:
        models += f", of the recurrent one {settings.rnn_weight:g}"
    return (
        f"the best {settings.nbest} of each search are ranked again, by all paths of each: "
        f"{models}, bonus {settings.word_bonus:g} a word"
    )


def _outside(penalty: float | None) -> str:
    if penalty is None:
        return "words outside the lexicon: none are written, since each penalty adds errors"
    return f"words outside the lexicon: where they are {penalty:g} nats more probable"
