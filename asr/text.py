"""Transcript normalisers, by name: one rule serves training targets and scoring alike."""

import re
import unicodedata
from collections.abc import Callable

from asr.errors import ConfigError

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})
_SPACES = re.compile(r"\s+")
_NOT_IN_A_WORD = re.compile(r"[^\w\s']|_")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def _none(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def _basic(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).lower()
    return _none(_LONE_APOSTROPHE.sub(" ", _NOT_IN_A_WORD.sub(_space_unless_mark, text)))


def _space_unless_mark(match: re.Match[str]) -> str:
    # Vowel signs and accents are part of their word (Devanagari), though \w leaves them out.
    return match.group() if unicodedata.category(match.group()).startswith("M") else " "


_NORMALIZERS: dict[str, Callable[[str], str]] = {"none": _none, "basic": _basic}
NORMALIZER_NAMES = tuple(_NORMALIZERS)


class Normalizer:
    """A named rule that makes transcripts comparable.

    `none`: Unicode NFC and single spaces, nothing else.
    `basic`: also lower case, punctuation removed; apostrophes inside words stay
    ("It's - OK!" -> "it's ok").
    """

    def __init__(self, name: str) -> None:
        """Raises ConfigError where no normaliser has that name."""
        if name not in _NORMALIZERS:
            raise ConfigError(
                f"normalizer '{name}' is not known; known: {', '.join(NORMALIZER_NAMES)}"
            )
        self.name = name
        self._rule = _NORMALIZERS[name]

    def __call__(self, text: str) -> str:
        """Return the normalised text; applying it twice changes nothing more."""
        return self._rule(text)
