"""Effects on waveforms, measured as an acoustician would measure them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from asr.audio import Waveform
from asr.augment.waveform import (
    add_noise,
    change_gain,
    coloured_noise,
    cut_or_loop,
    limit_band,
    perturb_speed,
    reverberate,
    room_response,
)

RATE = 16000


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(count: int = RATE, seed: int = 0) -> Waveform:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(count)
    return Waveform(samples.astype(np.float32), RATE)


def decibels(samples: NDArray[np.float32]) -> float:
    """Level in dB of full scale."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("speed", [0.9, 1.1, 0.5, 2.0])
@pytest.mark.parametrize("rate", [8000, 11025, 16000])
def test_speed_shortens_a_sine_and_raises_its_pitch_by_the_same_ratio(
    speed: float, rate: int
) -> None:
    times = np.arange(2 * rate) / rate
    sine = Waveform((0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32), rate)
    faster = perturb_speed(sine, speed)
    assert faster.sample_rate == rate
    assert faster.duration == pytest.approx(2 / speed, rel=1e-4)
    spectrum = np.abs(np.fft.rfft(faster.samples * np.hanning(len(faster.samples))))
    assert spectrum.argmax() / faster.duration == pytest.approx(440 * speed, rel=2e-3)


def test_speed_1_changes_nothing() -> None:
    waveform = Waveform(np.ones(100, dtype=np.float32), 16000)
    assert perturb_speed(waveform, 1.0) is waveform


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.5, 30.0])
@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_has_the_ratio_that_was_asked_for(snr: float, colour: float) -> None:
    clean = white()
    noise = coloured_noise(RATE, colour, generator=chance())
    noisy = add_noise(clean, noise, snr)
    added = noisy.samples - clean.samples
    assert decibels(clean.samples) - decibels(added) == pytest.approx(snr, abs=0.01)
    assert np.corrcoef(added, noise)[0, 1] == pytest.approx(1, abs=1e-4)
    assert noisy.sample_rate == RATE
    assert noisy.samples.dtype == np.float32


def test_noise_that_is_digital_silence_changes_nothing() -> None:
    clean = white()
    silent = add_noise(clean, np.zeros(RATE, dtype=np.float32), 10.0)
    np.testing.assert_array_equal(silent.samples, clean.samples)


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_the_power_of_noise_falls_by_its_colour_with_each_octave(colour: float) -> None:
    samples = coloured_noise(8 * RATE, colour, generator=chance())
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    octaves = [
        10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean())
        for low in (125, 250, 500, 1000, 2000, 4000)
    ]
    np.testing.assert_allclose(np.diff(octaves), -3.01 * colour, atol=0.5)


def test_a_long_recording_is_cut_and_a_short_one_played_again_and_again() -> None:
    ramp = np.arange(10, dtype=np.float32)
    assert cut_or_loop(ramp, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert cut_or_loop(ramp, 4, 0.9999).tolist() == [6, 7, 8, 9]  # never over the end
    assert cut_or_loop(ramp, 10, 0.7).tolist() == ramp.tolist()
    assert cut_or_loop(ramp[:3], 8, 0.5).tolist() == [1, 2, 0, 1, 2, 0, 1, 2]
    starts = {cut_or_loop(ramp, 4, place)[0] for place in np.linspace(0, 1, 50)}
    assert starts == set(range(7))


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.2])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_made_up_room_has_the_reverberation_time_asked_for(rt60: float, rate: int) -> None:
    """By Schroeder's backward integration (1965): the decay from -5 to -25 dB, times three."""
    response = room_response(rt60, 0.0, sample_rate=rate, generator=chance())
    tail = response[1:].astype(np.float64)
    decay = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    start, stop = (int((decay > level).sum()) for level in (-5, -25))
    assert 3 * (stop - start) / rate == pytest.approx(rt60, rel=0.1)


@pytest.mark.parametrize("direct_db", [-6.0, 0.0, 12.0])
def test_a_made_up_room_has_its_direct_sound_first_and_as_loud_as_asked_for(
    direct_db: float,
) -> None:
    response = room_response(0.5, direct_db, sample_rate=RATE, generator=chance())
    assert np.abs(response).argmax() == 0
    reverberation = np.sum(np.square(response[1:], dtype=np.float64))
    assert 10 * np.log10(response[0] ** 2 / reverberation) == pytest.approx(direct_db, abs=0.01)


