"""Entropy pruning: leave out the n-grams that a model misses least (Stolcke 1998)."""

import numpy as np
from numpy.typing import NDArray

from asr.lm.model import NgramModel, Reals, with_backoffs

_LEAST = 1e-12


def prune(model: NgramModel, *, keep: int, histories: list[Reals] | None = None) -> NgramModel:
    """Keep the most useful n-grams, those of order 1 aside, which all stay.

    What an n-gram is worth is how much the relative entropy between the model and the model without
    it would be, were only this one left out; and at least what the longer n-grams that begin with
    it are worth, since they need it.

    Args:
        model: its probabilities after every context add up to 1.
        keep: how many n-grams of order 2 and more.
        histories: log-probability (M,) of the n-grams of each order as a context. None takes the
            model's own, which a model smoothed by Kneser-Ney has wrong: in its lower orders a word
            is as probable as the number of different words that it follows (Chelba et al. 2010).
    """
    if len(model) - len(model.ngrams[0]) <= keep:
        return model
    histories = histories or _histories(model)
    worths: list[Reals] = []
    for order in range(model.order, 1, -1):
        worth = _relative_entropies(model, order, histories[order - 2])
        if worths:
            np.maximum.at(worth, model.ngrams[order].prefix, worths[0])
        worths.insert(0, worth)
    everything = np.concatenate(worths)
    least = np.partition(everything, len(everything) - keep - 1)[len(everything) - keep - 1]
    masks: list[NDArray[np.bool_]] = [np.ones(len(model.ngrams[0]), dtype=np.bool_)]
    masks += [worth > least for worth in worths]
    kept = model.keep(masks)
    return with_backoffs(kept.words, kept.ngrams, kept.log_probs)


def _histories(model: NgramModel) -> list[Reals]:
    """Log-probability (M,) of the n-grams of each order, by the chain rule; <s> is certain."""
    found = [np.where(np.isneginf(model.log_probs[0]), 0.0, model.log_probs[0])]
    for ngrams, log_probs in zip(model.ngrams[1:], model.log_probs[1:], strict=True):
        found.append(found[-1][ngrams.prefix] + log_probs)
    return found


def _relative_entropies(model: NgramModel, order: int, histories: Reals) -> Reals:
    """How far (M,) the model would be from what it is without an n-gram (ibid., equation 5).

    Args:
        model: all of it.
        order: of the n-grams.
        histories: log-probabilities of the n-grams of order-1, which are their contexts.
    """
    ngrams = model.ngrams[order - 1]
    prefix, contexts = ngrams.prefix, len(histories)
    log_prob = model.log_probs[order - 1]
    log_lower = model.log_prob(model.columns(order)[1:])
    prob, lower = np.exp(log_prob), np.exp(log_lower)
    left = np.maximum(1 - np.bincount(prefix, prob, contexts), _LEAST)[prefix]
    below = np.maximum(1 - np.bincount(prefix, lower, contexts), _LEAST)[prefix]
    backoff = model.backoffs[order - 2][prefix]
    without = np.log(left + prob) - np.log(below + lower)
    here = prob * (log_prob - log_lower - without)  # of the word itself
    others = left * (backoff - without)  # of all words that the context has no n-gram for
    worth: Reals = np.exp(histories[prefix]) * (here + others)
    return worth
