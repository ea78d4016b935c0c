"""Tokens: what the model emits. Id 0 is the CTC blank; the table is the same for every kind."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, Self

from asr.errors import DataError, ModelError
from asr.settings import Settings

BLANK = "<blank>"


class TokenSettings(Settings):
    """How text is cut into tokens."""

    kind: Literal["characters"] = "characters"


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
    def space(self) -> int:
        """Id of the token that stands between words. Raises ModelError where there is none."""
        if " " not in self._ids:
            raise ModelError("the tokens have no space: this model knows no words of a sentence")
        return self._ids[" "]

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Text -> ids. Raises DataError naming the characters that have no token."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text; blanks are left out."""

    @abstractmethod
    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that have no token, counted."""

    def without_unknown(self, text: str) -> str:
        """The text without the characters that have no token."""
        return text.translate({ord(character): None for character in self.unknown(text)})

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `tokens_from_json` makes the same table."""
        return {"kind": self.kind, "symbols": list(self.symbols[1:])}

    kind: str


class Characters(TokenTable):
    """One token a character; the space between words is a token too."""

    kind = "characters"

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Self:
        """Collect the characters of the training transcripts, in code-point order."""
        return cls(sorted({character for text in texts for character in text}))

    def encode(self, text: str) -> list[int]:
        """Text -> ids: with the tokens blank, a, b: "ab" -> [1, 2]."""
        unknown = self.unknown(text)
        if unknown:
            raise DataError(
                f"no token for {describe_characters(unknown)} in '{text}'; "
                "normalise the text, or train with text that has them"
            )
        return [self._ids[character] for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text, spaces at the ends removed."""
        return " ".join("".join(self.symbols[number] for number in ids if number).split())

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that have no token, counted."""
        return Counter(character for character in text if character not in self._ids)


def learn_tokens(settings: TokenSettings, texts: Iterable[str]) -> TokenTable:
    """Make the token table of the kind the settings name from normalised training texts."""
    return {"characters": Characters}[settings.kind].learn(texts)


def tokens_from_json(data: Any, where: str) -> TokenTable:
    """Rebuild a token table. Raises ModelError where the data is not one."""
    table = data if isinstance(data, dict) else {}
    symbols = table.get("symbols")
    if (
        table.get("kind") != Characters.kind
        or not isinstance(symbols, list)
        or not all(isinstance(symbol, str) for symbol in symbols)
    ):
        raise ModelError(f"{where}: not a token table of a known kind; is the file damaged?")
    return Characters(symbols)


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
