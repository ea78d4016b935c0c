"""The weights of two language models together, found on n-best lists."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr.decoding.rescoring import RescoringSettings
from asr.rnnlm.model import RecurrentLM
from asr.scoring.error_rate import ErrorCounts, sum_counts
from asr.tuning.grid import Candidate

_WEIGHTS = np.arange(21) / 10
_BONUSES = np.arange(-4, 17) / 4


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
    lists: Sequence[Sequence[Candidate]], *, nbest: int
) -> tuple[RescoringSettings, ErrorCounts]:
    """Find the weights with the fewest word errors; and these errors.

    Args:
        lists: of each utterance the candidates, scored by both models.
        nbest: how many hypotheses will be ranked again.
    """
    weights, bonuses = _WEIGHTS, _BONUSES
    errors = np.zeros((len(weights), len(weights), len(bonuses)), dtype=np.int64)
    for candidates in lists:
        acoustic, language, neural, count = np.array(
            [(one.acoustic, one.language, one.neural, one.words) for one in candidates]
        ).T
        wrong = np.array([one.counts.errors for one in candidates])
        for place, bonus in enumerate(bonuses):
            scores = (
                acoustic
                + bonus * count
                + weights[:, None, None] * language
                + weights[None, :, None] * neural
            )
            errors[:, :, place] += wrong[scores.argmax(axis=2)]
    places = np.argwhere(errors == errors.min())
    middle = places.mean(axis=0)
    one, other, bonus = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
    settings = RescoringSettings(
        nbest=nbest,
        lm_weight=float(weights[one]),
        rnn_weight=float(weights[other]),
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
