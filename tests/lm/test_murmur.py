"""The hash of words: against its published steps, one byte after the other."""

import random

import numpy as np

from asr.lm.murmur import murmur_hash

FACTOR, MASK = 0xC6A4A7935BD1E995, 2**64 - 1


def one_by_one(text: bytes) -> int:
    """MurmurHash64A of a string in plain integers, with the seed 0."""
    found = len(text) * FACTOR & MASK
    whole = len(text) // 8 * 8
    for start in range(0, whole, 8):
        block = int.from_bytes(text[start : start + 8], "little") * FACTOR & MASK
        block = (block ^ block >> 47) * FACTOR & MASK
        found = (found ^ block) * FACTOR & MASK
    if text[whole:]:
        found = (found ^ int.from_bytes(text[whole:], "little")) * FACTOR & MASK
    found = (found ^ found >> 47) * FACTOR & MASK
    return found ^ found >> 47


def test_strings_of_all_lengths_hash_as_one_by_one() -> None:
    chance = random.Random(1)
    strings = [chance.randbytes(length) for length in range(40) for _ in range(5)]
    chance.shuffle(strings)
    assert murmur_hash(strings).tolist() == [one_by_one(text) for text in strings]


def test_no_strings_have_no_hashes() -> None:
    assert murmur_hash([]).shape == (0,)
    assert murmur_hash([b""]).tolist() == [0]
    assert murmur_hash([b"a", b"a"]).dtype == np.uint64
