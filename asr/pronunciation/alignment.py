"""Which letters of a word stand for which of its phones, found by what goes together often."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.pronunciation.dictionary import Phones

Graphone = tuple[str, Phones]  # a letter and the phones it stands for: none, one or two

_MOST = 2  # phones of one letter: the x of "box"
_ROUNDS = 6
_NEAR = 0.25  # of a word's length, how far apart letter and phone may stand at first
_UNSEEN = 0.01  # counts, of what was never aligned
_ENOUGH = 20000  # words to learn from which letters and phones go together

_Reals = NDArray[np.float32]
_Ids = NDArray[np.int32]


@dataclass(frozen=True)
class _Words:
    """Spellings and pronunciations as padded numbers."""

    letters: _Ids  # (N, L)
    phones: _Ids  # (N, M)
    letter_counts: _Ids  # (N,)
    phone_counts: _Ids  # (N,)


@dataclass(frozen=True)
class _Costs:
    """Log-probability of the phones that a letter stands for."""

    none: _Reals  # (A,)
    one: _Reals  # (A, P)
    two: _Reals  # (A, P, P)


def align_letters(pairs: Sequence[tuple[str, Phones]]) -> list[list[Graphone]]:
    """Align spellings with pronunciations.

    Each letter stands for up to two phones, as it most probably does given how all pairs are
    aligned (Viterbi training, from letters and phones that stand at like places).

    Args:
        pairs: words and their phones; one that has more than two phones a letter cannot be aligned
            and is not in the answer.

    Returns:
        For each pair, its letters in order, with the phones of each.
    """
    usable = [pair for pair in pairs if 0 < len(pair[1]) <= _MOST * len(pair[0])]
    if not usable:
        return []
    letters = sorted({letter for word, _ in usable for letter in word})
    phones = sorted({phone for _, said in usable for phone in said})
    some = _number(usable[:: -(-len(usable) // _ENOUGH)], letters, phones)
    costs = _first_costs(some, len(letters), len(phones))
    for _ in range(_ROUNDS):
        costs = _recount(some, _best_alignment(some, costs), len(letters), len(phones))
    taken = _best_alignment(_number(usable, letters, phones), costs)
    return [_graphones(pair, row) for pair, row in zip(usable, taken.tolist(), strict=True)]


def _number(
    pairs: Sequence[tuple[str, Phones]], letters: Sequence[str], phones: Sequence[str]
) -> _Words:
    letter_ids = {letter: number for number, letter in enumerate(letters)}
    phone_ids = {phone: number for number, phone in enumerate(phones)}
    return _Words(
        _pad([[letter_ids[letter] for letter in word] for word, _ in pairs]),
        _pad([[phone_ids[phone] for phone in said] for _, said in pairs]),
        np.array([len(word) for word, _ in pairs], dtype=np.int32),
        np.array([len(said) for _, said in pairs], dtype=np.int32),
    )


def _pad(rows: Sequence[Sequence[int]]) -> _Ids:
    padded = np.zeros((len(rows), max(map(len, rows))), dtype=np.int32)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def _first_costs(words: _Words, letters: int, phones: int) -> _Costs:
    """What stands at like places of a word goes together."""
    counts = np.full((letters, phones), _UNSEEN)
    for i in range(words.letters.shape[1]):
        for j in range(words.phones.shape[1]):
            place = (i + 0.5) / words.letter_counts - (j + 0.5) / words.phone_counts
            both = (i < words.letter_counts) & (j < words.phone_counts) & (abs(place) < _NEAR)
            np.add.at(counts, (words.letters[both, i], words.phones[both, j]), 1.0)
    one = np.log(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    rare = np.float32(np.log(0.05))
    return _Costs(np.full(letters, rare), one, one[:, :, None] + one[:, None, :] + rare)


def _best_alignment(words: _Words, costs: _Costs) -> _Ids:
    """(N, L): how many phones each letter takes."""
    count, longest = words.letters.shape
    places = words.phones.shape[1] + 1
    score = np.full((count, places), -np.inf, dtype=np.float32)
    score[:, 0] = 0.0
    taken = np.zeros((count, longest, places), dtype=np.int8)
    for i in range(longest):
        letter = words.letters[:, i, None]
        best = score + costs.none[letter]
        for many, cost in (
            (1, costs.one[letter, words.phones]),
            (2, costs.two[letter, words.phones[:, :-1], words.phones[:, 1:]]),
        ):
            reached = score[:, :-many] + cost
            better = reached > best[:, many:]
            best[:, many:][better] = reached[better]
            taken[:, i, many:][better] = many
        # Past its last letter a word stays as it is.
        inside = (i < words.letter_counts)[:, None]
        score = np.where(inside, best, score)
    chosen = np.zeros((count, longest), dtype=np.int32)
    place, rows = words.phone_counts.copy(), np.arange(count)
    for i in reversed(range(longest)):
        chosen[:, i] = np.where(i < words.letter_counts, taken[rows, i, place], 0)
        place -= chosen[:, i]
    return chosen


def _recount(words: _Words, taken: _Ids, letters: int, phones: int) -> _Costs:
    none = np.full(letters, _UNSEEN)
    one = np.full((letters, phones), _UNSEEN)
    two = np.full((letters, phones, phones), _UNSEEN / phones)
    place = np.cumsum(taken, axis=1) - taken
    for i in range(taken.shape[1]):
        inside = i < words.letter_counts
        for many in range(_MOST + 1):
            rows = np.flatnonzero(inside & (taken[:, i] == many))
            letter = words.letters[rows, i]
            first = words.phones[rows, place[rows, i].clip(max=words.phones.shape[1] - 1)]
            if many == 0:
                np.add.at(none, letter, 1.0)
            elif many == 1:
                np.add.at(one, (letter, first), 1.0)
            else:
                np.add.at(two, (letter, first, words.phones[rows, place[rows, i] + 1]), 1.0)
    total = none + one.sum(axis=1) + two.sum(axis=(1, 2))
    return _Costs(
        np.log(none / total).astype(np.float32),
        np.log(one / total[:, None]).astype(np.float32),
        np.log(two / total[:, None, None]).astype(np.float32),
    )


def _graphones(pair: tuple[str, Phones], taken: Sequence[int]) -> list[Graphone]:
    word, said = pair
    found, place = [], 0
    for letter, many in zip(word, taken, strict=False):
        found.append((letter, said[place : place + many]))
        place += many
    return found
