"""Text for language models: the sentences of files, as one array of word numbers."""

import gzip
import lzma
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from asr.errors import DataError, one_line
from asr.lm.counts import BEGIN, END, UNKNOWN, Numbers

SPECIAL = ("<unk>", "<s>", "</s>")  # the words UNKNOWN, BEGIN and END
_BLOCK = 2**24  # bytes that are read at a time


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_lines(paths: Sequence[Path], progress: Callable[[int], object]) -> Iterator[str]:
    """Read text files (plain, .gz or .xz; `-` is standard input), many whole lines at a time.

    Args:
        paths: the files, one after the other.
        progress: is told how many bytes have been read since, of the files as they lie there.

    Raises:
        DataError: a file is missing or damaged, is not UTF-8, or has <s> or </s> in it.
    """
    for path in paths:
        lines, rest, last = 0, b"", 0
        with _opened(path) as (file, position):
            while block := file.read(_BLOCK):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                yield _checked(whole + newline, path, lines)
                lines += whole.count(b"\n") + 1
                progress(position() - last)
                last = position()
            if rest:
                yield _checked(rest + b"\n", path, lines)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[_Bytes, Callable[[], int]]]:
    """A file's bytes, unpacked; and how far into the file as it lies there reading has come."""
    if str(path) == "-":
        yield sys.stdin.buffer, lambda: 0
        return
    try:
        with path.open("rb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield unpacked, raw.tell
            elif path.suffix == ".xz":
                with lzma.LZMAFile(raw) as unpacked:
                    yield unpacked, raw.tell
            else:
                yield raw, raw.tell
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DataError(
            f"{path}: cannot be read ({one_line(error)}); expected text, plain or packed as its "
            "name says (.gz, .xz)"
        ) from error


def _checked(lines: bytes, path: Path, before: int) -> str:
    try:
        text = lines.decode()
    except UnicodeDecodeError as error:
        line = before + lines[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: not UTF-8 (byte {lines[error.start]:#04x}); convert the file"
        ) from None
    for mark in (SPECIAL[BEGIN], SPECIAL[END]):
        place = text.find(mark)
        if place >= 0:
            line = before + text.count("\n", 0, place) + 1
            raise DataError(
                f"{path}, line {line}: has {mark} in it, which is added to every sentence; "
                "expected one plain sentence a line"
            )
    return text


def number_words(texts: Iterable[str]) -> tuple[Numbers, list[str]]:
    """Number the words of sentences, one a line; lines without a word are none.

    Returns:
        (N,) word numbers, each sentence from BEGIN to END, and the words by number.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    for word in SPECIAL:
        numbers[word]
    parts = []
    for text in texts:
        words = f"<s> {text}".replace("\n", " </s> <s> ").split()[:-1]
        part = np.fromiter(map(numbers.__getitem__, words), dtype=np.int32, count=len(words))
        empty = np.flatnonzero((part[:-1] == BEGIN) & (part[1:] == END))
        parts.append(np.delete(part, np.concatenate([empty, empty + 1])) if len(empty) else part)
    return np.concatenate(parts or [np.zeros(0, dtype=np.int32)]), list(numbers)


def close_vocabulary(
    text: Numbers, words: list[str], wanted: Iterable[str]
) -> tuple[Numbers, list[str]]:
    """Make all words unknown but the wanted ones, which are in the vocabulary even if not in text.

    Returns:
        The text in new numbers, and the words by number.
    """
    kept = list(dict.fromkeys([*SPECIAL, *wanted]))
    place = {word: number for number, word in enumerate(kept)}
    table = np.array([place.get(word, UNKNOWN) for word in words], dtype=np.int32)
    return table[text], kept


def most_frequent(text: Numbers, words: list[str], count: int) -> list[str]:
    """The words that occur most often; of equally frequent ones, the first in the alphabet."""
    times = np.bincount(text, minlength=len(words)).tolist()
    ranked = sorted(range(len(SPECIAL), len(words)), key=lambda one: (-times[one], words[one]))
    return [words[number] for number in ranked[:count]]
