"""Measurements of recordings that were made to have what is measured."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from asr.doctor.listening import listen_all
from asr.doctor.settings import CheckSettings
from asr.doctor.sound import Sound, listen
from asr.manifest import Utterance

RATE = 8000
SETTINGS = CheckSettings()
Listener = Callable[..., Sound]


def tone(level: float = 0.3, *, pitch: float = 440.0, seconds: float = 1.0) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture
def hear(tmp_path: Path) -> Listener:
    def write_and_listen(samples: NDArray[np.float64], subtype: str = "PCM_16") -> Sound:
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
        return listen(Utterance("a", tmp_path / "a.wav", len(samples) / RATE, "yes"), SETTINGS)

    return write_and_listen


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("gain", [1.5, 3.0])
def test_the_share_of_clipped_samples_is_that_of_a_sine_beyond_full_scale(
    hear: Listener, subtype: str, gain: float
) -> None:
    """A sine of amplitude g is above 1 for 1 - 2 asin(1/g) / pi of the time."""
    sound = hear(np.clip(tone(gain, pitch=61.0), -1, 1), subtype)
    expected = 1 - 2 * np.arcsin(1 / gain) / np.pi
    assert sound.clipped_share == pytest.approx(expected, abs=0.03)


def test_clipping_is_found_after_the_level_was_lowered(hear: Listener) -> None:
    lowered = 0.4 * np.clip(tone(2.0, pitch=61.0), -1, 1)
    assert hear(lowered).clipped_share == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.99])
def test_a_clean_tone_is_not_clipped_at_any_level(hear: Listener, level: float) -> None:
    assert hear(tone(level)).clipped_share < 0.001


def test_noise_that_touches_full_scale_now_and_then_is_not_clipped(hear: Listener) -> None:
    noise = np.random.default_rng(0).normal(0, 0.4, RATE)
    assert np.sum(np.abs(noise) > 1) > 50
    assert hear(np.clip(noise, -1, 1)).clipped_share < 0.001


def test_an_offset_is_measured_in_parts_of_the_level(hear: Listener) -> None:
    """A sine of amplitude a has the mean square a²/2, and the offset its own square."""
    sound = hear(tone(0.2) + 0.1)
    assert sound.dc_offset == pytest.approx(0.1 / np.sqrt(0.02 + 0.01), rel=0.01)
    assert hear(tone(0.2)).dc_offset < 0.01


def test_channels_are_measured_one_by_one(hear: Listener) -> None:
    clipped = np.clip(tone(3.0, pitch=61.0), -1, 1)
    sound = hear(np.stack([clipped, np.zeros(RATE)], axis=1))
    assert (sound.channels, sound.dead_channels) == (2, 1)
    assert sound.clipped_share > 0.5
    assert sound.seconds == 1.0
    assert hear(np.stack([tone(), tone()], axis=1)).dead_channels == 0


def test_one_channel_that_is_silent_is_silence_and_no_dead_channel(hear: Listener) -> None:
    sound = hear(np.zeros(RATE))
    assert sound.trouble is not None
    assert sound.trouble.problem == "silent"


def test_what_keeps_a_recording_from_use_has_number_and_threshold(
    hear: Listener, tmp_path: Path
) -> None:
    def numbers(sound: Sound) -> tuple[str, float | None, float | None]:
        assert sound.trouble is not None
        return sound.trouble.problem, sound.trouble.number, sound.trouble.threshold

    path = tmp_path / "a.wav"
    assert numbers(hear(np.zeros(RATE))) == ("silent", 0.0, 1e-4)
    broken = tone()
    broken[3:5] = np.nan, np.inf
    assert numbers(hear(broken, "FLOAT")) == ("not-finite", 2, 0)
    hear(tone())
    longer = listen(Utterance("a", path, 1.5, "yes", offset=0.25), SETTINGS)
    assert numbers(longer) == ("wrong-duration", 1.0, 1.75)
    path.write_bytes(path.read_bytes()[:-1000])
    cut = listen(Utterance("a", path, 1.0, "yes"), SETTINGS)
    assert numbers(cut) == ("cut-short", 2 * RATE - 1000, 2 * RATE)
    path.write_bytes(b"")
    assert numbers(listen(Utterance("a", path, 1.0, "yes"), SETTINGS)) == ("empty-audio", 0, 1)
    path.write_text("not sound")
    none = numbers(listen(Utterance("a", path, 1.0, "yes"), SETTINGS))
    assert none == ("unreadable", None, None)


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    utterances = []
    for number in range(40):
        path = tmp_path / f"{number}.wav"
        samples = chance.uniform(-0.5, 0.5, (RATE, 1 + number % 2))
        soundfile.write(path, samples, RATE if number % 3 else 16000)
        utterances.append(Utterance(str(number), path, 0.4, "yes"))
    (tmp_path / "7.wav").write_text("not sound")
    alone = listen_all(utterances, SETTINGS, 1)
    assert alone[7].trouble is not None
    assert listen_all(utterances, SETTINGS, 2) == alone
