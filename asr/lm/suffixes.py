"""Suffixes: a model in which the end of every n-gram is an n-gram, too."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.lm.counts import Ngrams, Numbers
from asr.lm.model import NgramModel, Reals


def with_suffixes(model: NgramModel) -> NgramModel:
    """The same model with n-grams for the ends that pruning has left without one.

    Where a b c is an n-gram and b c is none, b c becomes one, with the probability that it has by
    backing off and with a weight of 1: nothing that the model says is changed.
    """
    missing = _missing_suffixes(model)
    if all(len(columns[0]) == 0 for columns in missing):
        return model
    ngrams: list[Ngrams] = []
    log_probs: list[Reals] = []
    backoffs: list[Reals] = []
    moved: NDArray[np.int64] = np.zeros(1, dtype=np.int64)  # new numbers of the last order's
    for order, (old, columns) in enumerate(zip(model.ngrams, missing, strict=True), start=1):
        so_far = NgramModel(model.words, ngrams, log_probs, backoffs)
        prefix = np.concatenate([moved[old.prefix], _numbers(so_far, columns[:-1])])
        word = np.concatenate([old.word, columns[-1]])
        by = np.lexsort((word, prefix))
        moved = np.empty(len(by), dtype=np.int64)
        moved[by] = np.arange(len(by))
        ngrams.append(Ngrams(prefix[by].astype(np.int32), word[by]))
        new = model.log_prob(columns)
        log_probs.append(np.concatenate([model.log_probs[order - 1], new])[by])
        if order < model.order:
            weights = model.backoffs[order - 1]
            backoffs.append(np.concatenate([weights, np.zeros(len(new))])[by])
    return NgramModel(model.words, ngrams, log_probs, backoffs)


def _missing_suffixes(model: NgramModel) -> list[list[Numbers]]:
    """By order, the words (M,) of each place of the n-grams that have to be added."""
    nothing = np.zeros(0, dtype=np.int32)
    missing = [[nothing] * order for order in range(1, model.order + 1)]
    for order in range(model.order, 2, -1):
        both = zip(model.columns(order)[1:], missing[order - 1][1:], strict=True)
        columns = [np.concatenate(pair) for pair in both]
        there = _numbers(model, columns) >= 0
        rows = np.stack([column[~there] for column in columns], axis=1)
        # As bytes, whole rows at once: their order does not matter.
        _, first = np.unique(rows.view(np.dtype((np.void, 4 * (order - 1)))), return_index=True)
        missing[order - 2] = [np.ascontiguousarray(column) for column in rows[first].T]
    return missing


def _numbers(model: NgramModel, columns: Sequence[Numbers]) -> NDArray[np.int64]:
    """Numbers (M,) of the n-grams with these words, -1 where there is none; of no words, 0."""
    if not columns:
        return np.zeros(0, dtype=np.int64)
    number = columns[0].astype(np.int64)
    for order, column in enumerate(columns[1:], start=2):
        number = model.find(order, number, column)
    return number
