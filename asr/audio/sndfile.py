"""Recordings that libsndfile reads: wav, flac, ogg, opus, mp3, aiff and others."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.audio.recording import AudioInfo, Part, cut_short, damaged, outside
from asr.errors import AudioError

_DURATION_TOLERANCE = 0.05  # seconds a manifest may be off, by rounding or by a codec's padding
_UNKNOWN_LENGTH = 2**63 - 1  # frames; libsndfile's word for a stream whose header has no length
# What programs that write WAV to a pipe give as the length of the sound: nothing, as much as the
# field holds, or (sox, arecord) about as much as it holds with a sign.
_STREAMED_FROM = 0x7FFFF000


class Unsupported(Exception):
    """libsndfile cannot read the file; the text says why."""


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that does not seek by itself.

    After each read soundfile seeks to where the file already is. At that, the decoder of mp3 starts
    anew, so that samples would depend on the length of the blocks.
    """

    def seekable(self) -> bool:
        """Tell soundfile to read on; `seek` works all the same."""
        return False


class SndfileRecording:
    """A file that libsndfile has open.

    Raises:
        Unsupported: libsndfile cannot read it.
        AudioError: it has no samples.
    """

    def __init__(self, path: Path) -> None:
        """Open a file that exists."""
        self.path = path
        try:
            self._file = _ForwardFile(path)
        except soundfile.LibsndfileError as error:
            raise Unsupported(error.error_string) from None
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self._frames: int = self._file.frames
        if self._frames in (0, _UNKNOWN_LENGTH):
            self.close()
            if self._frames:
                raise Unsupported("its header does not say how long it is")
            raise AudioError(
                f"{path}: the file has no samples (0.00 s); record it again",
                "empty-audio",
                number=0,
                threshold=1,
            )

    def info(self) -> AudioInfo:
        """Length, rate and channels, by the header."""
        return AudioInfo(self._frames / self.sample_rate, self.sample_rate, self.channels)

    def blocks(self, part: Part, size: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield a part as (N, C) blocks of `size` frames; None: all in one. Raises AudioError."""
        _refuse_cut_wav(self.path)
        rate, frames = self.sample_rate, self._frames
        start, count = part.frames(rate)
        end = frames if count is None else start + count
        if start >= frames or end > frames + _DURATION_TOLERANCE * rate:
            raise outside(self.path, part, frames / rate)
        left = min(end, frames) - start
        read = 0
        while read < left:
            block = self._read(start + read, min(size or left, left - read))
            read += len(block)
            if len(block) == 0:
                raise cut_short(self.path, left / rate, read / rate)
            yield block

    def _read(self, first: int, count: int) -> NDArray[np.float32]:
        try:
            # Only where it is elsewhere: a seek in an mp3 decodes some of it again.
            if self._file.tell() != first:
                self._file.seek(first)
            block: NDArray[np.float32] = self._file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise damaged(self.path, error.error_string) from None
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _refuse_cut_wav(path: Path) -> None:
    """Find WAV files shorter than their header says; libsndfile reads those without a word."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        size = path.stat().st_size
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                if 0 < length < _STREAMED_FROM and file.tell() + length > size:
                    there = size - file.tell()
                    raise AudioError(
                        f"{path}: cut short: the header promises {length} bytes of sound, "
                        f"{there} are there; copy the file again",
                        "cut-short",
                        number=there,
                        threshold=length,
                    )
                return
            file.seek(length + length % 2, 1)
