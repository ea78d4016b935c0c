"""Read a recording whole, whichever library can."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from asr.audio.recording import AudioInfo, Part, Recording
from asr.audio.sndfile import SndfileRecording, Unsupported
from asr.audio.waveform import Waveform
from asr.errors import AudioError

_BLOCK_SECONDS = 60.0  # mixed down block by block: a film has six channels


def read_info(path: Path) -> AudioInfo:
    """Read a file's length, rate and channels without decoding it.

    Raises:
        AudioError: the file is missing, empty, or not audio.
    """
    with open_recording(path) as recording:
        return recording.info()


def load_audio(path: Path, *, offset: float = 0.0, duration: float | None = None) -> Waveform:
    """Read a recording, or the part of it from `offset` on, mixed down to one channel.

    Args:
        path: a file that libsndfile or FFmpeg reads (wav, flac, ogg, opus, mp3, m4a, webm, …).
        offset: seconds to leave out at the start.
        duration: seconds to read; None reads to the end.

    Raises:
        AudioError: the file is missing, empty, cut short, or not audio.
    """
    with open_recording(path) as recording:
        rate = recording.sample_rate
        blocks = recording.blocks(Part(offset, duration), round(_BLOCK_SECONDS * rate))
        mixed = [block.mean(axis=1) for block in blocks]
    return Waveform(np.concatenate(mixed) if mixed else np.zeros(0, np.float32), rate)


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """Open a recording by libsndfile or else by FFmpeg, and close it. Raises AudioError."""
    try:
        _refuse_no_file(path)
        opened = _open(path)
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be opened ({error.strerror}); check its name and your rights to it"
        ) from None
    with closing(opened) as recording:
        yield recording


def _open(path: Path) -> Recording:
    try:
        return SndfileRecording(path)
    except Unsupported:
        # Here, because FFmpeg's libraries take a while to load and most recordings need none.
        from asr.audio.ffmpeg import FfmpegRecording

        return FfmpegRecording(path)


def _refuse_no_file(path: Path) -> None:
    if not path.is_file():
        what = "no such file"
        if path.exists():
            what = "a folder" if path.is_dir() else "not a file (a pipe or a device)"
        raise AudioError(f"{path}: {what}; expected an audio file")
    if path.stat().st_size == 0:
        raise AudioError(
            f"{path}: the file is empty (0 bytes); copy or record it again",
            "empty-audio",
            number=0,
            threshold=1,
        )
