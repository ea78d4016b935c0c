import base64
import io
import re

import librosa
import numpy as np
import pytest
from PIL import Image

from asr.audio import Waveform
from asr.illustration.sound import (
    ENVELOPE_HEIGHT,
    ENVELOPE_WIDTH,
    envelope_path,
    mel_decibels,
    peak_db,
    spectrogram_uri,
)

RATES = [8000, 16000, 44100]


def tone(rate: int, hertz: float = 1000.0, *, begin: float = 0.0) -> Waveform:
    """A second, silent before the tone begins, at half of full scale."""
    time = np.arange(rate) / rate
    samples = 0.5 * np.sin(2 * np.pi * hertz * time) * (time >= begin)
    return Waveform(samples.astype(np.float32), rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_filter_of_its_pitch(rate: int, hertz: float) -> None:
    loudest = mel_decibels(tone(rate, hertz)).mean(axis=1).argmax()
    centres = librosa.mel_frequencies(82, fmin=0.0, fmax=min(rate / 2, 8000.0))[1:-1]
    assert loudest == pytest.approx(np.abs(centres - hertz).argmin(), abs=1)


@pytest.mark.parametrize("rate", RATES)
def test_columns_share_the_time_equally(rate: int) -> None:
    loudest = mel_decibels(tone(rate, begin=0.6)).max(axis=0)
    assert len(loudest) == 100  # of 10 ms
    assert loudest[:55].max() < -60
    assert loudest[65:95].min() > -3


def test_a_long_recording_has_no_more_columns_than_a_screen() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 8000 * 100).astype(np.float32)
    assert mel_decibels(Waveform(noise, 8000)).shape == (80, 1200)


@pytest.mark.parametrize("count", [0, 1, 700])
def test_silence_and_hardly_any_sound_have_pictures(count: int) -> None:
    silence = Waveform(np.zeros(count, np.float32), 8000)
    assert (mel_decibels(silence) == -80).all()
    assert peak_db(silence) == -np.inf
    assert spectrogram_uri(silence).startswith("data:image/webp;base64,")
    assert envelope_path(silence).count(",") == 2 * min(count, ENVELOPE_WIDTH)


def test_the_spectrogram_is_an_image_with_low_tones_below() -> None:
    head, content = spectrogram_uri(tone(16000, 300.0)).split(",")
    assert head == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert image.size == (100, 80)
    assert np.asarray(image).sum(axis=(1, 2)).argmax() > 60
    assert len(content) < 10_000


def test_the_envelope_reaches_its_height_where_the_sound_is_loudest() -> None:
    samples = np.full(8000, 0.01, np.float32)
    samples[6000] = -0.25
    waveform = Waveform(samples, 8000)
    points = re.findall(r"([\d.e+]+),(-?\d+)", envelope_path(waveform))
    lowest = max(points, key=lambda point: int(point[1]))
    assert int(lowest[1]) == ENVELOPE_HEIGHT
    assert float(lowest[0]) / ENVELOPE_WIDTH == pytest.approx(6000 / 8000, abs=0.01)
    assert peak_db(waveform) == pytest.approx(-12.04, abs=0.01)
