"""Letters to phones: how a word is pronounced that no dictionary has."""

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Self

import numpy as np

from asr.lm.counts import BEGIN, END, count_ngrams
from asr.lm.kneser_ney import estimate
from asr.lm.model import NgramModel
from asr.lm.text import SPECIAL
from asr.pronunciation.alignment import Graphone, align_letters
from asr.pronunciation.dictionary import Dictionary, Phones

_ORDER = 6
_CUTOFFS = (0, 0, 0, 1)  # n-grams of four graphones and more have to be seen twice
_BEAM = 12

_History = tuple[int, ...]


class Speller:
    """Pronounces words by an n-gram model of letters and the phones they stand for.

    The model is a joint one (Bisani & Ney 2008): its "words" are graphones, a letter with the
    phones it stands for, and it is smoothed as language models are.
    """

    def __init__(self, model: NgramModel, graphones: list[Graphone]) -> None:
        """`graphones` are the model's words after the special ones."""
        self._graphones = dict(enumerate(graphones, start=len(SPECIAL)))
        self._of_letter: dict[str, list[int]] = defaultdict(list)
        for number, (letter, _) in self._graphones.items():
            self._of_letter[letter].append(number)
        self._order = model.order
        self._log_probs: dict[_History, float] = {}
        self._backoffs: dict[_History, float] = {}
        for order in range(1, model.order + 1):
            keys = list(zip(*(column.tolist() for column in model.columns(order)), strict=True))
            self._log_probs.update(zip(keys, model.log_probs[order - 1].tolist(), strict=True))
            if order < model.order:
                self._backoffs.update(zip(keys, model.backoffs[order - 1].tolist(), strict=True))

    @classmethod
    def learn(cls, dictionary: Dictionary) -> Self:
        """Learn from the first pronunciation of each word."""
        pairs = [(word, dictionary[word][0]) for word in sorted(dictionary)]
        aligned = align_letters(pairs)
        graphones = sorted(set(chain.from_iterable(aligned)))
        number = {graphone: n for n, graphone in enumerate(graphones, start=len(SPECIAL))}
        text = np.fromiter(
            chain.from_iterable(
                (BEGIN, *(number[graphone] for graphone in word), END) for word in aligned
            ),
            dtype=np.int32,
        )
        words = [*SPECIAL, *(f"{letter}:{'+'.join(said)}" for letter, said in graphones)]
        counted = count_ngrams(text, _ORDER, vocabulary=len(words))
        return cls(estimate(counted, words, cutoffs=_CUTOFFS).model, graphones)

    @property
    def letters(self) -> Iterable[str]:
        """Letters that it has seen."""
        return self._of_letter.keys()

    def __call__(self, word: str) -> Phones:
        """The most probable pronunciation found; letters never seen are silent."""
        beam: list[tuple[float, _History]] = [(0.0, (BEGIN,))]
        for letter in word:
            graphones = self._of_letter.get(letter)
            if graphones is None:
                continue
            longer = [
                (score + self._log_prob(history, number), (*history, number))
                for score, history in beam
                for number in graphones
            ]
            beam = sorted(longer, reverse=True)[:_BEAM]
        _, best = max((score + self._log_prob(history, END), history) for score, history in beam)
        return tuple(phone for number in best[1:] for phone in self._graphones[number][1])

    def _log_prob(self, history: _History, number: int) -> float:
        """Log-probability of a graphone after others, in nats."""
        backoff = 0.0
        for start in range(max(0, len(history) - self._order + 1), len(history)):
            context = history[start:]
            found = self._log_probs.get((*context, number))
            if found is not None:
                return backoff + found
            backoff += self._backoffs.get(context, 0.0)
        return backoff + self._log_probs.get((number,), -math.inf)
