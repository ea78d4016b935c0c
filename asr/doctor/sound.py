"""What can be measured of one recording. Processes of their own do it: nothing slow is imported."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.audio import Waveform, read_info, refuse_silence
from asr.audio.reading import open_recording
from asr.audio.recording import Part
from asr.doctor.problems import Trouble
from asr.doctor.settings import CheckSettings
from asr.errors import AudioError
from asr.manifest import Utterance

_BLOCK_SECONDS = 60.0
_FULL_SCALE = 0.999  # of 16 bits and more, and of 8 bits with a sign
_CLIPPED_RUN = 3  # samples; two that are equal at the top of a wave are chance
_LOUD = 0.05  # quieter recordings seem to have flat tops where one step follows the other
_DEAD_PEAK = 1e-4  # -80 dB of full scale


@dataclass(frozen=True)
class Sound:
    """What came of opening one utterance's recording."""

    seconds: float | None = None  # None: not decoded
    digest: bytes = b""  # of the samples, mixed down
    file_seconds: float = 0.0
    sample_rate: int = 0  # Hz; 0: not known
    channels: int = 0
    clipped_share: float = 0.0  # of the samples, in the channel that has most of them
    dc_offset: float = 0.0  # mean of the samples over their RMS, in the worst channel
    dead_channels: int = 0
    trouble: Trouble | None = None  # why it cannot be used


def listen(utterance: Utterance, settings: CheckSettings) -> Sound:
    """Open the recording of one utterance and measure its part of it."""
    path = utterance.audio_path
    try:
        info = read_info(path)
        length = _length_trouble(utterance.duration, settings)
        if length:
            # Not decoded: an hour of samples in every process could fill the memory.
            return Sound(sample_rate=info.sample_rate, channels=info.channels, trouble=length)
        with open_recording(path) as recording:
            rate = recording.sample_rate
            part = Part(utterance.offset, utterance.duration)
            measured = _measure(recording.blocks(part, round(_BLOCK_SECONDS * rate)))
        waveform = Waveform(measured.mixed, rate)
        refuse_silence(waveform, path)
    except AudioError as error:
        detail = str(error).removeprefix(f"{path}: ")
        return Sound(trouble=Trouble(error.problem, detail, error.number, error.threshold))
    except OSError as error:
        return Sound(trouble=Trouble("unreadable", str(error)))
    return Sound(
        seconds=waveform.duration,
        digest=hashlib.blake2b(waveform.samples.tobytes(), digest_size=16).digest(),
        file_seconds=info.duration,
        sample_rate=rate,
        channels=info.channels,
        clipped_share=measured.clipped_share,
        dc_offset=measured.dc_offset,
        dead_channels=measured.dead_channels,
    )


def _length_trouble(seconds: float, settings: CheckSettings) -> Trouble | None:
    least, most = settings.min_seconds, settings.max_seconds
    if seconds < least:
        return Trouble("too-short", f"{seconds:.3f} s, at least {least:g} s", seconds, least)
    if seconds > most:
        return Trouble("too-long", f"{seconds:.1f} s, at most {most:g} s", seconds, most)
    return None


@dataclass(frozen=True)
class _Measured:
    mixed: NDArray[np.float32]  # (N,)
    clipped_share: float
    dc_offset: float
    dead_channels: int


def _measure(blocks: Iterable[NDArray[np.float32]]) -> _Measured:
    """Measure (N, C) blocks, channel by channel, and mix them down."""
    mixed, sums, squares, peaks, clipped = [], [], [], [], []
    for block in blocks:
        mixed.append(block.mean(axis=1))
        sums.append(block.sum(axis=0, dtype=np.float64))
        squares.append(np.einsum("nc,nc->c", block, block, dtype=np.float64))
        peaks.append(np.abs(block).max(axis=0, initial=0.0))
        clipped.append([_clipped(channel) for channel in block.T])
    if not mixed:
        return _Measured(np.zeros(0, np.float32), 0.0, 0.0, 0)
    samples = np.concatenate(mixed)
    count = max(1, len(samples))
    rms = np.sqrt(np.sum(squares, axis=0) / count)
    means = np.abs(np.sum(sums, axis=0)) / count
    # A mean that no 16-bit file could tell from rounding is none.
    offsets = np.where(means > _DEAD_PEAK, means / np.maximum(rms, _DEAD_PEAK), 0.0)
    dead = int(np.sum(np.max(peaks, axis=0) < _DEAD_PEAK))
    share = float(np.max(np.sum(clipped, axis=0))) / count
    return _Measured(samples, share, float(offsets.max()), dead)


def _clipped(samples: NDArray[np.float32]) -> int:
    """How many samples lie in runs at full scale, or at the highest value where that is lower.

    A recording that was made quieter after it had been clipped has its flat tops below full scale.
    """
    highest, lowest = float(samples.max(initial=0.0)), float(samples.min(initial=0.0))
    if max(highest, -lowest) < _LOUD:
        return 0
    # Each side by itself: converters do not always round both alike.
    top = samples >= np.float32(min(_FULL_SCALE, highest))
    bottom = samples <= np.float32(max(-_FULL_SCALE, lowest))
    if np.count_nonzero(top | bottom) < _CLIPPED_RUN:
        return 0
    side = top.astype(np.int8) - bottom.astype(np.int8)
    edges = np.flatnonzero(np.diff(side, prepend=0, append=0))
    lengths, sides = np.diff(edges), side[edges[:-1]]
    return int(lengths[(sides != 0) & (lengths >= _CLIPPED_RUN)].sum())
