"""Waveforms: read any recording that libsndfile reads, as one channel at any rate."""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from asr.errors import AudioError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf")

_SILENCE_PEAK = 1e-4  # -80 dB of full scale: below a 16-bit recorder's own noise
_DURATION_TOLERANCE = 0.05  # seconds a manifest may be off, by rounding or by a codec's padding


@dataclass(frozen=True)
class Waveform:
    """One channel of sound."""

    samples: NDArray[np.float32]  # (N,), full scale is -1 to 1
    sample_rate: int  # Hz

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    duration: float  # seconds
    sample_rate: int  # Hz
    channels: int


def read_info(path: Path) -> AudioInfo:
    """Read a file's length, rate and channels without decoding it.

    Raises:
        AudioError: the file is missing, empty, or not audio.
    """
    with _open(path) as file:
        return AudioInfo(file.frames / file.samplerate, file.samplerate, file.channels)


def load_audio(path: Path, *, offset: float = 0.0, duration: float | None = None) -> Waveform:
    """Read a recording, or the part of it from `offset` on, mixed down to one channel.

    Args:
        path: a file that libsndfile reads (wav, flac, ogg, opus, mp3 and others).
        offset: seconds to leave out at the start.
        duration: seconds to read; None reads to the end.

    Raises:
        AudioError: the file is missing, empty, cut short, or not audio.
    """
    with _open(path) as file:
        _refuse_cut_wav(path)
        rate = file.samplerate
        start = round(offset * rate)
        count = file.frames - start if duration is None else round(duration * rate)
        if start >= file.frames or start + count > file.frames + _DURATION_TOLERANCE * rate:
            raise AudioError(
                f"{path}: the file ends after {file.frames / rate:.2f} s, but "
                f"{offset:.2f} s to {(start + count) / rate:.2f} s was asked for; "
                "the recording is cut short or the manifest is wrong: copy or prepare it again",
                "wrong-duration",
            )
        try:
            file.seek(start)
            samples = file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{path}: damaged or cut short ({error.error_string.rstrip('.')}); "
                "copy the file again",
                "damaged",
            ) from None
        expected = min(count, file.frames - start)
    if len(samples) < expected:
        raise AudioError(
            f"{path}: cut short: the header promises {expected / rate:.2f} s, "
            f"{len(samples) / rate:.2f} s could be read; copy the file again",
            "cut-short",
        )
    return Waveform(np.ascontiguousarray(samples.mean(axis=1)), rate)


def resample(waveform: Waveform, sample_rate: int) -> Waveform:
    """Convert to another sample rate (band-limited; soxr, high quality)."""
    if waveform.sample_rate == sample_rate:
        return waveform
    samples = soxr.resample(waveform.samples, waveform.sample_rate, sample_rate, quality="HQ")
    return Waveform(samples.astype(np.float32, copy=False), sample_rate)


def refuse_silence(waveform: Waveform, path: Path) -> None:
    """Raise AudioError where a recording has no sound, or numbers that are no sound, in it."""
    peak = float(np.abs(waveform.samples).max(initial=0.0))
    refuse_silent_peak(peak, waveform.duration, str(path))


def refuse_silent_peak(peak: float, seconds: float, name: str) -> None:
    """Raise AudioError where the loudest sample of a recording is none, or no number."""
    if not math.isfinite(peak):
        raise AudioError(
            f"{name}: has samples that are not numbers (NaN or infinite); record again",
            "not-finite",
        )
    if peak < _SILENCE_PEAK:
        raise AudioError(
            f"{name}: silent: the loudest of {seconds:.2f} s is {peak:.1e} of full scale "
            f"(expected {_SILENCE_PEAK:.0e} or more); check the microphone or the channel",
            "silent",
        )


def _open(path: Path) -> Any:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise AudioError(f"{path}: {what}; expected an audio file")
    if path.stat().st_size == 0:
        raise AudioError(
            f"{path}: the file is empty (0 bytes); copy or record it again", "empty-audio"
        )
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path}: not audio that can be read ({error.error_string.rstrip('.')}); "
            "expected wav, flac, ogg, opus or mp3"
        ) from None
    if file.frames == 0:
        file.close()
        raise AudioError(
            f"{path}: the file has no samples (0.00 s); record it again", "empty-audio"
        )
    return file


def _refuse_cut_wav(path: Path) -> None:
    """Find WAV files shorter than their header says; libsndfile reads those without a word."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        size = path.stat().st_size
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                # 0 and all ones are what programs write that stream to a pipe: length unknown.
                if length not in (0, 0xFFFFFFFF) and file.tell() + length > size:
                    raise AudioError(
                        f"{path}: cut short: the header promises {length} bytes of sound, "
                        f"{size - file.tell()} are there; copy the file again",
                        "cut-short",
                    )
                return
            file.seek(length + length % 2, 1)
