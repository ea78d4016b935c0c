"""Windows: a recording cut into pieces that a model hears at once, overlapping."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr.features import FeatureSettings
from asr.settings import Settings

Samples = NDArray[np.float32]


class WindowSettings(Settings):
    """How much of a recording is heard at once."""

    seconds: float = Field(default=30.0, ge=2)
    overlap: float = Field(default=4.0, gt=0, le=30)  # seconds that two neighbours both hear


@dataclass(frozen=True)
class Window:
    """A piece of a recording."""

    start: int  # encoder frames from the beginning of the recording
    samples: Samples  # (N,)
    last: bool


@dataclass(frozen=True)
class WindowPlan:
    """Where windows begin and end: on the frames of the encoder, so that those of all windows fall
    on one another."""

    frame: int  # samples from one encoder frame to the next
    length: int  # samples of a window
    step: int  # encoder frames from one window to the next

    @classmethod
    def make(cls, settings: WindowSettings, features: FeatureSettings, factor: int) -> "WindowPlan":
        """The plan for a model whose encoder frames have `factor` feature frames."""
        frame = factor * features.shift
        frames = max(2, round(settings.seconds * features.sample_rate / frame))
        overlap = round(settings.overlap * features.sample_rate / frame)
        overlap = max(1, min(overlap, frames // 2))
        # The last feature frame reaches beyond its shift.
        length = frames * frame - features.shift + features.fft_size
        return cls(frame, length, frames - overlap)

    def cut(self, blocks: Iterable[Samples]) -> Iterator[Window]:
        """Cut a recording, of which never more than a window and a half is held.

        What is left at the end joins the last window, which may be half as long again: a recording
        of that length is one window, and is heard as a whole.

        Args:
            blocks: its samples in order, each (n,).
        """
        held: list[Samples] = []
        count, start, advance = 0, 0, self.step * self.frame
        for block in blocks:
            held.append(block)
            count += len(block)
            while count > self.length + self.length // 2:
                samples = np.concatenate(held)
                yield Window(start, samples[: self.length], last=False)
                held, count = [samples[advance:].copy()], count - advance
                start += self.step
        yield Window(start, np.concatenate([np.zeros(0, np.float32), *held]), last=True)
