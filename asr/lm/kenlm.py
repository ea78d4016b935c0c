"""KenLM's binary files, in the form "probing" (Heafield 2011): read at once where ARPA is parsed.

A file is a header; a hash table from words to their numbers; probabilities and backoff weights by
word; and for each longer order a hash table from n-grams to theirs. Numbers of words are ours,
<unk> being 0, logarithms are to base 10, and all is little-endian.

KenLM looks for the longest n-gram by adding words on the left, one by one, and ends where one is
not found: the end of every n-gram must be there, too (asr.lm.suffixes).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.lm.counts import UNKNOWN, Numbers
from asr.lm.model import NgramModel, Reals
from asr.lm.murmur import Hashes, murmur_hash

MOST_WORDS = 6  # of an n-gram, as KenLM is usually compiled

_MAGIC = b"mmap lm http://kheafield.com/code format version 5\n"
_ROOM = 1.5  # buckets for each entry of a hash table
_LN10 = float(np.log(10.0))
_NEVER = -99.0  # log10 of 0

# What a header begins with: numbers by which KenLM knows a file of a machine like its own.
_HEADER = np.dtype(
    [
        ("magic", "S56"),
        ("reals", "<f4", 3),
        ("numbers", "<u4", 3),
        ("one", "<u8"),
        ("order", "<u4"),
        ("room", "<f4"),
        ("kind", "<u4"),
        ("has_words", "<u4"),
        ("version", "<u4"),
    ]
)
_WORD = np.dtype([("key", "<u8"), ("number", "<u4")])
_SINGLE = np.dtype([("prob", "<f4"), ("backoff", "<f4")])
_MIDDLE = np.dtype([("key", "<u8"), ("prob", "<f4"), ("backoff", "<f4")])
_LONGEST = np.dtype([("key", "<u8"), ("prob", "<f4")])

_LEFT = np.uint64(8978948897894561157)  # of the hash of words that another is put before
_NEW = np.uint64(17894857484156487943)  # of that word


def write_kenlm(path: Path, model: NgramModel) -> None:
    """Write a model as KenLM's binary file.

    Args:
        path: the file.
        model: of at most MOST_WORDS orders, and with the suffixes of all its n-grams.
    """
    counts = [len(one) for one in model.ngrams]
    if model.order == 1:
        counts.append(0)  # KenLM has none of order 1: an order 2 of which there is nothing
    with path.open("wb") as file:
        file.write(_header(counts))
        file.write(_vocabulary(model.words).data)
        file.write(_singles(model).data)
        for order in range(2, len(counts) + 1):
            file.write(_table(model, order, counts[order - 1]).data)


def _header(counts: list[int]) -> bytes:
    header = np.zeros((), dtype=_HEADER)
    header["magic"] = _MAGIC
    header["reals"] = (0.0, 1.0, -0.5)
    header["numbers"] = (1, 2**32 - 1, 0)
    header["one"] = 1
    header["order"], header["room"] = len(counts), _ROOM
    packed = header.tobytes() + np.array(counts, dtype="<u8").tobytes()
    return packed.ljust(-(-len(packed) // 8) * 8, b"\0")


def _vocabulary(words: list[str]) -> NDArray[np.void]:
    """Version 0 of the table, the number of words, and the table without <unk>."""
    known = np.flatnonzero(np.arange(len(words)) != UNKNOWN)
    table = np.zeros(_buckets(len(words)), dtype=_WORD)
    keys = murmur_hash([words[number].encode() for number in known.tolist()])
    places, by = place(keys, len(table))
    table["key"][places], table["number"][places] = keys[by], known[by]
    head = np.array([0, len(words)], dtype="<u4").tobytes()
    return np.frombuffer(head + table.tobytes(), dtype=np.void(1).dtype)


def _singles(model: NgramModel) -> NDArray[np.void]:
    singles = np.zeros(len(model.words) + 1, dtype=_SINGLE)
    singles["prob"][:-1] = -_base10(model.log_probs[0])
    if model.order > 1:
        singles["backoff"][:-1] = _backoffs(model, 1)
    return singles


def _table(model: NgramModel, order: int, count: int) -> NDArray[np.void]:
    longest = order == max(2, model.order)
    table = np.zeros(_buckets(count), dtype=_LONGEST if longest else _MIDDLE)
    if count == 0:
        return table
    keys = _keys(model.columns(order))
    places, by = place(keys, len(table))
    # A probability without its sign is that of an n-gram which may have another word before it:
    # where there is none, nothing but a glance is lost.
    probs = _base10(model.log_probs[order - 1])
    table["key"][places], table["prob"][places] = keys[by], (probs if longest else -probs)[by]
    if not longest:
        table["backoff"][places] = _backoffs(model, order)[by]
    return table


def _keys(columns: list[Numbers]) -> Hashes:
    """Keys (M,) of n-grams, from the last word to the first."""
    keys = columns[-1].astype(np.uint64)
    for column in reversed(columns[:-1]):
        new = column.astype(np.uint64)
        new += np.uint64(1)
        new *= _NEW
        keys *= _LEFT
        keys ^= new
    return keys


def _base10(logarithms: Reals) -> NDArray[np.float32]:
    return np.maximum(logarithms / _LN10, _NEVER).astype(np.float32)


def _backoffs(model: NgramModel, order: int) -> NDArray[np.float32]:
    """Backoff weights (M,): -0 where no n-gram goes on from here, so that KenLM may forget it."""
    weights = (model.backoffs[order - 1] / _LN10).astype(np.float32)
    ends = np.ones(len(weights), dtype=np.bool_)
    ends[model.ngrams[order].prefix] = False
    weights[weights == 0] = 0.0
    weights[ends & (weights == 0)] = -0.0
    return weights


def _buckets(entries: int) -> int:
    return max(entries + 1, int(np.float32(_ROOM) * np.float32(entries)))


def place(keys: Hashes, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where keys lie in a hash table with linear probing.

    Each belongs into the bucket of its remainder, and goes into the first one from there that is
    free; behind the last bucket comes the first.

    Args:
        keys: (M,) in any order.
        buckets: more than M.

    Returns:
        Ascending buckets (M,), and which key lies in each (M,).
    """
    count = len(keys)
    number = np.arange(count, dtype=np.uint64)
    shift = np.uint64(max(1, count - 1).bit_length())
    # The wanted bucket and the key's number in one integer, which sorts faster than two; in place
    # where it can be, since fresh memory takes longer than the arithmetic.
    both = keys % np.uint64(buckets)
    both <<= shift
    both |= number
    both.sort()
    wanted = (both >> shift).view(np.int64)
    both &= (np.uint64(1) << shift) - np.uint64(1)
    places = _next_free(wanted, number.view(np.int64))
    beyond = 0  # keys that find no free bucket before the last one: they come first, then
    while more := count - int(np.searchsorted(places, buckets)):
        beyond += more
        first = np.zeros(beyond, dtype=np.int64)
        moved = np.concatenate([first, wanted[: count - beyond]])
        places = _next_free(moved, number.view(np.int64))
    by = both.view(np.int64)
    return places, np.roll(by, beyond) if beyond else by


def _next_free(wanted: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending buckets (M,) of keys that want these, ascending too, and are numbered from 0."""
    places: NDArray[np.int64] = wanted - number
    np.maximum.accumulate(places, out=places)
    places += number
    return places
