"""Waveform effects: speed, reverberation, noise, gain, band limits; only speed changes lengths."""

import numpy as np
import scipy  # its parts are loaded where they are used: scipy.signal takes a second
import torch
from numpy.typing import NDArray

from asr.audio import Waveform, resample
from asr.augment.draw import uniform

_TINY = 1e-20  # a mean power that is nothing
_SILENCE_DB = (-75.0, -25.0)  # of full scale: from a good room to a bad line
_ORDER = 8  # of the band's edges: 48 dB per octave


def perturb_speed(waveform: Waveform, speed: float) -> Waveform:
    """Play a recording `speed` times as fast, pitch included (Ko et al. 2015)."""
    if speed == 1.0:
        return waveform
    faster = Waveform(waveform.samples, round(waveform.sample_rate * speed))
    return Waveform(resample(faster, waveform.sample_rate).samples, waveform.sample_rate)


def room_response(
    rt60: float, direct_db: float, *, sample_rate: int, generator: torch.Generator
) -> NDArray[np.float32]:
    """Make up a room: the direct sound, then noise that decays exponentially (Moorer 1979).

    Args:
        rt60: seconds in which the reverberation decays by 60 dB; the response is as long.
        direct_db: energy of the direct sound over that of all the reverberation, in dB.
        sample_rate: Hz.
        generator: the source of chance.

    Returns:
        (N,) impulse response, whose first sample is the direct sound.
    """
    count = max(2, round(rt60 * sample_rate))
    response = torch.randn(count, generator=generator) * 10 ** (-3 * torch.arange(count) / count)
    energy = response[1:].square().sum().clamp(min=_TINY)
    response *= (10 ** (-direct_db / 10) / energy).sqrt()
    response[0] = 1.0
    return response.numpy()


def reverberate(waveform: Waveform, response: NDArray[np.float32]) -> Waveform:
    """Hear a recording in a room: as long and as loud as before, and each sound at its place.

    Args:
        waveform: what sounds in the room.
        response: (N,) the room's impulse response; its peak is taken for the direct sound.
    """
    dry = waveform.samples
    direct = int(np.abs(response).argmax())
    wet = scipy.signal.oaconvolve(dry, response)[direct : direct + len(dry)]
    level = np.sqrt(_power(dry) / max(_power(wet), _TINY))
    return Waveform((level * wet).astype(np.float32), waveform.sample_rate)


def coloured_noise(count: int, colour: float, *, generator: torch.Generator) -> NDArray[np.float32]:
    """Noise (N,) whose power falls with the frequency to the power of `colour`.

    0 is white, 1 pink, 2 brown.
    """
    quick = scipy.fft.next_fast_len(count, real=True)  # a prime length would take ten times as long
    spectrum = torch.fft.rfft(torch.randn(quick, generator=generator))
    spectrum *= torch.arange(len(spectrum)).clamp(min=1) ** (-colour / 2)
    spectrum[0] = 0.0
    noise: NDArray[np.float32] = torch.fft.irfft(spectrum, n=quick).numpy()
    return noise[:count]


def nothing_said(count: int, sample_rate: int, generator: torch.Generator) -> tuple[Waveform, str]:
    """Noise (count,) of a random colour and loudness; and in words what was drawn."""
    colour = uniform((0.0, 2.0), generator)
    decibels = uniform(_SILENCE_DB, generator)
    noise = coloured_noise(count, colour, generator=generator)
    level = 10 ** (decibels / 20) / max(float(np.sqrt(np.square(noise).mean())), 1e-9)
    words = f"{decibels:.1f} dB of full scale, power falling as 1/f^{colour:.2f}"
    return Waveform((level * noise).astype(np.float32), sample_rate), words


def cut_or_loop(noise: NDArray[np.float32], count: int, place: float) -> NDArray[np.float32]:
    """(N,) -> (count,): a piece of a long recording; a short one is played again and again.

    Args:
        noise: the recording.
        count: samples wanted.
        place: 0 to 1, where the piece starts among the places it may start at.
    """
    starts = len(noise) - count + 1 if len(noise) >= count else len(noise)
    start = min(int(place * starts), starts - 1)
    return noise.take(np.arange(start, start + count), mode="wrap")


def add_noise(waveform: Waveform, noise: NDArray[np.float32], snr: float) -> Waveform:
    """Add noise (N,), as long as the waveform, at a signal-to-noise ratio.

    The ratio is that of the mean powers over the whole recording, in dB.
    """
    wanted = _power(waveform.samples) / 10 ** (snr / 10)
    scale = np.sqrt(wanted / max(_power(noise), _TINY))
    noisy = waveform.samples + scale * noise
    return Waveform(noisy.astype(np.float32), waveform.sample_rate)


def change_gain(waveform: Waveform, decibels: float) -> Waveform:
    """Make a recording louder or softer; it may go beyond full scale, and is not clipped."""
    louder = waveform.samples * np.float32(10 ** (decibels / 20))
    return Waveform(louder, waveform.sample_rate)


def limit_band(waveform: Waveform, low_hz: float, high_hz: float) -> Waveform:
    """Let only a band of frequencies pass (Butterworth, 3 dB at its ends, 48 dB per octave).

    Args:
        waveform: with frequencies up to half its sample rate.
        low_hz: below half the sample rate; 0 is no limit.
        high_hz: half the sample rate and more is no limit.
    """
    samples, rate = waveform.samples, waveform.sample_rate
    if low_hz > 0:
        edge = scipy.signal.butter(_ORDER, low_hz, "highpass", fs=rate, output="sos")
        samples = scipy.signal.sosfilt(edge, samples)
    if high_hz < rate / 2:
        edge = scipy.signal.butter(_ORDER, high_hz, "lowpass", fs=rate, output="sos")
        samples = scipy.signal.sosfilt(edge, samples)
    return Waveform(samples.astype(np.float32, copy=False), rate)


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.square(samples, dtype=np.float64).mean())
