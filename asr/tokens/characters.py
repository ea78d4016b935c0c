"""Characters as tokens."""

from collections import Counter
from collections.abc import Iterable
from typing import Self

from asr.tokens.table import TokenTable


class Characters(TokenTable):
    """One token a character; the space between words is a token too."""

    kind = "characters"

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Self:
        """Collect the characters of the training transcripts, in code-point order."""
        return cls(sorted({character for text in texts for character in text}))

    def encode(self, text: str) -> list[int]:
        """Text -> ids: with the tokens blank, a, b: "ab" -> [1, 2]."""
        self.refuse_unknown(text)
        return [self._ids[character] for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text, spaces at the ends removed."""
        return " ".join("".join(self.symbols[number] for number in ids if number).split())

    def begins_word(self, token: int) -> bool:
        """Never: a word begins after a space."""
        return False

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that have no token, counted."""
        return Counter(character for character in text if character not in self._ids)
