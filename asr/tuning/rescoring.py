"""Whether and how to rank again what a search has found, judged by n-best lists."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr.decoding.rescoring import RescoringSettings
from asr.rnnlm.model import RecurrentLM
from asr.scoring.error_rate import ErrorCounts, sum_counts
from asr.tuning.beams import as_good
from asr.tuning.grid import Candidate

_WEIGHTS = np.arange(21) / 10
_BONUSES = np.arange(-4, 17) / 4
_SHORTER = (10, 30)  # lists that are tried beside the whole ones


def with_neural(lists: Sequence[Sequence[Candidate]], model: RecurrentLM) -> list[list[Candidate]]:
    """The same candidates, scored by a recurrent language model."""
    return [
        [
            replace(one, neural=score)
            for one, score in zip(
                candidates, model.log_probs([one.text for one in candidates]), strict=True
            )
        ]
        for candidates in lists
    ]


def tune_rescoring(
    lists: Sequence[Sequence[Candidate]], *, neural: bool
) -> tuple[RescoringSettings, ErrorCounts]:
    """Find the weights with the fewest word errors; and these errors.

    Args:
        lists: of each utterance the candidates of a search, in its order.
        neural: whether a recurrent model has scored them, too.

    Returns:
        Also how long the lists must be: the shortest that are about as good as the whole ones.
    """
    longest = max(map(len, lists))
    lengths = [*(one for one in _SHORTER if one < longest), longest]
    found = [_tune([one[:nbest] for one in lists], nbest, neural=neural) for nbest in lengths]
    fewest = min((counts for _, counts in found), key=lambda counts: counts.errors)
    return next(one for one in found if as_good(one[1], fewest))


def _tune(
    lists: Sequence[Sequence[Candidate]], nbest: int, *, neural: bool
) -> tuple[RescoringSettings, ErrorCounts]:
    weights, bonuses = _WEIGHTS, _BONUSES
    seconds = weights if neural else np.zeros(1)
    errors = np.zeros((len(weights), len(seconds), len(bonuses)), dtype=np.int64)
    for candidates in lists:
        acoustic, language, second, count = np.array(
            [(one.acoustic, one.language, one.neural, one.words) for one in candidates]
        ).T
        wrong = np.array([one.counts.errors for one in candidates])
        for place, bonus in enumerate(bonuses):
            scores = (
                acoustic
                + bonus * count
                + weights[:, None, None] * language
                + seconds[None, :, None] * second
            )
            errors[:, :, place] += wrong[scores.argmax(axis=2)]
    places = np.argwhere(errors == errors.min())
    middle = places.mean(axis=0)
    one, other, bonus = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
    settings = RescoringSettings(
        nbest=nbest,
        lm_weight=float(weights[one]),
        rnn_weight=float(seconds[other]),
        word_bonus=float(bonuses[bonus]),
    )
    return settings, sum_counts(_first(candidates, settings).counts for candidates in lists)


def _first(candidates: Sequence[Candidate], settings: RescoringSettings) -> Candidate:
    return max(
        candidates,
        key=lambda one: (
            one.acoustic
            + settings.lm_weight * one.language
            + settings.rnn_weight * one.neural
            + settings.word_bonus * one.words
        ),
    )
