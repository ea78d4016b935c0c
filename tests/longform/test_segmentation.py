"""Segments end at pauses, are never too long, and do not depend on how the stream arrives."""

import random

import pytest
import torch
from torch import Tensor

from asr.longform.segmentation import Piece, Segmenter, SegmentSettings

BLANK, SPACE, LETTER = 0, 1, 2
SECONDS = 0.04
SETTINGS = SegmentSettings(pause=0.6, longest=8)  # 15 frames, 200 frames


def stream(path: list[int]) -> Tensor:
    rows = torch.full((len(path), 3), -5.0)
    rows[torch.arange(len(path)), path] = -0.01
    rows[:, 2] += torch.arange(len(path)) * 1e-6  # so that each row is known again
    return rows


def cut(rows: Tensor, sizes: list[int], settings: SegmentSettings = SETTINGS) -> list[Piece]:
    segmenter = Segmenter(settings, SECONDS, SPACE)
    pieces, start = [], 0
    for size in sizes:
        pieces += segmenter.add(rows[start : start + size], last=False)
        start += size
    return pieces + segmenter.add(rows[start:], last=True)


def random_path(seed: int) -> list[int]:
    chance = random.Random(seed)
    path: list[int] = []
    while len(path) < 3000:
        path += [BLANK] * chance.choice([0, 1, 2, 5, 10, 20, 60])
        path += chance.choices([LETTER, SPACE, BLANK], k=chance.randint(1, 90))
    return path


@pytest.mark.parametrize("seed", range(5))
def test_every_sound_is_in_one_piece_in_its_place(seed: int) -> None:
    path = random_path(seed)
    rows = stream(path)
    pieces = cut(rows, [])
    assert len(pieces) > 10
    reached = 0
    for piece in pieces:
        assert piece.start >= reached
        assert LETTER not in path[reached : piece.start]
        reached = piece.start + len(piece.rows)
        assert torch.equal(piece.rows, rows[piece.start : reached])
        assert LETTER in path[piece.start : reached], "silence is no piece"
        assert len(piece.rows) <= 200 + 15
    assert LETTER not in path[reached:]


@pytest.mark.parametrize("seed", range(5))
def test_how_the_stream_arrives_changes_nothing(seed: int) -> None:
    rows = stream(random_path(seed))
    chance = random.Random(seed)
    whole = cut(rows, [])
    for most in (1, 40, 900):
        sizes = [chance.randint(0, most) for _ in range(2 * len(rows) // (most + 1))]
        pieces = cut(rows, sizes)
        assert [one.start for one in pieces] == [one.start for one in whole]
        assert all(torch.equal(a.rows, b.rows) for a, b in zip(pieces, whole, strict=True))


def test_a_pause_ends_a_piece_in_its_middle_and_a_gap_does_not() -> None:
    path = [LETTER] * 10 + [BLANK] * 14 + [LETTER] * 10 + [BLANK] * 15 + [LETTER] * 10
    pieces = cut(stream(path), [])
    assert [(one.start, one.start + len(one.rows)) for one in pieces] == [(0, 41), (42, 59)]


def test_a_space_is_no_sound() -> None:
    path = [LETTER] * 10 + [BLANK] * 8 + [SPACE] + [BLANK] * 8 + [LETTER] * 10
    assert len(cut(stream(path), [])) == 2


def test_speech_without_a_pause_is_cut_at_its_longest_gap() -> None:
    path = ([LETTER, BLANK] * 75 + [BLANK] * 7 + [LETTER, BLANK] * 75) * 2
    pieces = cut(stream(path), [])
    assert 150 <= pieces[1].start <= 157
    assert all(len(one.rows) <= 200 for one in pieces)


def test_of_silence_nothing_is_left() -> None:
    assert cut(stream([BLANK] * 1000), [100] * 9) == []
    assert cut(stream([BLANK, SPACE] * 100), []) == []
