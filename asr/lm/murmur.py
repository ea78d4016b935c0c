"""MurmurHash64A (Appleby 2010) of many strings at once: by it KenLM knows words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)
_BLOCK = 8  # bytes that are mixed in at a time


def murmur_hash(strings: Sequence[bytes]) -> Hashes:
    """The hashes (M,) of strings, with the seed 0."""
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    text = np.frombuffer(b"".join(strings) + bytes(_BLOCK), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths
    hashes = lengths.astype(np.uint64) * _FACTOR
    for length in np.unique(lengths).tolist():
        mine = np.flatnonzero(lengths == length)
        # (M, blocks): what is behind a string's end is masked away.
        blocks = -(-length // _BLOCK)
        places = starts[mine, None] + np.arange(blocks * _BLOCK)
        rows = text[np.minimum(places, len(text) - 1)]
        rows[:, length:] = 0
        hashes[mine] = _mix(hashes[mine], rows.view("<u8").astype(np.uint64), length)
    return hashes


def _mix(hashes: Hashes, blocks: Hashes, length: int) -> Hashes:
    whole = length // _BLOCK
    for block in blocks.T[:whole]:
        mixed = block * _FACTOR
        mixed = (mixed ^ (mixed >> _SHIFT)) * _FACTOR
        hashes = (hashes ^ mixed) * _FACTOR
    for rest in blocks.T[whole:]:  # one at most, not full
        hashes = (hashes ^ rest) * _FACTOR
    hashes = (hashes ^ (hashes >> _SHIFT)) * _FACTOR
    return hashes ^ (hashes >> _SHIFT)
