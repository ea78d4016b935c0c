"""Segmentation: a stream of log-probabilities cut at pauses into what is decoded at once."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from asr.settings import Settings


class SegmentSettings(Settings):
    """Where one segment ends."""

    pause: float = Field(default=0.6, gt=0)  # seconds without a token, at which a segment ends
    longest: float = Field(default=30.0, ge=1)  # seconds; then it ends at its longest pause


@dataclass(frozen=True)
class Piece:
    """What is decoded at once."""

    start: int  # encoder frame of the recording
    rows: Tensor  # (U, V) log-probabilities


class Segmenter:
    """Cuts the stream of one recording; of silence nothing is left."""

    def __init__(
        self, settings: SegmentSettings, frame_seconds: float, space: int | None = None
    ) -> None:
        """`space` is the token between words, which is no sound."""
        self._pause = max(1, round(settings.pause / frame_seconds))
        self._longest = max(self._pause, round(settings.longest / frame_seconds))
        self._space = space
        self._rows: Tensor | None = None
        self._start = 0  # encoder frame of the first row held

    def add(self, rows: Tensor, *, last: bool) -> list[Piece]:
        """Add log-probabilities (N, V); the pieces that are complete.

        They do not depend on how many rows are added at a time.
        """
        held = torch.cat([self._rows, rows]) if self._rows is not None else rows
        pieces = []
        while True:
            sounds = torch.nonzero(self._sounds(held)).flatten()
            # Of silence, what may be the beginning of a word is kept.
            silent = int(sounds[0]) if len(sounds) else len(held)
            dropped = max(0, silent - self._pause // 2)
            held, self._start = held[dropped:], self._start + dropped
            end = self._end((sounds - dropped).tolist(), len(held), last=last)
            if end is None:
                break
            pieces.append(Piece(self._start, held[:end]))
            held, self._start = held[end:], self._start + end
        self._rows = held
        return pieces

    @property
    def held(self) -> Tensor:
        """(N, V) what is in no piece yet."""
        assert self._rows is not None
        return self._rows

    def _end(self, sounds: list[int], count: int, *, last: bool) -> int | None:
        """Where the first piece ends; None: that is not certain yet, or there is none."""
        for sound, following in pairwise([*sounds, count]):
            if sound >= self._longest:
                return self._middle_of_the_longest_pause(sounds)
            if following - sound > self._pause:
                return sound + 1 + self._pause // 2
        return count if last and sounds else None

    def _middle_of_the_longest_pause(self, sounds: list[int]) -> int:
        """In the second half of the longest piece there may be."""
        bounded = [min(sound, self._longest) for sound in sounds]
        _, before, after = max(
            (after - before, before, after)
            for before, after in pairwise(bounded)
            if after > self._longest // 2
        )
        return (before + after + 1) // 2

    def _sounds(self, rows: Tensor) -> Tensor:
        """(N,) whether the best token of a frame is one that is heard."""
        best = rows.argmax(dim=1)
        heard = best != 0
        return heard if self._space is None else heard & (best != self._space)
