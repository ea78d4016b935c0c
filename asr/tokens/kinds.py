"""The kinds of tokens there are, by name."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from asr.errors import ModelError
from asr.settings import Settings
from asr.tokens.characters import Characters
from asr.tokens.phones import PhoneTable
from asr.tokens.pieces import Pieces
from asr.tokens.table import TokenTable


class TokenSettings(Settings):
    """How text is cut into tokens."""

    # model: those of the model that training.initialize_from names.
    kind: Literal["characters", "bpe", "phones", "model"] = "characters"
    size: int = Field(default=500, ge=2)  # number of pieces, where the kind is bpe
    # Of pronunciations, in CMUdict's format, where the kind is phones; None: CMUdict itself.
    dictionary: str | None = None
    # Whether phones have a token between words; else the first phone of a word says that it is.
    space: bool = True

    @model_validator(mode="after")
    def _of_this_kind(self) -> Self:
        if not self.space and self.kind != "phones":
            raise ValueError(f"space: false is for phones; kind is {self.kind}")
        # By value: a recipe as it was run has every setting in it, the defaults too.
        others = {"size": (self.size, "bpe"), "dictionary": (self.dictionary, "phones")}
        for name, (value, kind) in others.items():
            if value != type(self).model_fields[name].default and self.kind != kind:
                raise ValueError(
                    f"{name}: {value} is for {kind}; kind is {self.kind}: leave {name} out, or "
                    f"override the whole section: --set 'tokens={{kind: {self.kind}}}'"
                )
        return self


def learn_tokens(
    settings: TokenSettings, texts: Iterable[str], normalize: Callable[[str], str] = str
) -> TokenTable:
    """Make the token table of the kind the settings name.

    Args:
        settings: which kind.
        texts: of the training, normalised.
        normalize: what they went through; the words of a dictionary do, too.

    Raises:
        ConfigError: the texts do not give as many pieces as the settings ask for, or there is no
            such dictionary.
        DataError: the dictionary is damaged, or a word cannot be pronounced.
    """
    assert settings.kind != "model", "nothing is learned of a model's tokens"
    if settings.kind == "phones":
        path = None if settings.dictionary is None else Path(settings.dictionary)
        return PhoneTable.learn(texts, path, normalize, space=settings.space)
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
        if table.get("kind") == PhoneTable.kind:
            return PhoneTable.from_json(table, where)
    raise ModelError(f"{where}: not a token table of a known kind; is the file damaged?")
