"""Tokens: what the model emits. Id 0 is the CTC blank; the table is the same for every kind."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from asr.errors import DataError

BLANK = "<blank>"

# Tuples, not lists: a lexicon has 100,000 of them, which the garbage collector need not look at.
Spellings = tuple[tuple[int, ...], ...]


class TokenTable(ABC):
    """Text to token ids and back; everything else in the pipeline sees ids only."""

    def __init__(self, symbols: Iterable[str]) -> None:
        """`symbols` without the blank, which is id 0."""
        self.symbols = (BLANK, *symbols)
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        """Number of tokens V, the blank included."""
        return len(self.symbols)

    @property
    def space(self) -> int | None:
        """Id of the token that stands between words; None where words are told otherwise."""
        return self._ids.get(" ")

    def spellings(self, word: str) -> Spellings:
        """The ways of emitting a word, in ids; none where it has a character without a token."""
        return () if self.unknown(word) else (tuple(self.encode(word)),)

    def all_spellings(self, words: Sequence[str]) -> list[Spellings]:
        """The spellings of many words, faster than one by one."""
        return [self.spellings(word) for word in words]

    @abstractmethod
    def begins_word(self, token: int) -> bool:
        """Whether a word begins with a token, wherever it stands."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Text -> ids. Raises DataError naming the characters that have no token."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text; blanks are left out."""

    @abstractmethod
    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that have no token, counted."""

    def refuse_unknown(self, text: str) -> None:
        """Raise DataError naming the characters of a text that have no token."""
        unknown = self.unknown(text)
        if unknown:
            raise DataError(
                f"no token for {describe_characters(unknown)} in '{text}'; "
                "normalise the text, or train with text that has them"
            )

    def without_unknown(self, text: str) -> str:
        """The text without the characters that have no token."""
        return text.translate({ord(character): None for character in self.unknown(text)})

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `tokens_from_json` makes the same table."""
        return {"kind": self.kind, "symbols": list(self.symbols[1:])}

    kind: str
    orthographic = True  # whether tokens are written as they stand, so that any word can be


def frames_needed(sequence: Sequence[object]) -> int:
    """Encoder frames that CTC needs to emit a sequence of tokens.

    One for each token, and one for the blank between equal neighbours: "hello" -> 6.
    """
    return len(sequence) + sum(left == right for left, right in pairwise(sequence))


def describe_characters(counts: Mapping[str, int], most: int = 10) -> str:
    """'é' (U+00E9) 3 times, …: the most frequent first, for messages."""
    ranked = Counter(counts).most_common(most)
    parts = [f"'{character}' (U+{ord(character):04X}) x {count}" for character, count in ranked]
    return ", ".join(parts) + (", …" if len(counts) > most else "")
