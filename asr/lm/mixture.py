"""Mixtures: two models as one, which is between them in all that it says."""

import numpy as np

from asr.errors import DataError
from asr.lm.counts import Ngrams, Numbers
from asr.lm.model import NgramModel, Reals, with_backoffs

_STEPS = 100
_CLOSE = 1e-6


def tune_weight(first: Reals, second: Reals) -> float:
    """The weight of the first of two models that makes a text most probable.

    By expectation maximisation (Jelinek & Mercer 1980). Words that neither model has a probability
    for say nothing of the weight.

    Args:
        first: (N,) log-probabilities of the words by one model.
        second: (N,) by the other.

    Raises:
        DataError: there is no word.
    """
    told = np.isfinite(first) | np.isfinite(second)
    first, second = first[told], second[told]
    if len(first) == 0:
        raise DataError(
            "the text to tune the mixture's weight on has no words; expected sentences, one a line"
        )
    weight = 0.5
    for _ in range(_STEPS):
        mine = np.log(weight) + first
        other = np.log1p(-weight) + second
        before, weight = weight, float(np.exp(mine - np.logaddexp(mine, other)).mean())
        weight = min(max(weight, _CLOSE), 1 - _CLOSE)
        if abs(weight - before) < _CLOSE:
            break
    return weight


def mix(first: NgramModel, second: NgramModel, weight: float) -> NgramModel:
    """Interpolate two models: p = weight p_first + (1 - weight) p_second.

    It has the n-grams and words of both. A word that a model does not know has no probability
    there; what a model gives to unknown words goes to <unk>.
    """
    words = list(dict.fromkeys([*first.words, *second.words]))
    place = {word: number for number, word in enumerate(words)}
    ngrams: list[Ngrams] = []
    log_probs: list[Reals] = []
    for order in range(1, max(first.order, second.order) + 1):
        columns = _union([_renumbered(one, order, place) for one in (first, second)])
        number = np.zeros(len(columns[0]), dtype=np.int64)
        for shorter, column in zip([*ngrams, None], columns, strict=True):
            prefix = number
            number = number * len(words) + column
            if shorter is not None:
                number = np.searchsorted(shorter.keys(len(words)), number)
        sorting = np.argsort(number)
        columns = [column[sorting] for column in columns]
        ngrams.append(Ngrams(prefix[sorting].astype(np.int32), columns[-1]))
        with np.errstate(divide="ignore"):  # a weight of 0 is one, too
            mine = np.log(weight) + _log_prob(first, columns, words)
            other = np.log1p(-weight) + _log_prob(second, columns, words)
        log_probs.append(np.logaddexp(mine, other))
    return with_backoffs(words, ngrams, log_probs)


def _renumbered(model: NgramModel, order: int, place: dict[str, int]) -> list[Numbers]:
    if order > model.order:
        return [np.zeros(0, dtype=np.int32)] * order
    table = np.array([place[word] for word in model.words], dtype=np.int32)
    return [table[column] for column in model.columns(order)]


def _union(both: list[list[Numbers]]) -> list[Numbers]:
    rows = np.unique(np.concatenate([np.stack(columns, axis=1) for columns in both]), axis=0)
    return [np.ascontiguousarray(column) for column in rows.T]


def _log_prob(model: NgramModel, columns: list[Numbers], words: list[str]) -> Reals:
    """Log-probability (M,) of the last word after the others, -inf where it is not known."""
    own = {word: number for number, word in enumerate(model.words)}
    table = np.array([own.get(word, -1) for word in words], dtype=np.int32)
    mine = [table[column] for column in columns[-model.order :]]
    known = mine[-1] >= 0
    # A context of words that the model does not know is as good as <unk>.
    scores = model.log_prob([np.maximum(column, 0) for column in mine])
    return np.where(known, scores, -np.inf)
