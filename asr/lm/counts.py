"""Counting n-grams: every sequence of up to N words of a text, as sorted arrays.

An n-gram is numbered within its order, by the number of the n-gram of order n-1 that it begins
with and by its last word: two integers that fit into one key, whatever the order, so that sorting
keys counts n-grams. The number of an n-gram of order 1 is that of its word.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN, BEGIN, END = 0, 1, 2  # words of every vocabulary: <unk>, <s>, </s>

Numbers = NDArray[np.int32]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one order n, sorted by (prefix, word); M of them."""

    prefix: Numbers  # (M,) the first n-1 words, numbered as n-grams of order n-1
    word: Numbers  # (M,) the last word

    def __len__(self) -> int:
        """Number of n-grams M."""
        return len(self.word)

    def keys(self, vocabulary: int) -> Counts:
        """(M,) ascending keys of the n-grams."""
        return self.prefix.astype(np.int64) * vocabulary + self.word


@dataclass(frozen=True)
class Counted:
    """The n-grams of one order that a text has."""

    ngrams: Ngrams
    counts: Counts  # (M,) how often each occurs
    suffix: Numbers  # (M,) the last n-1 words, numbered as n-grams of order n-1
    begins: NDArray[np.bool_]  # (M,) whether <s> is the first word


def count_ngrams(
    text: Numbers,
    order: int,
    *,
    vocabulary: int,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Counted]:
    """Count the n-grams of orders 1 to `order`, which are the items of the answer.

    Args:
        text: (N,) word numbers, sentence after sentence, each from BEGIN to END.
        order: the longest n-grams wanted.
        vocabulary: number of words V; all of them are n-grams of order 1, counted or not.
        progress: is told 1 after each order.
    """
    words = np.arange(vocabulary, dtype=np.int32)
    nothing = np.zeros(vocabulary, dtype=np.int32)
    counts = np.bincount(text, minlength=vocabulary)
    found = [Counted(Ngrams(nothing, words), counts, nothing, words == BEGIN)]
    progress(1)
    numbers = text  # of the n-gram of the last order that starts at each place
    places = np.arange(len(text))  # where n-grams of the last order start
    for length in range(2, order + 1):
        inside = places + length - 1 < len(text)
        places = places[inside]
        places = places[text[places + length - 1] != BEGIN]  # none reaches into the next sentence
        keys = numbers[places].astype(np.int64) * vocabulary + text[places + length - 1]
        by_key = np.argsort(keys)
        sorted_keys = keys[by_key]
        del keys
        first = np.flatnonzero(np.diff(sorted_keys, prepend=-1))
        counts = np.diff(first, append=len(sorted_keys))
        prefix = (sorted_keys[first] // vocabulary).astype(np.int32)
        word = (sorted_keys[first] % vocabulary).astype(np.int32)
        del sorted_keys
        suffix = numbers[places[by_key[first]] + 1]
        begins = found[-1].begins[prefix]
        found.append(Counted(Ngrams(prefix, word), counts, suffix, begins))
        if length < order:
            ranks = np.repeat(np.arange(len(first), dtype=np.int32), counts)
            numbers = np.full(len(text), -1, dtype=np.int32)
            numbers[places[by_key]] = ranks
        progress(1)
    return found


def adjusted_counts(counted: list[Counted]) -> list[Counts]:
    """Counts that Kneser-Ney smoothing estimates from (Chen & Goodman 1999, section 4.1.6).

    Of the highest order, how often an n-gram occurs; of lower orders, how many different words it
    follows. Nothing stands before <s>, so that n-grams which begin with it keep their own counts;
    <s> itself is never predicted and counts for nothing.
    """
    adjusted: list[Counts] = []
    for this, above in zip(counted, [*counted[1:], None], strict=True):
        if above is None:
            mine = this.counts.copy()
        else:
            followed = np.bincount(above.suffix, minlength=len(this.counts))
            mine = np.where(this.begins, this.counts, followed)
        if not adjusted:
            mine[BEGIN] = 0
        adjusted.append(mine)
    return adjusted
