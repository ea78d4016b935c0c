"""Second thoughts: words that the search could not find, put where the sound asks for them.

A lexicon leaves out names and new words, and a language model does not expect them. So each word
of a hypothesis, and each pair and triple of neighbours, is compared with what else may have been
said in its frames: what the model spells there by ear, and the words that the user hopes for. All
else of the hypothesis stays as it is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from torch import Tensor

from asr.decoding.alignment import WordSpan, align_tokens, align_words
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import log_likelihoods
from asr.tokens import TokenTable

_LONGEST = 3  # words that one other may stand for
_WAYS = 8  # of saying a hotword, at most


@dataclass(frozen=True)
class Hotwords:
    """Words and phrases that are hoped for."""

    texts: tuple[str, ...]
    bonus: float = 8.0  # nats by which each may be less probable than what was found


@dataclass(frozen=True)
class _Reading:
    """What may have been said, and how."""

    text: str
    tokens: tuple[int, ...]
    worth: float = 0.0  # nats for it


class Reviser:
    """Revises the hypotheses of one token table."""

    def __init__(
        self,
        tokens: TokenTable,
        *,
        lexicon: Collection[str] | None = None,
        spelling_penalty: float | None = None,
        hotwords: Hotwords | None = None,
    ) -> None:
        """What may take the place of a word.

        Args:
            tokens: the table.
            lexicon: words that the search could find.
            spelling_penalty: nats by which a word outside the lexicon must be more probable; None:
                there are none such.
            hotwords: spelled with tokens there are.
        """
        self._tokens, self._lexicon = tokens, lexicon
        self._penalty = spelling_penalty
        self._hoped = list(_hoped(hotwords, tokens)) if hotwords else []

    def __call__(self, hypothesis: Hypothesis, log_probs: Tensor) -> Hypothesis:
        """Return the hypothesis with other words where they are more probable.

        Args:
            hypothesis: of the utterance.
            log_probs: (U, V), valid frames only.
        """
        words = align_words(log_probs, hypothesis, self._tokens)
        gains = [
            (gain, first, count, other)
            for count in range(1, min(_LONGEST, len(words)) + 1)
            for first in range(len(words) - count + 1)
            for gain, other in self._alternatives(words, first, count, log_probs)
            if gain > 0
        ]
        said: list[_Reading | None] = [_Reading(word.text, word.tokens) for word in words]
        taken = [False] * len(words)
        for _, first, count, other in sorted(gains, key=lambda one: -one[0]):
            place = slice(first, first + count)
            if not any(taken[place]):
                said[place] = [other, *[None] * (count - 1)]
                taken[place] = [True] * count
        if not any(taken):
            return hypothesis
        kept = [one for one in said if one]
        ids = _joined([one.tokens for one in kept], self._tokens.space)
        frames = tuple(span.start for span in align_tokens(log_probs, ids))
        return Hypothesis(" ".join(one.text for one in kept), ids, frames, hypothesis.score)

    def _alternatives(
        self, words: Sequence[WordSpan], first: int, count: int, log_probs: Tensor
    ) -> list[tuple[float, _Reading]]:
        """What else may have been said there, with how much more it is worth."""
        last = first + count - 1
        start = words[first - 1].end if first else 0
        end = words[last + 1].start if last + 1 < len(words) else len(log_probs)
        rows = log_probs[start:end]
        here = " ".join(word.text for word in words[first : last + 1])
        found = _joined([word.tokens for word in words[first : last + 1]], self._tokens.space)
        others = [one for one in self._hoped if one.text != here]
        if count == 1 and self._penalty is not None and self._lexicon is not None:
            spelled = greedy_decode(rows, self._tokens).text
            known = {here, *(one.text for one in others)}
            if (
                spelled
                and " " not in spelled
                and not (spelled in self._lexicon or spelled in known)
            ):
                ids = tuple(self._tokens.encode(spelled))
                others.append(_Reading(spelled, ids, -self._penalty))
        if not others:
            return []
        space = [] if self._tokens.space is None else [self._tokens.space]
        before, after = space if first else [], space if last + 1 < len(words) else []
        scores = log_likelihoods(
            rows, [[*before, *ids, *after] for ids in (found, *(one.tokens for one in others))]
        )
        gains = zip(scores[1:], others, strict=True)
        return [(score + one.worth - scores[0], one) for score, one in gains]


def _hoped(hotwords: Hotwords, tokens: TokenTable) -> Iterator[_Reading]:
    """Each hotword in each way of saying it."""
    for text in hotwords.texts:
        ways = product(*(tokens.spellings(word) for word in text.split()))
        for words in islice(ways, _WAYS):
            yield _Reading(text, _joined(words, tokens.space), hotwords.bonus)


def _joined(words: Sequence[Sequence[int]], space: int | None) -> tuple[int, ...]:
    """Words in tokens -> a text in tokens."""
    ids = list(words[0])
    for word in words[1:]:
        ids += word if space is None else [space, *word]
    return tuple(ids)
