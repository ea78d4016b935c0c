"""Sounds, and files of them in formats that only FFmpeg writes."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from asr.audio import Waveform

RATE = 16000


def sine(frequency: float, seconds: float, rate: int = RATE) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def loudest_frequency(waveform: Waveform) -> float:
    """Hz at which the spectrum is highest."""
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(len(waveform.samples))))
    return float(spectrum.argmax() / waveform.duration)


def write_by_ffmpeg(
    path: Path, samples: np.ndarray, rate: int, *, container: str, codec: str, **options: str
) -> Path:
    """Encode (C, N) samples, one or two channels; skips the test where there is no encoder."""
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    with av.open(str(path), "w", format=container, options=options) as file:
        try:
            stream: Any = file.add_stream(codec, rate=rate, layout=layout)
        except av.codec.codec.UnknownCodecError:
            pytest.skip(f"this build of PyAV has no encoder {codec}")
        if codec == "wmav2":
            stream.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout
        )
        frame.sample_rate = rate
        frame.pts = 0
        kind = stream.codec_context.codec.audio_formats[0].name
        for part in av.AudioResampler(format=kind, layout=layout, rate=rate).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def write_film(path: Path, *, seconds: float, sound: np.ndarray | None = None) -> Path:
    """Black pictures at 10 a second, with or without (1, N) sound at 16 kHz."""
    with av.open(str(path), "w") as file:
        pictures: Any = file.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 32
        stream: Any = None if sound is None else file.add_stream("aac", rate=RATE, layout="mono")
        for number in range(round(10 * seconds)):
            picture = av.VideoFrame(32, 32, "yuv420p")
            picture.pts = number
            file.mux(pictures.encode(picture))
        file.mux(pictures.encode(None))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
            frame.sample_rate = RATE
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path
