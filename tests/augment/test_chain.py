from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from asr.audio import Waveform
from asr.augment.chain import WaveformChain
from asr.augment.settings import AugmentSettings
from asr.errors import ConfigError

RATE = 16000
ALL: dict[str, Any] = {
    "reverb": {"probability": 1},
    "noise": {"probability": 1},
    "gain_db": [-6, 6],
    "band": {"probability": 1},
}


def chain(**values: Any) -> WaveformChain:
    return WaveformChain(AugmentSettings.parse(values, "test"), RATE)


def sound(count: int = 4000) -> Waveform:
    samples = 0.1 * np.random.default_rng(0).standard_normal(count)
    return Waveform(samples.astype(np.float32), RATE)


def apply(effects: WaveformChain, seed: int = 1) -> tuple[NDArray[np.float32], dict[str, str]]:
    waveform, drawn = effects(sound(), torch.Generator().manual_seed(seed))
    assert waveform.sample_rate == RATE
    assert waveform.samples.shape == sound().samples.shape
    assert waveform.samples.dtype == np.float32
    return waveform.samples, dict(drawn)


def test_with_the_defaults_nothing_changes_and_nothing_is_drawn() -> None:
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    waveform = sound()
    same, drawn = chain()(waveform, generator)
    assert same is waveform
    assert drawn == {}
    assert torch.equal(generator.get_state(), before)
    assert len(chain()) == 0
    assert len(chain(**ALL)) == 4


def test_the_same_generator_makes_the_same_sound_and_another_one_another() -> None:
    torch.manual_seed(3)
    once, words = apply(chain(**ALL))
    torch.manual_seed(4)  # nothing hangs on the global generator
    again, same_words = apply(chain(**ALL))
    other, other_words = apply(chain(**ALL), seed=2)
    np.testing.assert_array_equal(once, again)
    assert words == same_words
    assert not np.array_equal(once, other)
    assert words != other_words


def test_effects_come_in_the_order_of_nature() -> None:
    assert list(apply(chain(**ALL))[1]) == ["reverb", "noise", "gain", "band"]
    # Noise is limited by the channel, too: above the telephone's band is next to nothing.
    samples, _ = apply(chain(**ALL | {"reverb": None}))
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    assert power[hertz > 6000].mean() < 1e-4 * power[(hertz > 500) & (hertz < 3000)].mean()


@pytest.mark.parametrize("name", ["reverb", "noise", "band"])
def test_an_effect_comes_as_often_as_its_probability_says(name: str) -> None:
    effects = chain(**{name: {"probability": 0.3}})
    waveform = sound(300)
    touched = 0
    for seed in range(400):
        heard, drawn = effects(waveform, torch.Generator().manual_seed(seed))
        assert (heard is waveform) == (drawn[name] == "not this time (probability 0.3)")
        touched += heard is not waveform
    assert touched == pytest.approx(120, abs=3 * (400 * 0.3 * 0.7) ** 0.5)


def test_what_is_said_of_noise_and_gain_is_what_is_measured() -> None:
    clean = sound().samples
    for seed in range(5):
        noisy, words = apply(chain(noise={"probability": 1, "snr": [0, 30]}), seed)
        ratio = np.mean(clean**2) / np.mean((noisy - clean) ** 2)
        said = float(words["noise"].split()[1])
        assert 10 * np.log10(ratio) == pytest.approx(said, abs=0.06)
        louder, words = apply(chain(gain_db=[-10, 10]), seed)
        gain = 20 * np.log10(louder.std() / clean.std())
        assert gain == pytest.approx(float(words["gain"].split()[0]), abs=0.06)


def test_generated_noise_is_of_many_colours_and_loudnesses() -> None:
    clean = sound().samples
    shares, levels = [], []
    effects = chain(noise={"probability": 1, "snr": [0, 40]})
    for seed in range(40):
        noise = apply(effects, seed)[0] - clean
        power = np.abs(np.fft.rfft(noise)) ** 2
        shares.append(power[: len(power) // 2].sum() / power.sum())
        levels.append(10 * np.log10(np.mean(clean**2) / np.mean(noise**2)))
    assert min(shares) < 0.6  # nearly white
    assert max(shares) > 0.98  # nearly brown
    assert min(levels) < 5
    assert max(levels) > 35


def test_noise_is_a_piece_of_one_of_the_users_recordings(tmp_path: Path) -> None:
    rising = np.linspace(0.01, 0.5, 3 * RATE)
    for name, direction in (("up", 1), ("down", -1)):
        soundfile.write(tmp_path / f"{name}.wav", direction * rising, RATE, subtype="FLOAT")
    effects = chain(noise={"probability": 1, "snr": [0, 0], "folder": str(tmp_path)})
    starts, names = set(), set()
    for seed in range(12):
        samples, words = apply(effects, seed)
        piece = samples - sound().samples
        name = words["noise"].split()[-1]
        assert np.sign(np.diff(piece.astype(np.float64)).mean()) == (1 if name == "up.wav" else -1)
        names.add(name)
        starts.add(round(float(piece[0] / piece[-1]), 4))
    assert names == {"up.wav", "down.wav"}
    assert len(starts) > 8


def test_rooms_are_the_users_where_there_is_a_folder_of_them(tmp_path: Path) -> None:
    echo = np.zeros(500)
    echo[100], echo[300] = 0.5, 0.25  # the direct sound, and one echo 200 samples later
    soundfile.write(tmp_path / "wall.wav", echo, RATE, subtype="FLOAT")
    effects = chain(reverb={"probability": 1, "folder": str(tmp_path)})
    samples, words = apply(effects)
    assert words == {"reverb": "the room of wall.wav"}
    dry = sound().samples
    expected = dry + 0.5 * np.pad(dry, (200, 0))[:4000]
    expected *= dry.std() / expected.std()
    np.testing.assert_allclose(samples, expected, atol=1e-4)


@pytest.mark.parametrize("section", ["noise", "reverb"])
def test_a_missing_folder_is_named_by_its_key(section: str) -> None:
    with pytest.raises(ConfigError, match=rf"^augment\.{section}\.folder: nowhere does not exist"):
        chain(**{section: {"folder": "nowhere"}})


def test_a_band_above_all_that_can_be_heard_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^augment\.band\.low_hz: 8000 Hz .* less than 8000"):
        chain(band={"low_hz": [100, 8000], "high_hz": [9000, 9000]})
