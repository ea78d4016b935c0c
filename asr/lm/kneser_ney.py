"""Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999, section 4.1.6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.lm.counts import BEGIN, Counted, Counts, adjusted_counts
from asr.lm.model import NgramModel, Reals

FALLBACK = (0.5, 1.0, 1.5)  # discounts, where the text allows no estimate; KenLM's, too
_LEAST = 1e-30  # a backoff weight that is nothing


@dataclass(frozen=True)
class Discounts:
    """What is taken away from n-grams of one order that are counted once, twice, and more often."""

    once: float
    twice: float
    more: float
    fallback: bool = False  # whether the text was too small, or too odd, to estimate them from

    def of(self, counts: Counts) -> Reals:
        """Discount (M,) of each count (M,)."""
        table = np.array([0.0, self.once, self.twice, self.more])
        return table[np.minimum(counts, 3)]


def estimate_discounts(counts: Counts) -> Discounts:
    """Estimate the discounts of one order from its (adjusted) counts (ibid., equation 26).

    With t_k the number of n-grams that are counted k times and Y = t_1 / (t_1 + 2 t_2), the
    discount of a count k is k - (k + 1) Y t_{k+1} / t_k. Where no n-gram is counted once, twice or
    three times, or a discount is not from 0 to k, there is a fallback, as in KenLM.
    """
    times = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if min(times[:3]) == 0:
        return Discounts(*FALLBACK, fallback=True)
    share = times[0] / (times[0] + 2 * times[1])
    found = [k - (k + 1) * share * times[k] / times[k - 1] for k in (1, 2, 3)]
    if any(not 0 <= discount <= k for k, discount in enumerate(found, start=1)):
        return Discounts(*FALLBACK, fallback=True)
    return Discounts(*found)


@dataclass(frozen=True)
class Estimate:
    """A model, and what else its text says of it."""

    model: NgramModel
    discounts: list[Discounts]  # by order
    histories: list[Reals]  # (M,) by order, log of the share of places where an n-gram occurs


def estimate(
    counted: list[Counted],
    words: list[str],
    *,
    cutoffs: Sequence[int] = (),
    progress: Callable[[int], object] = lambda _: None,
) -> Estimate:
    """Estimate a model from the counts of a text.

    Args:
        counted: the n-grams by order.
        words: the vocabulary by number.
        cutoffs: by order, how often an n-gram may occur and still be left out; the last is that of
            all orders beyond, too. Must not fall from an order to the next, and be 0 for order 1.
        progress: is told 1 after each order.
    """
    discounts = []
    log_probs: list[Reals] = []
    backoffs: list[Reals] = []
    kept: list[NDArray[np.bool_]] = []
    lower = np.full(len(words), 1 / (len(words) - 1))  # of all that can be said, which <s> is not
    for this, adjusted in zip(counted, adjusted_counts(counted), strict=True):
        cutoff = [0, *cutoffs][min(len(kept) + 1, len(cutoffs))]
        keep = this.counts > cutoff if cutoff else np.ones(len(adjusted), dtype=np.bool_)
        discounts.append(estimate_discounts(adjusted))
        # What is left out gives all of its count to the backoff, the others their discount.
        taken = np.where(keep, discounts[-1].of(adjusted), adjusted)
        contexts = len(log_probs[-1]) if log_probs else 1
        prefix = this.ngrams.prefix
        total = np.bincount(prefix, weights=adjusted, minlength=contexts)
        given = np.bincount(prefix, weights=taken, minlength=contexts)
        weight = np.divide(given, total, out=np.ones(contexts), where=total > 0)
        probs = (adjusted - taken) / total[prefix] + weight[prefix] * lower[this.suffix]
        if not kept:
            probs = (adjusted - taken) / total[0] + weight[0] * lower
            probs[BEGIN] = 0.0
        else:
            backoffs.append(np.log(np.maximum(weight, _LEAST)))
        with np.errstate(divide="ignore"):
            log_probs.append(np.log(probs))
        lower = probs
        kept.append(keep)
        progress(1)
    whole = NgramModel(words, [this.ngrams for this in counted], log_probs, backoffs)
    with np.errstate(divide="ignore"):
        places = counted[0].counts.sum()
        histories = [
            np.log(one.counts[keep] / places) for one, keep in zip(counted, kept, strict=True)
        ]
    return Estimate(whole.keep(kept) if any(cutoffs) else whole, discounts, histories)
