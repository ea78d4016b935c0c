"""Tokens: what the model emits. Id 0 is the CTC blank; the table is the same for every kind."""

from asr.tokens.characters import Characters
from asr.tokens.kinds import TokenSettings, learn_tokens, tokens_from_json
from asr.tokens.phones import PhoneTable
from asr.tokens.pieces import Pieces
from asr.tokens.table import BLANK, Spellings, TokenTable, describe_characters, frames_needed

__all__ = [
    "BLANK",
    "Characters",
    "PhoneTable",
    "Pieces",
    "Spellings",
    "TokenSettings",
    "TokenTable",
    "describe_characters",
    "frames_needed",
    "learn_tokens",
    "tokens_from_json",
]
