"""Packed n-gram models: small and soon read, for model folders.

A file is one of safetensors; every tensor but the counts and the codebooks is a stream of zlib:

    counts               (N,) n-grams of each order, those of order 1 being the words
    words                UTF-8, with line ends between
    n.followers          how many n-grams of order n each of order n-1 is the beginning of
    n.words              their last words, each as the distance from the word before it
    n.log_probs          codes; n.log_probs.codebook has the natural logarithm of each
    n.backoffs           of all orders but the last, likewise

Whole numbers are of several bytes, the lowest first, and a stream holds the lowest bytes of all
numbers, then the next ones. Probabilities are rounded to at most 256 values an order.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asr.errors import ModelError, one_line
from asr.files import write_bytes
from asr.lm.counts import Ngrams
from asr.lm.kenlm import MOST_WORDS
from asr.lm.model import NgramModel, Reals
from asr.lm.rounding import CODES, round_to_codes
from asr.lm.suffixes import with_suffixes
from asr.lm.text import SPECIAL

_Bytes = NDArray[np.uint8]

_FORMAT = {"format": "n-grams 1"}  # one entry, since several come in any order
_LEAST = -200.0  # nats: a backoff weight that is nothing
_MOST = 2**27  # n-grams of an order, so that no file fills the memory


def write_packed(path: Path, model: NgramModel) -> None:
    """Write a model, whole or not at all; its numbers are rounded.

    Raises:
        ModelError: its n-grams are longer than a search takes.
    """
    if model.order > MOST_WORDS:
        raise ModelError(
            f"{path}: n-grams of {model.order} words; a search takes at most {MOST_WORDS}: "
            f"estimate the model with --order {MOST_WORDS} or less"
        )
    model = with_suffixes(model)
    tensors: dict[str, NDArray[Any]] = {
        "counts": np.array([len(one) for one in model.ngrams], dtype=np.int64),
        "words": _deflate("\n".join(model.words).encode()),
    }
    for order, ngrams in enumerate(model.ngrams, start=1):
        if order > 1:
            followers = np.bincount(ngrams.prefix, minlength=len(model.ngrams[order - 2]))
            tensors[f"{order}.followers"] = _deflate(_planes(followers))
            tensors[f"{order}.words"] = _deflate(_planes(_distances(ngrams)))
        _add_codes(tensors, f"{order}.log_probs", model.log_probs[order - 1])
        if order < model.order:
            weights = np.maximum(model.backoffs[order - 1], _LEAST)
            _add_codes(tensors, f"{order}.backoffs", weights)
    write_bytes(path, save(tensors, metadata=_FORMAT))


def read_packed(path: Path) -> NgramModel:
    """Read a model.

    Raises:
        ModelError: the file is missing or damaged, or no packed n-gram model.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _Reader(tensors).model()


def count_packed(path: Path) -> list[int]:
    """How many n-grams of each order a packed model has, those of order 1 with <unk>, <s>, </s>.

    Raises:
        ModelError: the file is missing or damaged, or no packed n-gram model.
    """
    with _opened(path) as file:
        return _Reader({"counts": file.get_tensor("counts")}).counts()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            if file.metadata() != _FORMAT:
                raise ValueError(f"of another format: {file.metadata()}")
            yield file
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise ModelError(
            f"{path}: not a packed n-gram model ({one_line(error)}); copy the model again"
        ) from None


def _distances(ngrams: Ngrams) -> NDArray[np.int64]:
    """Each last word (M,) less the one before it, where both go on from the same n-gram."""
    word = ngrams.word.astype(np.int64)
    first = np.diff(ngrams.prefix, prepend=-1) != 0
    return np.where(first, word, np.diff(word, prepend=0))


