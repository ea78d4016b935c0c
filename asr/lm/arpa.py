"""ARPA files: n-gram models as text, which every toolkit reads."""

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from asr.errors import ModelError, one_line
from asr.files import whole_file
from asr.lm.counts import BEGIN, Ngrams, Numbers
from asr.lm.model import NgramModel, Reals
from asr.lm.text import SPECIAL

_LN10 = float(np.log(10.0))
_NEVER = -99.0  # what the format writes for log10 of 0
_CHUNK = 2**19  # n-grams that are turned into text at a time


def write_arpa(path: Path, model: NgramModel, progress: Callable[[int], object]) -> None:
    """Write a model, whole or not at all; packed where the name ends in .gz.

    Args:
        path: the file.
        model: its n-grams are written by order, sorted by the numbers of their words.
        progress: is told how many n-grams have been written since.
    """
    with whole_file(path) as temporary:
        packed = path.suffix == ".gz"
        # The name and time that gzip would keep must not make equal models differ.
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0)
            if packed
            else raw as file,
        ):
            for text in _sections(model, progress):
                file.write(text.encode())


def _sections(model: NgramModel, progress: Callable[[int], object]) -> Iterator[str]:
    counts = [f"ngram {n}={len(one)}" for n, one in enumerate(model.ngrams, start=1)]
    yield "\n".join(["\\data\\", *counts, ""])
    for order, ngrams in enumerate(model.ngrams, start=1):
        yield f"\n\\{order}-grams:\n"
        columns = model.columns(order)
        for start in range(0, len(ngrams), _CHUNK):
            part = slice(start, start + _CHUNK)
            yield _lines(model, order, part, columns)
            progress(len(ngrams.word[part]))
    yield "\n\\end\\\n"


def _lines(model: NgramModel, order: int, part: slice, columns: list[Numbers]) -> str:
    words = [map(model.words.__getitem__, column[part].tolist()) for column in columns]
    texts = map(" ".join, zip(*words, strict=True))
    fields = [_numbers(model.log_probs[order - 1][part]), texts]
    if order < model.order:
        fields.append(_numbers(model.backoffs[order - 1][part]))
    return "\n".join(map("\t".join, zip(*fields, strict=True))) + "\n"


def _numbers(logarithms: Reals) -> Iterator[str]:
    return map("%.7g".__mod__, np.maximum(logarithms / _LN10, _NEVER).tolist())


def read_arpa(path: Path) -> NgramModel:
    """Read a model, packed or not.

    Raises:
        ModelError: the file is missing, damaged, or no ARPA file; with its line.
    """
    with _reading(path) as reader:
        return reader.model()


def read_vocabulary(path: Path) -> list[str]:
    """Read the words of a model, without <unk>, <s> and </s>, and nothing else of it.

    Raises:
        ModelError: the file is missing, damaged, or no ARPA file; with its line.
    """
    with _reading(path) as reader:
        return reader.words()


@contextmanager
def _reading(path: Path) -> Iterator["_Reader"]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield _Reader(path, file)
    except (OSError, EOFError) as error:
        raise ModelError(
            f"{path}: cannot be read ({one_line(error)}); expected an ARPA file, .arpa or .arpa.gz"
        ) from error


