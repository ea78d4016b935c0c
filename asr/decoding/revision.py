"""Second thoughts: words that the search could not find, put where the sound asks for them.

A lexicon leaves out names and new words, and a language model does not expect them. So each word
of a hypothesis, and each pair and triple of neighbours, is compared with what else may have been
said in its frames: what the model spells there by ear, and the words that the user hopes for. All
else of the hypothesis stays as it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from asr.decoding.alignment import WordSpan, align_tokens, align_words
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import log_likelihoods
from asr.tokens import TokenTable

_LONGEST = 3  # words that one other may stand for


@dataclass(frozen=True)
class Hotwords:
    """Words and phrases that are hoped for."""

    texts: tuple[str, ...]
    bonus: float = 8.0  # nats by which each may be less probable than what was found


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
        self._penalty, self._hotwords = spelling_penalty, hotwords

    def __call__(self, hypothesis: Hypothesis, log_probs: Tensor) -> Hypothesis:
        """Return the hypothesis with other words where they are more probable.

        Args:
            hypothesis: of the utterance.
            log_probs: (U, V), valid frames only.
        """
        words = align_words(log_probs, hypothesis, self._tokens)
        gains = [
            (gain, first, count, text)
            for count in range(1, min(_LONGEST, len(words)) + 1)
            for first in range(len(words) - count + 1)
            for gain, text in self._alternatives(words, first, count, log_probs)
            if gain > 0
        ]
        said: list[str | None] = [word.text for word in words]
        taken = [False] * len(words)
        for _, first, count, text in sorted(gains, reverse=True):
            place = slice(first, first + count)
            if not any(taken[place]):
                said[place] = [text, *[None] * (count - 1)]
                taken[place] = [True] * count
        if not any(taken):
            return hypothesis
        return self._with_text(" ".join(one for one in said if one), hypothesis, log_probs)

    def _alternatives(
        self, words: Sequence[WordSpan], first: int, count: int, log_probs: Tensor
    ) -> list[tuple[float, str]]:
        """What else may have been said there, with how much more it is worth."""
        last = first + count - 1
        start = words[first - 1].end if first else 0
        end = words[last + 1].start if last + 1 < len(words) else len(log_probs)
        rows = log_probs[start:end]
        here = " ".join(word.text for word in words[first : last + 1])
        others: dict[str, float] = {}
        if count == 1 and self._penalty is not None and self._lexicon is not None:
            spelled = greedy_decode(rows, self._tokens).text
            if spelled and " " not in spelled and spelled not in self._lexicon:
                others[spelled] = -self._penalty
        for text in self._hotwords.texts if self._hotwords else ():
            others[text] = self._hotwords.bonus if self._hotwords else 0.0
        others.pop(here, None)
        if not others:
            return []
        space = [] if self._tokens.space is None else [self._tokens.space]
        before, after = space if first else [], space if last + 1 < len(words) else []
        scores = log_likelihoods(
            rows, [[*before, *self._tokens.encode(text), *after] for text in (here, *others)]
        )
        gains = zip(scores[1:], others.items(), strict=True)
        return [(score + worth - scores[0], text) for score, (text, worth) in gains]

    def _with_text(self, text: str, hypothesis: Hypothesis, log_probs: Tensor) -> Hypothesis:
        ids = self._tokens.encode(text)
        spans = align_tokens(log_probs, ids)
        frames = tuple(span.start for span in spans)
        return Hypothesis(text, tuple(ids), frames, hypothesis.score)
