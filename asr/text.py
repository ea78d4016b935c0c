"""Transcript normalisers, by name: one rule serves training targets and scoring alike.

`english` serves scoring alone: what it writes ("20 dollars") is no spelling to learn.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Self

from asr.errors import ConfigError

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})
_SPACES = re.compile(r"\s+")
_NOT_IN_A_WORD = re.compile(r"[^\w\s']|_")
# Characters that are not seen: within a word they do not end it.
_UNSEEN = dict.fromkeys([0xAD, 0x2060, 0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F)])
_UNSEEN |= dict.fromkeys(range(0x2066, 0x206A))
_JOINERS = "\u200c\u200d"  # part of the spelling in Persian and in India, between two letters
_LONE_JOINER = re.compile(rf"(?<!\S)[{_JOINERS}]+|[{_JOINERS}]+(?!\S)")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def _none(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def _basic(text: str) -> str:
    text = unicodedata.normalize("NFC", text.translate(_UNSEEN)).translate(_APOSTROPHES).lower()
    words = _LONE_APOSTROPHE.sub(" ", _NOT_IN_A_WORD.sub(_space_unless_spelled, text))
    return _none(_LONE_JOINER.sub("", words))


def _space_unless_spelled(match: re.Match[str]) -> str:
    # Vowel signs and accents are part of their word (Devanagari), though \w leaves them out.
    one = match.group()
    return one if one in _JOINERS or unicodedata.category(one).startswith("M") else " "


def _english(text: str) -> str:
    return _none(_english_rule()(_none(text)))


@cache
def _english_rule() -> Callable[[str], str]:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise ConfigError(
            "normalizer 'english' needs the package whisper-normalizer; "
            "pip install 'asr[english]', or choose basic"
        ) from None
    rule: Callable[[str], str] = EnglishTextNormalizer()
    return rule


_NORMALIZERS: dict[str, Callable[[str], str]] = {"none": _none, "basic": _basic}
_SCORING_NORMALIZERS = _NORMALIZERS | {"english": _english}
NORMALIZER_NAMES = tuple(_NORMALIZERS)


class Normalizer:
    """A named rule that makes transcripts comparable.

    `none`: Unicode NFC and single spaces, nothing else.
    `basic`: also lower case, punctuation removed; apostrophes inside words stay
    ("It's - OK!" -> "it's ok").
    """

    def __init__(self, name: str) -> None:
        """Raises ConfigError where no normaliser has that name."""
        self.name = name
        self._rule = _find(name, _NORMALIZERS)

    @classmethod
    def for_scoring(cls, name: str) -> Self:
        """A normaliser that need not be fit for training: also `english`.

        `english` is the rule of OpenAI's Whisper (Radford et al. 2022, appendix C) as the wheel
        whisper-normalizer has it: numbers in digits, contractions spelled out, British spelling
        made American, fillers ("uh") removed. It is applied once, as Whisper's figures are
        made; applied twice it may change more.

        Raises:
            ConfigError: no normaliser has that name, or its package is not installed.
        """
        normalizer = cls("none")
        normalizer.name = name
        normalizer._rule = _find(name, _SCORING_NORMALIZERS)
        normalizer("")  # a package that is missing is missed now, not after the reading
        return normalizer

    def __call__(self, text: str) -> str:
        """Return the normalised text; applying it twice changes nothing more (not `english`)."""
        return self._rule(text)


def _find(name: str, rules: dict[str, Callable[[str], str]]) -> Callable[[str], str]:
    if name not in rules:
        raise ConfigError(f"normalizer '{name}' is not known; known: {', '.join(rules)}")
    return rules[name]
