"""Confidence: how often words that a model is so sure of are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded where they are used

from asr.errors import DataError
from asr.settings import Settings

_BINS = 10
_LEAST = 1e-6


class Calibration(Settings):
    """Turns the log-probability of a word into the chance that it is right.

    A logistic curve over its log-odds (Platt 1999); slope 1 and offset 0 leave it as it is.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, log_prob: float) -> float:
        """Log-probability -> confidence between 0 and 1."""
        return float(_sigmoid(self.slope * _log_odds(np.array([log_prob])) + self.offset)[0])


@dataclass(frozen=True)
class Judged:
    """A word of a development set, and whether it was right."""

    log_prob: float
    right: bool


def fit_calibration(words: Sequence[Judged]) -> Calibration:
    """Find the curve that makes what is known of the words most probable.

    There is a weak pull towards slope 1 and offset 0, so that a set where all words are right has
    an answer, too.

    Raises:
        DataError: there are no words.
    """
    if not words:
        raise DataError("no words to learn from how often the model is right")
    inputs = np.stack([_log_odds(np.array([one.log_prob for one in words])), np.ones(len(words))])
    right = np.array([one.right for one in words], dtype=float)
    prior = np.array([1.0, 0.0])

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds, away = weights @ inputs, weights - prior
        loss = np.logaddexp(0, odds).sum() - right @ odds + away @ away / 2
        return float(loss), inputs @ (_sigmoid(odds) - right) + away

    bounds = [(0.0, None), (None, None)]  # what is less probable must not be surer
    found = scipy.optimize.minimize(
        objective, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12}
    )
    return Calibration(slope=float(found.x[0]), offset=float(found.x[1]))


def expected_calibration_error(words: Sequence[Judged], calibration: Calibration) -> float:
    """How far confidences are from how often words are right (Naeini et al. 2015).

    The mean over ten bins of equal width, weighted by the words in them, of the difference between
    the mean confidence and the share of words that are right.
    """
    confidence = np.array([calibration(one.log_prob) for one in words])
    right = np.array([one.right for one in words], dtype=float)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(confidence[bins == one].mean() - right[bins == one].mean()) * (bins == one).sum()
        for one in range(_BINS)
        if (bins == one).any()
    ]
    return float(sum(gaps) / max(1, len(words)))


def _log_odds(log_probs: np.ndarray) -> np.ndarray:
    prob = np.exp(log_probs).clip(_LEAST, 1 - _LEAST)
    odds: np.ndarray = np.log(prob) - np.log1p(-prob)
    return odds


def _sigmoid(values: np.ndarray) -> np.ndarray:
    halves: np.ndarray = 0.5 * (1 + np.tanh(values / 2))  # never overflows
    return halves
