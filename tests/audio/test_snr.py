import numpy as np
import pytest

from asr.audio import Waveform, estimate_snr


def speech_in_noise(snr: float, *, pauses: bool = True) -> Waveform:
    """Noise bursts of 0.3 s every 0.6 s, above white noise `snr` dB below them."""
    rng = np.random.default_rng(1)
    samples = rng.normal(size=16000 * 6)
    if pauses:
        samples *= (np.arange(len(samples)) // 4800) % 2
    noise = rng.normal(size=len(samples)) * 10 ** (-snr / 20)
    return Waveform((0.05 * (samples + noise)).astype(np.float32), 16000)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0, 40.0])
def test_the_estimate_is_near_the_ratio_that_was_mixed(snr: float) -> None:
    assert estimate_snr(speech_in_noise(snr)) == pytest.approx(snr, abs=2.0)


def test_speech_without_pauses_seems_noisy() -> None:
    estimate = estimate_snr(speech_in_noise(40, pauses=False))
    assert estimate is not None
    assert estimate < 10


def test_silence_and_digital_pauses_give_finite_numbers() -> None:
    assert np.isfinite(estimate_snr(Waveform(np.zeros(16000, np.float32), 16000)) or 0.0)
    pauses = speech_in_noise(400)
    assert 80 < (estimate_snr(pauses) or 0.0) < 130


def test_a_moment_is_too_short_to_tell() -> None:
    assert estimate_snr(Waveform(np.ones(16000 // 10, np.float32), 16000)) is None
