"""Recordings -> waveforms: any format, whole or block by block, as one channel at any rate.

libsndfile reads what it can (wav, flac, ogg, opus, mp3), FFmpeg the rest (m4a, mp4, webm, wma, …).
"""

from asr.audio.blocks import read_blocks
from asr.audio.reading import load_audio, read_info
from asr.audio.recording import AUDIO_SUFFIXES, AudioInfo
from asr.audio.snr import estimate_snr
from asr.audio.waveform import Waveform, refuse_silence, refuse_silent_peak, resample

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "Waveform",
    "estimate_snr",
    "load_audio",
    "read_blocks",
    "read_info",
    "refuse_silence",
    "refuse_silent_peak",
    "resample",
]
