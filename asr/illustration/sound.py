"""What a recording looks like: its envelope, and its mel spectrogram as a small image."""

import base64
import io
import math

import librosa
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from asr.audio import Waveform

ENVELOPE_WIDTH = 500  # columns
ENVELOPE_HEIGHT = 100  # units above and below silence
_MOST_COLUMNS = 1200  # of a spectrogram, however long the recording is
_SHIFT_SECONDS = 0.010
_WINDOW_SECONDS = 0.025
_MELS = 80
_HIGHEST_HZ = 8000.0
_LEAST_FFT = 1024  # so that the lowest filters hear something
_RANGE_DB = 80.0
_QUALITY = 70  # of WebP: a second of speech takes about 1 kB


def envelope_path(waveform: Waveform) -> str:
    """The envelope of a recording as the `d` of an SVG path, its loudest sample at full height.

    It stands in a view box of ENVELOPE_WIDTH columns, from -ENVELOPE_HEIGHT to ENVELOPE_HEIGHT.
    """
    samples = waveform.samples
    peak = float(np.abs(samples).max(initial=0.0)) or 1.0
    parts = np.array_split(samples, min(ENVELOPE_WIDTH, len(samples))) if len(samples) else []
    step = ENVELOPE_WIDTH / max(len(parts), 1)
    scale = ENVELOPE_HEIGHT / peak
    above = [(number * step, -part.max() * scale) for number, part in enumerate(parts)]
    below = [(number * step, -part.min() * scale) for number, part in enumerate(parts)]
    points = " ".join(f"{x:.4g},{y:.0f}" for x, y in [*above, *reversed(below)])
    return f"M{points}Z" if points else ""


def peak_db(waveform: Waveform) -> float:
    """The loudest sample in dB of full scale; -inf where there is no sound."""
    peak = float(np.abs(waveform.samples).max(initial=0.0))
    return 20 * math.log10(peak) if peak else -math.inf


def mel_decibels(waveform: Waveform) -> NDArray[np.float32]:
    """The mel spectrogram in dB below the loudest, from -80 to 0.

    Returns:
        (mels, columns), the lowest mel first; the columns share the recording's time equally.
    """
    rate, count = waveform.sample_rate, len(waveform.samples)
    window = round(_WINDOW_SECONDS * rate)
    shift = max(round(_SHIFT_SECONDS * rate), math.ceil(count / _MOST_COLUMNS))
    fft = max(_LEAST_FFT, 1 << math.ceil(math.log2(window)))
    energies = librosa.feature.melspectrogram(
        y=np.pad(waveform.samples, (0, max(0, fft - count))),
        sr=rate,
        n_fft=fft,
        win_length=window,
        hop_length=shift,
        n_mels=_MELS,
        fmax=min(rate / 2, _HIGHEST_HZ),
    )[:, : max(1, math.ceil(count / shift))]
    if not energies.any():
        return np.full(energies.shape, -_RANGE_DB, dtype=np.float32)
    decibels: NDArray[np.float32] = librosa.power_to_db(energies, ref=np.max, top_db=_RANGE_DB)
    return decibels


def spectrogram_uri(waveform: Waveform) -> str:
    """The mel spectrogram as a `data:` URI of a WebP image, low tones below."""
    shares = 1 + mel_decibels(waveform) / _RANGE_DB
    colours = colormaps["magma"](shares[::-1], bytes=True)[:, :, :3]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours)).save(buffer, "WEBP", quality=_QUALITY, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
