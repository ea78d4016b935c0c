"""A backoff n-gram model: what each word is worth after the words before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.lm.counts import BEGIN, Ngrams, Numbers

Reals = NDArray[np.float64]

_ROUNDING = 1e-9
_LEAST = 1e-30  # a backoff weight that is nothing


@dataclass(frozen=True)
class NgramModel:
    """A vocabulary and n-grams of orders 1 to N with their log-probabilities.

    p(w | h) is that of the n-gram h w where there is one, and otherwise the backoff weight of h
    times p(w | h without its first word) (Katz 1987).
    """

    words: list[str]  # (V,) by number; <unk>, <s> and </s> are the first
    ngrams: list[Ngrams]  # by order, from 1
    log_probs: list[Reals]  # (M,) of each order, natural logarithms; of <s> it is -inf
    backoffs: list[Reals]  # (M,) of each order but the highest, natural logarithms

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return len(self.ngrams)

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(len(one) for one in self.ngrams)

    def score(self, text: Numbers) -> Reals:
        """Log-probability of each word after up to N-1 words before it.

        Args:
            text: (N,) word numbers, sentence after sentence, each from BEGIN to END.

        Returns:
            (N,) natural logarithms; 0 for BEGIN, which is given and not predicted.
        """
        place = np.arange(len(text))
        inside = place - np.maximum.accumulate(np.where(text == BEGIN, place, 0))  # its sentence
        number = text.astype(np.int64)  # of the n-gram of the last order that ends here, or -1
        scores = self.log_probs[0][text].copy()
        for order in range(2, self.order + 1):
            context = np.where(inside >= order - 1, np.roll(number, 1), -1)
            number = self.find(order, context, text)
            self._lengthen(scores, order, context, number)
        scores[text == BEGIN] = 0.0
        return scores

    def log_prob(self, columns: Sequence[Numbers]) -> Reals:
        """Log-probability (M,) of the last of up to N words after the others, each (M,)."""
        scores = self.log_probs[0][columns[-1]].copy()
        for order in range(2, len(columns) + 1):
            context = columns[-order].astype(np.int64)
            for length, word in enumerate(columns[1 - order : -1], start=2):
                context = self.find(length, context, word)
            self._lengthen(scores, order, context, self.find(order, context, columns[-1]))
        return scores

    def _lengthen(
        self, scores: Reals, order: int, context: NDArray[np.int64], number: NDArray[np.int64]
    ) -> None:
        """Make scores with a shorter context those with one of order-1 words, in place."""
        there, known = number >= 0, context >= 0
        scores[known] += self.backoffs[order - 2][context[known]]
        scores[there] = self.log_probs[order - 1][number[there]]

    def find(self, order: int, prefix: NDArray[np.int64], word: Numbers) -> NDArray[np.int64]:
        """Numbers (M,) of n-grams by prefix and last word; -1 where there is none such.

        A prefix of -1 has no n-gram.
        """
        keys = self.ngrams[order - 1].keys(len(self.words))
        if len(keys) == 0:
            return np.full(len(word), -1)
        wanted = prefix * len(self.words) + word
        found = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where((prefix >= 0) & (keys[found] == wanted), found, -1)

    def columns(self, order: int) -> list[Numbers]:
        """The words (M,) of the n-grams of an order, first to last."""
        columns: list[Numbers] = []
        number: NDArray[np.int32] | slice = slice(None)
        for ngrams in reversed(self.ngrams[:order]):
            columns.insert(0, ngrams.word[number])
            number = ngrams.prefix[number]
        return columns

    def keep(self, kept: Sequence[NDArray[np.bool_]]) -> "NgramModel":
        """The same model without some n-grams, by order (M,); its weights are left as they are.

        The prefix of whatever is kept must be kept, too; all of order 1 are.
        """
        ngrams, log_probs, backoffs = [], [], []
        renumbered = np.zeros(1, dtype=np.int32)
        for order, (mask, old) in enumerate(zip(kept, self.ngrams, strict=True)):
            prefix = renumbered[old.prefix[mask]] if order else old.prefix[mask]
            ngrams.append(Ngrams(prefix, old.word[mask]))
            log_probs.append(self.log_probs[order][mask])
            if order < self.order - 1:
                backoffs.append(self.backoffs[order][mask])
            renumbered = np.cumsum(mask, dtype=np.int32) - 1
        while len(ngrams) > 1 and len(ngrams[-1]) == 0:  # an order that nothing is left of
            del ngrams[-1], log_probs[-1], backoffs[-1]
        return NgramModel(self.words, ngrams, log_probs, backoffs)


def with_backoffs(words: list[str], ngrams: list[Ngrams], log_probs: list[Reals]) -> NgramModel:
    """The model that has these n-grams with these log-probabilities, its backoffs such that the
    probabilities after every context add up to 1.

    The backoff weight of h is (1 - sum of p(w | h)) / (1 - sum of p(w | h')), where the sums are
    over the words that follow h among the n-grams, and h' is h without its first word.
    """
    backoffs: list[Reals] = []
    for order in range(2, len(ngrams) + 1):
        shorter = NgramModel(words, ngrams[: order - 1], log_probs[: order - 1], backoffs)
        this = NgramModel(words, ngrams[:order], log_probs[:order], [])
        lower = np.exp(shorter.log_prob(this.columns(order)[1:]))
        prefix, contexts = ngrams[order - 1].prefix, len(ngrams[order - 2])
        left = 1 - np.bincount(prefix, np.exp(log_probs[order - 1]), contexts)
        below = 1 - np.bincount(prefix, lower, contexts)
        # Where all words follow, nothing is left but rounding, and nobody will ask for it.
        usable = (left > _ROUNDING) & (below > _ROUNDING)
        backoffs.append(np.log(np.divide(left, below, out=np.full(contexts, _LEAST), where=usable)))
    return NgramModel(words, ngrams, log_probs, backoffs)
