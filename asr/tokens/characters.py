"""Characters as tokens."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from asr.tokens.table import Spellings, TokenTable


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

    def all_spellings(self, words: Sequence[str]) -> list[Spellings]:
        """The one spelling of each word, or none."""
        number, known = self._ids.__getitem__, frozenset(self._ids)
        return [(tuple(map(number, word)),) if known.issuperset(word) else () for word in words]

    def begins_word(self, token: int) -> bool:
        """Never: a word begins after a space."""
        return False

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that have no token, counted."""
        return Counter(character for character in text if character not in self._ids)
