"""Pieces of words as tokens: byte pair encoding (Sennrich et al. 2016), by sentencepiece."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import sentencepiece

from asr.errors import ConfigError, ModelError, one_line
from asr.tokens.table import Spellings, TokenTable

_START = "\u2581"  # what sentencepiece writes before the first piece of a word


class Pieces(TokenTable):
    """One token a piece of a word; those that a word begins with say so themselves."""

    kind = "bpe"

    def __init__(self, model: bytes) -> None:
        """`model` is sentencepiece's; its piece 0 must be the unknown one."""
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        count = self._processor.get_piece_size()
        super().__init__(self._processor.id_to_piece(number) for number in range(1, count))

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Self:
        """Learn the pieces that occur most often.

        Args:
            texts: normalised.
            size: number of tokens, the blank included.

        Raises:
            ConfigError: the text has not that many pieces, or more characters than that.
        """
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(list(texts)),
                model_writer=model,
                model_type="bpe",
                vocab_size=size,
                character_coverage=1.0,
                normalization_rule_name="identity",
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                minloglevel=2,
                num_threads=1,
            )
        except RuntimeError as error:
            raise ConfigError(
                f"tokens.size: {size} pieces cannot be learned from the training transcripts "
                f"({one_line(error)})"
            ) from None
        return cls(model.getvalue())

    def encode(self, text: str) -> list[int]:
        """Text -> ids. Raises DataError naming the characters that are in no piece."""
        self.refuse_unknown(text)
        ids: list[int] = self._processor.encode(text)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text."""
        pieces = "".join(self.symbols[number] for number in ids if number)
        return " ".join(pieces.replace(_START, " ").split())

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that are in no piece, counted."""
        return Counter(character for character in text if character not in self._characters)

    def all_spellings(self, words: Sequence[str]) -> list[Spellings]:
        """The one spelling of each word, or none; all at once, since a call takes long."""
        known = [self._characters.issuperset(word) for word in words]
        spelled = self._processor.encode(
            [word if mine else "" for word, mine in zip(words, known, strict=True)], num_threads=1
        )
        return [(tuple(ids),) if mine else () for ids, mine in zip(spelled, known, strict=True)]

    @cached_property
    def _characters(self) -> frozenset[str]:
        return frozenset("".join(self.symbols[1:])) | {" "}

    def begins_word(self, token: int) -> bool:
        """Whether a piece stands only at the beginning of words."""
        return token != 0 and self.symbols[token].startswith(_START)

    def to_json(self) -> dict[str, Any]:
        """Plain data, sentencepiece's model in base 64."""
        return super().to_json() | {"model": base64.b64encode(self._model).decode()}

    @classmethod
    def from_json(cls, data: dict[str, Any], where: str) -> Self:
        """Rebuild a table. Raises ModelError where the data is not one."""
        try:
            table = cls(base64.b64decode(data["model"], validate=True))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{where}: not a table of pieces ({one_line(error)}); is the file damaged?"
            ) from None
        if list(table.symbols[1:]) != data.get("symbols"):
            raise ModelError(f"{where}: its pieces are not its symbols; is the file damaged?")
        return table
