"""Modified Kneser-Ney by its definition: sets and sums over plain tuples, slow and readable."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache

Sentence = Sequence[str]


def draw_sentences(count: int, *, seed: int, words: str = "abcdef", longest: int = 8) -> list[str]:
    """Sentences whose words follow each other with very different frequencies."""
    chance = random.Random(seed)
    sentences = []
    for _ in range(count):
        sentence = [chance.choice(words)]
        while len(sentence) < chance.randint(1, longest):
            near = words[words.index(sentence[-1]) :] + words
            sentence.append(near[min(int(chance.expovariate(0.8)), len(near) - 1)])
        sentences.append(" ".join(sentence))
    return sentences


class KneserNey:
    """Chen & Goodman 1999, equations 23 to 26, of all orders at once."""

    def __init__(self, sentences: Sequence[str], order: int, cutoffs: Sequence[int] = ()) -> None:
        self.order = order
        self.cutoffs = [*cutoffs, *[[0, *cutoffs][-1]] * order]
        split = [["<s>", *sentence.split(), "</s>"] for sentence in sentences]
        self.raw = Counter(
            tuple(words[start : start + length])
            for words in split
            for length in range(1, order + 1)
            for start in range(len(words) - length + 1)
        )
        self.vocabulary = sorted({gram[0] for gram in self.raw if len(gram) == 1} | {"<unk>"})
        self.said = [word for word in self.vocabulary if word != "<s>"]
        self.counts = {gram: self._adjusted(gram) for gram in self.raw}
        self.discounts = [self._discounts(length) for length in range(1, order + 1)]

    def _adjusted(self, gram: tuple[str, ...]) -> int:
        if gram == ("<s>",):
            return 0
        if len(gram) == self.order or gram[0] == "<s>":
            return self.raw[gram]
        return sum(1 for longer in self.raw if longer[1:] == gram)

    def _discounts(self, length: int) -> list[float]:
        times = Counter(count for gram, count in self.counts.items() if len(gram) == length)
        if any(times[k] == 0 for k in (1, 2, 3)):
            return [0.0, 0.5, 1.0, 1.5]
        share = times[1] / (times[1] + 2 * times[2])
        found = [k - (k + 1) * share * times[k + 1] / times[k] for k in (1, 2, 3)]
        if any(not 0 <= discount <= k for k, discount in enumerate(found, start=1)):
            return [0.0, 0.5, 1.0, 1.5]
        return [0.0, *found]

    def _taken(self, gram: tuple[str, ...]) -> float:
        count = self.counts[gram]
        if self.raw[gram] <= self.cutoffs[len(gram) - 1] and len(gram) > 1:
            return count
        return self.discounts[len(gram) - 1][min(count, 3)]

    def prob(self, word: str, context: Sequence[str]) -> float:
        """p(word | context)."""
        return self._prob(word, tuple(context)[-(self.order - 1) :] if self.order > 1 else ())

    @cache  # noqa: B019
    def _prob(self, word: str, context: tuple[str, ...]) -> float:
        shorter = self._prob(word, context[1:]) if context else 1 / len(self.said)
        followers = [gram for gram in self.counts if gram[:-1] == context and gram != ("<s>",)]
        total = sum(self.counts[gram] for gram in followers)
        if total == 0:
            return shorter
        gram = (*context, word)
        own = self.counts[gram] - self._taken(gram) if gram in self.counts else 0
        return (own + sum(self._taken(one) for one in followers) * shorter) / total
