"""Signal-to-noise ratio of a recording, estimated from how its energy is spread over time."""

import numpy as np

from asr.audio.waveform import Waveform

_FRAME_SECONDS = 0.02
_FEWEST_FRAMES = 10
_NOISE, _SPEECH = 10, 90  # percentiles of the frames' energies
_SILENCE = 1e-12  # energy; -120 dB of full scale


def estimate_snr(waveform: Waveform) -> float | None:
    """The ratio in dB of speech to noise, roughly; None for less than 0.2 s.

    A tenth of the frames of 20 ms is taken to be no louder than the noise, a tenth to be no quieter
    than speech and noise together. Where nobody pauses, the estimate is too low.
    """
    length = round(_FRAME_SECONDS * waveform.sample_rate)
    count = len(waveform.samples) // length
    if count < _FEWEST_FRAMES:
        return None
    frames = waveform.samples[: count * length].reshape(count, length).astype(np.float64)
    noise, both = np.percentile(np.square(frames).mean(axis=1), [_NOISE, _SPEECH])
    noise = max(noise, _SILENCE)
    return float(10 * np.log10(max(both - noise, _SILENCE) / noise))
