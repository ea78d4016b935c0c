"""Streams of samples are read as they come, whatever recorder writes them."""

import io
import struct

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from asr.errors import AudioError
from asr.live.pcm import read_pcm

SAMPLES = (0.5 * np.sin(np.arange(8000) / 5)).astype(np.float32)


class Pipe(io.BytesIO):
    """Gives a few bytes at a time, as pipes do."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1001, 1001))


def wav(samples: NDArray[np.float32], rate: int, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def heard(data: bytes, rate: int = 8000) -> NDArray[np.float32]:
    blocks = list(read_pcm(Pipe(data), rate))
    return np.concatenate(blocks)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
def test_wav_is_what_libsndfile_reads(subtype: str) -> None:
    stereo = np.stack([SAMPLES, 0 * SAMPLES], axis=1)
    data = wav(stereo, 8000, subtype)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert np.allclose(heard(data), expected.mean(axis=1), atol=1e-6)


def test_a_recorder_does_not_know_the_length() -> None:
    data = bytearray(wav(SAMPLES, 8000, "PCM_16"))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert len(heard(bytes(data))) == len(SAMPLES)


def test_without_a_header_they_are_16_bit_samples_at_the_models_rate() -> None:
    values = (SAMPLES * 32767).astype("<i2")
    assert np.allclose(heard(values.tobytes()), values / 32768)


def test_another_rate_is_resampled() -> None:
    found = heard(wav(SAMPLES, 8000, "FLOAT"), rate=16000)
    whole = soxr.resample(SAMPLES, 8000, 16000)
    assert len(found) == len(whole)
    assert np.abs(found - whole).max() < 1e-3


def test_an_odd_byte_at_the_end_is_no_sample() -> None:
    assert len(heard((SAMPLES * 32767).astype("<i2").tobytes() + b"x")) == len(SAMPLES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "nothing came on standard input"),
        (b"fLaC" + bytes(100), "a file of another kind came; --stream expects WAV"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(90), "a file of another kind came"),
        (b"RIFX" + bytes(4) + b"WAVE" + bytes(90), "a file of another kind came"),
        (wav(SAMPLES * np.nan, 8000, "FLOAT"), "samples that are not numbers came"),
        (wav(SAMPLES, 8000, "PCM_24"), "a WAV of 24 bits and type 1 came"),
        (wav(SAMPLES, 8000, "PCM_16")[:30], "the WAV header is damaged"),
        (b"RIFF" + struct.pack("<I", 50) + b"WAVEdata" + bytes(4), "the WAV header is damaged"),
    ],
)
def test_what_is_no_stream_of_samples_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        heard(data)


def test_what_follows_the_samples_in_a_wav_is_no_sound() -> None:
    data = wav(SAMPLES, 8000, "PCM_16") + b"LIST" + struct.pack("<I", 4000) + b"x" * 4000
    assert len(heard(data)) == len(SAMPLES)


@pytest.mark.parametrize("format", ["RF64", "AIFF", "CAF", "AU", "W64"])
def test_other_files_are_not_heard_as_samples(format: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 8000, format=format, subtype="PCM_16")
    with pytest.raises(AudioError, match="a file of another kind came"):
        heard(file.getvalue())
