from pathlib import Path

import numpy as np
import pytest
from sound_files import RATE, loudest_frequency, sine

from asr.audio import Waveform, refuse_silence, resample
from asr.errors import AudioError


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (16000, 8000), (44100, 16000)])
def test_resampling_keeps_pitch_length_and_loudness(old: int, new: int) -> None:
    waveform = resample(Waveform(sine(440, 1.0, old), old), new)
    assert waveform.sample_rate == new
    assert waveform.duration == pytest.approx(1.0, abs=2 / new)
    assert loudest_frequency(waveform) == pytest.approx(440, abs=1.5)
    middle = waveform.samples[new // 4 : -new // 4]
    np.testing.assert_allclose(
        middle, sine(440, 1.0, new)[new // 4 : new // 4 + len(middle)], atol=2e-3
    )


def test_resampling_removes_what_the_new_rate_cannot_hold() -> None:
    waveform = resample(Waveform(sine(6000, 1.0), RATE), 8000)
    assert np.abs(waveform.samples[1000:-1000]).max() < 1e-3


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    waveform = Waveform(sine(440, 0.1), RATE)
    assert resample(waveform, RATE) is waveform


def test_silence_is_refused_and_a_whisper_is_not() -> None:
    refuse_silence(Waveform(sine(440, 0.1) * 1e-3, RATE), Path("a.wav"))
    with pytest.raises(AudioError, match=r"a\.wav: silent: the loudest of 0\.10 s") as error:
        refuse_silence(Waveform(np.zeros(1600, np.float32), RATE), Path("a.wav"))
    assert error.value.problem == "silent"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = sine(440, 0.1)
    samples[7] = value
    with pytest.raises(AudioError, match=r"not numbers \(NaN or infinite\)") as error:
        refuse_silence(Waveform(samples, RATE), Path("a.wav"))
    assert error.value.problem == "not-finite"
