"""Text files line by line, with what messages need: the number of each line, ids given once."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from asr.errors import DataError

_Item = TypeVar("_Item")


def read_lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """Line numbers and stripped lines, blank lines left out.

    Raises:
        DataError: the file is missing or not UTF-8; says what was `expected` in it.
    """
    for number, line in enumerate(read_text(path, expected).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def read_text(path: Path, expected: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark. Raises DataError as `read_lines`.

    Its lines are to be split at newlines alone: `splitlines` also cuts at characters that may stand
    inside a transcript (U+2028).
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; expected {expected}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a readable UTF-8 text file ({error})") from None


def unique(path: Path, items: Iterable[tuple[int, str, _Item]]) -> dict[str, _Item]:
    """Items of (line number, id, item) by id. Raises DataError where an id comes twice."""
    found: dict[str, _Item] = {}
    first_line: dict[str, int] = {}
    for number, identifier, item in items:
        if identifier in found:
            raise DataError(
                f"{path}:{number}: id '{identifier}' was given already on line "
                f"{first_line[identifier]}; expected one transcript an utterance: remove one"
            )
        found[identifier] = item
        first_line[identifier] = number
    return found


def read_pairs(path: Path, what: str) -> Mapping[str, str]:
    """Read lines of `key value`, such as Kaldi's utt2spk, by key.

    Raises:
        DataError: a line has no value, or a key comes twice.
    """
    return unique(path, _pairs(path, what))


def _pairs(path: Path, what: str) -> Iterator[tuple[int, str, str]]:
    for number, line in read_lines(path, what):
        key, *rest = line.split(maxsplit=1)
        if not rest:
            raise DataError(f"{path}:{number}: '{line}' came; expected {what}")
        yield number, key, rest[0]


def first_few(names: Iterable[str], most: int = 5) -> str:
    """The first names for a message, and a sign where there are more."""
    listed = list(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")
