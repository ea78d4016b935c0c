"""Waveforms: samples of one channel, at any rate."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.errors import AudioError

QUALITY = "HQ"  # soxr's: what is left of frequencies that the new rate cannot hold is below -120 dB

_SILENCE_PEAK = 1e-4  # -80 dB of full scale: below a 16-bit recorder's own noise


@dataclass(frozen=True)
class Waveform:
    """One channel of sound."""

    samples: NDArray[np.float32]  # (N,), full scale is -1 to 1
    sample_rate: int  # Hz

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def resample(waveform: Waveform, sample_rate: int) -> Waveform:
    """Convert to another sample rate (band-limited; soxr, high quality)."""
    if waveform.sample_rate == sample_rate:
        return waveform
    samples = soxr.resample(waveform.samples, waveform.sample_rate, sample_rate, quality=QUALITY)
    return Waveform(samples.astype(np.float32, copy=False), sample_rate)


def refuse_silence(waveform: Waveform, path: Path) -> None:
    """Raise AudioError where a recording has no sound, or numbers that are no sound, in it."""
    refuse_not_finite(waveform.samples, path)
    peak = float(np.abs(waveform.samples).max(initial=0.0))
    refuse_silent_peak(peak, waveform.duration, str(path))


def refuse_silent_peak(peak: float, seconds: float, name: str) -> None:
    """Raise AudioError where the loudest sample of a recording is hardly any."""
    if peak < _SILENCE_PEAK:
        raise AudioError(
            f"{name}: silent: the loudest of {seconds:.2f} s is {peak:.1e} of full scale "
            f"(expected {_SILENCE_PEAK:.0e} or more); check the microphone or the channel",
            "silent",
            number=peak,
            threshold=_SILENCE_PEAK,
        )


def refuse_not_finite(samples: NDArray[np.float32], path: Path) -> None:
    """Raise AudioError where a recording has samples that are NaN or infinite."""
    if not math.isfinite(float(np.abs(samples).max(initial=0.0))):
        count = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(
            f"{path}: has {count:,} samples that are not numbers (NaN or infinite); record again",
            "not-finite",
            number=count,
            threshold=0,
        )
