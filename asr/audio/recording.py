"""What the readers of recordings share: the part that is asked for, and how files fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr.errors import AudioError

# What is searched for in folders; a file that is named is opened whatever it is called.
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2"),
    *(".aiff", ".aif", ".au", ".snd", ".w64", ".rf64", ".caf", ".sph", ".voc"),
    *(".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".webm", ".weba", ".mkv", ".mka"),
    *(".wma", ".wmv", ".asf", ".avi", ".flv", ".ogv", ".rm", ".mpg", ".mpeg", ".ts", ".mxf"),
    *(".aac", ".amr", ".awb", ".ac3", ".eac3", ".dts", ".ape", ".wv", ".tta", ".mpc", ".dsf"),
)


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    duration: float  # seconds
    sample_rate: int  # Hz
    channels: int


@dataclass(frozen=True)
class Part:
    """The part of a recording that is asked for."""

    offset: float = 0.0  # seconds to leave out at the start
    duration: float | None = None  # seconds; None: to the end

    def frames(self, sample_rate: int) -> tuple[int, int | None]:
        """Return the first frame and the number of frames, None for all that follow."""
        count = None if self.duration is None else round(self.duration * sample_rate)
        return round(self.offset * sample_rate), count


class Recording(Protocol):
    """An open file of sound, read once from front to back."""

    path: Path
    sample_rate: int  # Hz
    channels: int

    def info(self) -> AudioInfo:
        """Length, rate and channels."""

    def blocks(self, part: Part, size: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield a part as (N, C) blocks of `size` frames, or a few more; None: all in one.

        Raises:
            AudioError: while reading, as soon as it shows that the file is damaged or cut short, or
                ends before the part does.
        """

    def close(self) -> None:
        """Close the file."""


def outside(path: Path, part: Part, seconds: float) -> AudioError:
    """Make the error of a part that is not all in the file, which is `seconds` long."""
    end = seconds if part.duration is None else part.offset + part.duration
    return AudioError(
        f"{path}: the file ends after {seconds:.2f} s, but "
        f"{part.offset:.2f} s to {end:.2f} s was asked for; "
        "the recording is cut short or the manifest is wrong: copy or prepare it again",
        "wrong-duration",
        number=seconds,
        threshold=max(part.offset, end),
    )


def cut_short(path: Path, promised: float, read: float) -> AudioError:
    """Make the error of a file with less sound, in seconds, than its header promises."""
    return AudioError(
        f"{path}: cut short: the header promises {promised:.2f} s, "
        f"{read:.2f} s could be read; copy the file again",
        "cut-short",
        number=read,
        threshold=promised,
    )


def damaged(path: Path, reason: str) -> AudioError:
    """Make the error of a file that cannot be decoded to its end."""
    return AudioError(
        f"{path}: damaged or cut short ({reason.rstrip('.')}); copy the file again", "damaged"
    )