def _planes(numbers: NDArray[np.int64]) -> bytes:
    size = max(1, -(-int(numbers.max(initial=0)).bit_length() // 8))
    low_first = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)
    return low_first[:, :size].T.tobytes()


def _add_codes(tensors: dict[str, NDArray[Any]], name: str, values: Reals) -> None:
    codes, codebook = round_to_codes(values)
    tensors[name] = _deflate(codes.tobytes())
    tensors[f"{name}.codebook"] = codebook


def _deflate(content: bytes) -> _Bytes:
    return np.frombuffer(zlib.compress(content, 9), dtype=np.uint8)


class _Reader:
    """Makes a model of tensors that anybody may have made; ValueError says what is wrong."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors

    def model(self) -> NgramModel:
        """The whole model."""
        counts = self.counts()
        words = self._words(counts[0])
        ngrams = [
            Ngrams(np.zeros(len(words), dtype=np.int32), np.arange(counts[0], dtype=np.int32))
        ]
        for order, count in enumerate(counts[1:], start=2):
            ngrams.append(self._ngrams(order, count, counts[order - 2], len(words)))
        log_probs = [
            self._values(f"{order}.log_probs", count) for order, count in enumerate(counts, start=1)
        ]
        backoffs = [
            self._values(f"{order}.backoffs", count)
            for order, count in enumerate(counts[:-1], start=1)
        ]
        if any((one > 0).any() for one in log_probs):
            raise ValueError("a probability above 1")
        if not all(np.isfinite(one).all() for one in backoffs):
            raise ValueError("a backoff weight that is no number")
        return NgramModel(words, ngrams, log_probs, backoffs)

    def counts(self) -> list[int]:
        """How many n-grams there are of each order."""
        counts = self._tensors["counts"]
        if counts.dtype != np.int64 or counts.ndim != 1 or not 1 <= len(counts) <= MOST_WORDS:
            raise ValueError(f"expected counts of 1 to {MOST_WORDS} orders")
        if counts.min() < 0 or counts.max() > _MOST:
            raise ValueError(f"counts of {counts.tolist()} n-grams")
        found: list[int] = counts.tolist()
        return found

    def _words(self, count: int) -> list[str]:
        words = self._inflate("words", _MOST).tobytes().decode().split("\n")
        if tuple(words[: len(SPECIAL)]) != SPECIAL or not len(set(words)) == len(words) == count:
            raise ValueError(f"expected {count} different words, the first of them {SPECIAL}")
        return words

    def _ngrams(self, order: int, count: int, shorter: int, vocabulary: int) -> Ngrams:
        followers = self._integers(f"{order}.followers", shorter).astype(np.int64)
        if followers.sum() != count:
            raise ValueError(f"{followers.sum()} {order}-grams in the place of {count}")
        distances = self._integers(f"{order}.words", count)
        starts = np.cumsum(followers) - followers
        zeros_of_first = np.count_nonzero(distances[starts[followers > 0]] == 0)
        if count - np.count_nonzero(distances) != zeros_of_first:
            raise ValueError(f"{order}-grams that are there twice")
        # A running sum that begins anew with each prefix.
        word = np.cumsum(distances, dtype=np.int64)
        before = np.where(starts > 0, np.append(word, 0)[starts - 1], 0)
        word -= np.repeat(before, followers)
        if count and word.max() >= vocabulary:
            raise ValueError(f"{order}-grams with words that are not there")
        prefix = np.repeat(np.arange(shorter, dtype=np.int32), followers)
        return Ngrams(prefix, word.astype(np.int32))

    def _integers(self, name: str, count: int) -> NDArray[np.uint32]:
        planes = self._inflate(name, 4 * count)
        low_first = np.zeros((count, 4), dtype=np.uint8)
        if count:
            size, rest = divmod(len(planes), count)
            if rest or size == 0:
                raise ValueError(f"{name}: {len(planes)} bytes for {count} numbers")
            low_first[:, :size] = planes.reshape(size, count).T
        return low_first.view("<u4")[:, 0].astype(np.uint32, copy=False)

    def _values(self, name: str, count: int) -> Reals:
        codes, codebook = self._inflate(name, count), self._tensors[f"{name}.codebook"]
        if codebook.dtype != np.float32 or codebook.ndim != 1 or len(codebook) > CODES:
            raise ValueError(f"{name}: expected a codebook of at most {CODES} values")
        if len(codes) != count or (count and codes.max() >= len(codebook)):
            raise ValueError(f"{name}: expected {count} codes of {len(codebook)} values")
        if np.isnan(codebook).any() or np.isposinf(codebook).any():
            raise ValueError(f"{name}: values that are no numbers")
        values: Reals = codebook.astype(np.float64)[codes]
        return values

    def _inflate(self, name: str, most: int) -> _Bytes:
        """Unpack a stream of at most so many bytes."""
        stream = self._tensors[name]
        if stream.dtype != np.uint8 or stream.ndim != 1:
            raise ValueError(f"{name}: expected bytes")
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(stream.data, most + 1)
        if len(content) > most or not unpacking.eof:
            raise ValueError(f"{name}: damaged, or more than {most} bytes")
        return np.frombuffer(content, dtype=np.uint8)
