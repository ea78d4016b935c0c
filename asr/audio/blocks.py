"""Read a recording of any length block by block, in memory that does not grow with it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.audio.reading import open_recording
from asr.audio.recording import Part, Recording
from asr.audio.waveform import QUALITY, refuse_not_finite
from asr.errors import AudioError


def read_blocks(
    path: Path,
    sample_rate: int,
    *,
    channel: int | None = None,
    offset: float = 0.0,
    duration: float | None = None,
    seconds: float = 10.0,
) -> Iterator[NDArray[np.float32]]:
    """Yield a recording as (N,) blocks of samples at `sample_rate`, never empty.

    Together they are what `load_audio` and `resample` give, whatever the length of the blocks: the
    resampler carries its state from one to the next.

    Args:
        path: a file that `load_audio` reads.
        sample_rate: Hz of the blocks.
        channel: which channel, from 1; None mixes all down to one.
        offset: seconds to leave out at the start.
        duration: seconds to read; None reads to the end.
        seconds: about how long a block is; the last may be shorter.

    Raises:
        AudioError: as `load_audio`, for a channel that is not there, and for samples that are not
            numbers; from the first block on, or where it shows.
    """
    with open_recording(path) as recording:
        rate = recording.sample_rate
        blocks = _one_channel(recording, channel, Part(offset, duration), seconds)
        if rate == sample_rate:
            yield from blocks
            return
        stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality=QUALITY)
        for block in blocks:
            resampled = stream.resample_chunk(block)
            if len(resampled):
                yield resampled
        rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
        if len(rest):
            yield rest


def _one_channel(
    recording: Recording, channel: int | None, part: Part, seconds: float
) -> Iterator[NDArray[np.float32]]:
    if channel is not None and not 1 <= channel <= recording.channels:
        raise AudioError(
            f"{recording.path}: channel {channel} was asked for; the recording has "
            f"{recording.channels}, counted from 1"
        )
    size = max(1, round(seconds * recording.sample_rate))
    for block in recording.blocks(part, size):
        mono = block.mean(axis=1) if channel is None else block[:, channel - 1].copy()
        refuse_not_finite(mono, recording.path)
        yield mono
