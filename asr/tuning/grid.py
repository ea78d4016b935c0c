"""A grid of weights: word errors of n-best lists ranked under each pair of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.scoring.error_rate import ErrorCounts


@dataclass(frozen=True)
class Candidate:
    """One reading of an utterance, and what speaks for it."""

    text: str
    counts: ErrorCounts  # of words, against the reference
    acoustic: float  # log p(text | sound), nats
    language: float  # log p(text), nats
    words: int
    neural: float = 0.0  # log p(text) by a recurrent language model, nats


@dataclass(frozen=True)
class Grid:
    """Word errors of a development set for every pair of weights."""

    lm_weights: NDArray[np.float64]  # (I,)
    word_bonuses: NDArray[np.float64]  # (J,)
    errors: NDArray[np.int64]  # (I, J)
    words: int  # of the references

    def best(self) -> tuple[float, float]:
        """The weight and the bonus with the fewest errors.

        Of several the one in the middle of them: neighbours of a lucky pair are no good advice.
        """
        places = np.argwhere(self.errors == self.errors.min())
        middle = places.mean(axis=0)
        row, column = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
        return float(self.lm_weights[row]), float(self.word_bonuses[column])

    def best_bonus(self, lm_weight: float) -> float:
        """The bonus with the fewest errors at one weight, or the nearest to it that was tried.

        Of several the one in the middle of them.
        """
        row = self.errors[np.abs(self.lm_weights - lm_weight).argmin()]
        places = np.flatnonzero(row == row.min())
        middle = np.abs(places - places.mean()).argmin()
        return float(self.word_bonuses[places[middle]])


def search_grid(
    lists: Sequence[Sequence[Candidate]],
    lm_weights: Sequence[float],
    word_bonuses: Sequence[float],
    *,
    words: int,
) -> Grid:
    """Rank n-best lists under every pair of weights, and count the errors of the first ones.

    Args:
        lists: of each utterance the candidates, at least one.
        lm_weights: to try, I of them.
        word_bonuses: to try, J of them.
        words: in all references.
    """
    weights, bonuses = np.array(lm_weights), np.array(word_bonuses)
    errors = np.zeros((len(weights), len(bonuses)), dtype=np.int64)
    for candidates in lists:
        acoustic, language, count = np.array(
            [(one.acoustic, one.language, one.words) for one in candidates]
        ).T
        scores = acoustic + weights[:, None, None] * language + bonuses[None, :, None] * count
        wrong = np.array([one.counts.errors for one in candidates])
        errors += wrong[scores.argmax(axis=2)]
    return Grid(weights, bonuses, errors, words)