class _Reader:
    """Goes through the lines of an ARPA file once."""

    def __init__(self, path: Path, file: Iterable[bytes]) -> None:
        self._path, self._lines, self._line = path, iter(file), 0
        self._pending = ""  # a line that was read too early
        self._numbers = {word: number for number, word in enumerate(SPECIAL)}

    def model(self) -> NgramModel:
        """All that the file says."""
        counts = self._header()
        ngrams: list[Ngrams] = []
        log_probs: list[Reals] = []
        backoffs: list[Reals] = []
        for order, count in enumerate(counts, start=1):
            columns, probs, weights = self._section(order, count)
            keys = self._keys(ngrams, columns)
            if order == 1:
                # Words that every model has, whether the file lists them or not.
                place = np.full(len(self._numbers), -1)
                place[keys] = np.arange(len(keys))
                probs = np.where(place >= 0, probs[place], _NEVER * _LN10)
                weights = np.where(place >= 0, weights[place], 0.0)
                probs[BEGIN] = _NEVER * _LN10  # it is given; KenLM's lmplz writes 0
                keys = np.arange(len(place))
            by_key = np.argsort(keys)
            keys = keys[by_key]
            if len(keys) > 1 and (np.diff(keys) == 0).any():
                self._refuse(f"the same {order}-gram twice in the section that ends here")
            prefix, word = np.divmod(keys, len(self._numbers))
            ngrams.append(Ngrams(prefix.astype(np.int32), word.astype(np.int32)))
            log_probs.append(np.where(probs <= _NEVER * _LN10, -np.inf, probs)[by_key])
            backoffs.append(weights[by_key])
        if (line := self._next()) != "\\end\\":
            self._refuse(f"expected \\end\\, not {line!r}")
        return NgramModel(list(self._numbers), ngrams, log_probs, backoffs[:-1])

    def words(self) -> list[str]:
        """The vocabulary."""
        counts = self._header()
        self._section(1, counts[0])
        return list(self._numbers)[len(SPECIAL) :]

    def _header(self) -> list[int]:
        while (line := self._next()) != "\\data\\":  # anything may stand before it
            pass
        counts: list[int] = []
        while (line := self._next()).startswith("ngram "):
            order, _, count = line.removeprefix("ngram ").partition("=")
            if not (order.strip() == str(len(counts) + 1) and count.strip().isdecimal()):
                self._refuse(f"expected 'ngram {len(counts) + 1}=' and a count, not {line!r}")
            counts.append(int(count))
        if not counts:
            self._refuse(f"expected the counts of n-grams, not {line!r}")
        self._pending = line
        return counts

    def _section(self, order: int, count: int) -> tuple[list[Numbers], Reals, Reals]:
        """The words (M,) of each place, log-probabilities (M,) and backoff weights (M,)."""
        line, self._pending = self._pending or self._next(), ""
        if line != f"\\{order}-grams:":
            self._refuse(f"expected \\{order}-grams:, not {line!r}")
        words = np.zeros((order, count), dtype=np.int32)
        values = np.zeros((2, count))
        for start in range(0, count, _CHUNK):
            rows = [
                one.split() for one in itertools.islice(self._lines, min(_CHUNK, count - start))
            ]
            part = slice(start, start + len(rows))
            words[:, part], values[:, part] = self._parse(rows, order)
            if (bad := np.isnan(values[:, part]).any(axis=0)).any():
                self._line += int(bad.argmax()) + 1
                self._refuse("expected numbers, not nan")
            self._line += len(rows)
            if len(rows) < min(_CHUNK, count - start):
                self._refuse(f"the file ends after {start + len(rows)} of {count} {order}-grams")
        return list(words), values[0] * _LN10, values[1] * _LN10

    def _parse(
        self, rows: list[list[bytes]], order: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Word numbers (order, M), and logarithms to base 10 of probability and backoff (2, M)."""
        words = np.zeros((order, len(rows)), dtype=np.int32)
        values = np.zeros((2, len(rows)))
        for number, row in enumerate(rows):
            try:
                if len(row) not in (order + 1, order + 2):
                    raise ValueError(f"{len(row)} fields")
                values[0, number] = float(row[0])
                if len(row) == order + 2:
                    values[1, number] = float(row[-1])
                names = [one.decode() for one in row[1 : order + 1]]
                if order == 1:
                    self._numbers.setdefault(names[0], len(self._numbers))
                words[:, number] = [self._numbers[name] for name in names]
            except (ValueError, KeyError) as error:
                self._line += number + 1
                self._refuse(
                    f"expected a number, {order} known words and perhaps another number, not "
                    f"{b' '.join(row).decode(errors='replace')!r} ({one_line(error)})"
                )
        return words, values

    def _keys(self, ngrams: list[Ngrams], columns: list[Numbers]) -> NDArray[np.int64]:
        """Keys (M,) of the n-grams with these words."""
        number = np.zeros(len(columns[0]), dtype=np.int64)
        for order, column in enumerate(columns, start=1):
            wanted = number * len(self._numbers) + column
            if order == len(columns):
                return wanted
            keys = ngrams[order - 1].keys(len(self._numbers))
            keys = keys if len(keys) else np.full(1, -1)
            number = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
            if (keys[number] != wanted).any():
                self._refuse(
                    f"a {len(columns)}-gram in the section that ends here begins with a {order}-"
                    "gram that is not in the file"
                )
        raise AssertionError("an n-gram has a word")

    def _next(self) -> str:
        """The next line that is not empty."""
        for line in self._lines:
            self._line += 1
            if text := line.decode(errors="replace").strip():
                return text
        self._refuse("the file ends too early")

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(f"{self._path}, line {self._line}: {what}; is it a whole ARPA file?")
