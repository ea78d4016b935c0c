"""The kinds of tokens there are, by name."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from asr.errors import ModelError
from asr.settings import Settings
from asr.tokens.characters import Characters
from asr.tokens.pieces import Pieces
from asr.tokens.table import TokenTable


class TokenSettings(Settings):
    """How text is cut into tokens."""

    kind: Literal["characters", "bpe"] = "characters"
    size: int = Field(default=500, ge=2)  # number of pieces, where the kind is bpe


def learn_tokens(settings: TokenSettings, texts: Iterable[str]) -> TokenTable:
    """Make the token table of the kind the settings name from normalised training texts.

    Raises:
        ConfigError: the texts do not give as many pieces as the settings ask for.
    """
    if settings.kind == "bpe":
        return Pieces.learn(texts, settings.size)
    return Characters.learn(texts)


def tokens_from_json(data: Any, where: str) -> TokenTable:
    """Rebuild a token table. Raises ModelError where the data is not one."""
    table = data if isinstance(data, dict) else {}
    symbols = table.get("symbols")
    if isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols):
        if table.get("kind") == Characters.kind:
            return Characters(symbols)
        if table.get("kind") == Pieces.kind:
            return Pieces.from_json(table, where)
    raise ModelError(f"{where}: not a token table of a known kind; is the file damaged?")