def test_a_room_is_another_one_each_time() -> None:
    one, same, other = (
        room_response(0.3, 3.0, sample_rate=RATE, generator=chance(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.corrcoef(one[1:], other[1:])[0, 1] < 0.1


def test_reverberation_is_the_convolution_with_the_response() -> None:
    dry = white(500)
    response = np.array([1.0, 0.0, -0.5, 0.25], dtype=np.float32)
    wet = reverberate(dry, response).samples
    expected = np.convolve(dry.samples, response)[:500]
    np.testing.assert_allclose(wet / wet[0] * expected[0], expected, atol=1e-6)


@pytest.mark.parametrize("delay", [0, 40, 900])
def test_reverberation_keeps_length_level_and_the_place_of_each_sound(delay: int) -> None:
    """Also where the response was recorded with a delay before the direct sound."""
    dry = white(RATE)
    room = room_response(0.6, 3.0, sample_rate=RATE, generator=chance())
    wet = reverberate(dry, np.pad(room, (delay, 0)))
    assert len(wet.samples) == RATE
    assert wet.samples.dtype == np.float32
    assert decibels(wet.samples) == pytest.approx(decibels(dry.samples), abs=0.01)
    padded = np.pad(dry.samples, 1000)
    lags = [float(wet.samples @ padded[1000 + lag : 1000 + lag + RATE]) for lag in range(-999, 999)]
    assert int(np.argmax(lags)) - 999 == 0


def test_a_room_longer_than_the_recording_is_no_trouble() -> None:
    wet = reverberate(white(100), room_response(0.5, 0.0, sample_rate=RATE, generator=chance()))
    assert wet.samples.shape == (100,)


@pytest.mark.parametrize("gain", [-20.0, -6.0, 0.0, 6.0, 30.0])
def test_gain_changes_the_level_by_its_decibels_and_does_not_clip(gain: float) -> None:
    quiet = white()
    louder = change_gain(quiet, gain)
    assert decibels(louder.samples) - decibels(quiet.samples) == pytest.approx(gain, abs=1e-3)
    assert np.corrcoef(louder.samples, quiet.samples)[0, 1] == pytest.approx(1, abs=1e-6)
    assert louder.samples.dtype == np.float32


def attenuation(hertz: float, *, low: float, high: float, rate: int = RATE) -> float:
    """What a band takes from a sine, in dB, once it has settled."""
    sine = np.sin(2 * np.pi * hertz * np.arange(rate) / rate).astype(np.float32)
    limited = limit_band(Waveform(sine, rate), low, high).samples
    assert limited.dtype == np.float32
    assert len(limited) == rate
    return decibels(sine[rate // 2 :]) - decibels(limited[rate // 2 :])


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_telephone_lets_its_band_pass_and_little_else(rate: int) -> None:
    for hertz in (450.0, 1000.0, 2500.0):
        assert attenuation(hertz, low=300, high=3400, rate=rate) < 0.5
    for edge in (300.0, 3400.0):  # the definition of a Butterworth filter's edge
        assert attenuation(edge, low=300, high=3400, rate=rate) == pytest.approx(3.01, abs=0.1)
    assert attenuation(150, low=300, high=3400, rate=rate) == pytest.approx(48, abs=1)
    assert attenuation(50, low=300, high=3400, rate=rate) > 60
    assert attenuation(3850, low=300, high=3400, rate=rate) > 8
    if rate == RATE:
        assert attenuation(6800, low=300, high=3400) > 48


def test_limits_beyond_what_there_is_are_no_limits() -> None:
    sound = white()
    np.testing.assert_array_equal(limit_band(sound, 0, RATE / 2).samples, sound.samples)
    assert attenuation(7900, low=300, high=9000) < 0.1
    assert attenuation(20, low=0, high=3400) < 0.1


def test_effects_leave_the_input_untouched() -> None:
    sound = white()
    before = sound.samples.copy()
    noise = coloured_noise(RATE, 1.0, generator=chance())
    add_noise(sound, noise, 5.0)
    reverberate(sound, room_response(0.3, 0.0, sample_rate=RATE, generator=chance()))
    change_gain(sound, 3.0)
    limit_band(sound, 300, 3400)
    np.testing.assert_array_equal(sound.samples, before)
