"""Recordings that FFmpeg reads (through PyAV): m4a, mp4, webm, mkv, wma, amr, aac and others.

Nothing but the file itself is read. FFmpeg is given an open file instead of a name, may use only
the containers listed here (no playlists, no lists of files, no sessions, no images), no protocol,
and is refused any further file that it asks for.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from asr.audio.recording import AudioInfo, Part, cut_short, damaged, outside
from asr.errors import AudioError

# FFmpeg's names of containers and raw streams that hold their own sound and are known by their
# content. What may be, not what may not: FFmpeg has 300 more, and gains some each year.
_CONTAINERS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "matroska", "webm", "asf", "avi", "flv", "ogg", "rm"),
    *("mpeg", "mpegts", "mxf", "wav", "w64", "aiff", "au", "caf", "voc", "flac", "mp3", "aac"),
    *("loas", "ac3", "eac3", "dts", "amr", "amrnb", "amrwb", "ape", "wv", "tta", "tak", "shn"),
    *("mpc", "mpc8", "dsf", "oma", "qcp", "nistsphere"),
)
_OPTIONS = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "none"}
# Containers whose header says how long they are; of others FFmpeg makes an estimate.
_PROMISING = {"mov", "matroska", "asf", "flv", "wv", "ape", "tta"}
# Containers whose clock begins at 0. That of others begins anywhere, as does that of what was cut
# out of a broadcast: the earliest of their timestamps is then the beginning.
_FROM_ZERO = {"mov", "matroska"}
_LATEST_START = 3600.0  # seconds; a later one is somebody else's clock
_HOLE = 0.02  # seconds without sound between timestamps that are no rounding
_LONGEST_HOLE = 6 * 3600.0  # seconds; nobody records nothing for longer, but timestamps are damaged
_TOLERANCE = 0.25  # seconds between header and sound: priming and padding, a frame of each
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}


class FfmpegRecording:
    """The first audio stream of a file that FFmpeg has open.

    Raises:
        AudioError: FFmpeg cannot read it, or there is no audio stream in it.
    """

    def __init__(self, path: Path) -> None:
        """Open a file that exists, and decode the beginning."""
        self.path = path
        self._end = 0.0  # seconds: where the packets read so far end, of sound and pictures
        self._sound_end = 0.0
        self._file = path.open("rb")
        try:
            self._container: Any = av.open(
                self._file, options=_OPTIONS, io_open=_refuse, metadata_errors="ignore"
            )
        except Exception as error:
            self._file.close()
            raise AudioError(
                f"{path}: not audio that can be read, or cut short ({_reason(error)}); expected "
                "wav, flac, ogg, opus, mp3, m4a, mp4, webm, wma or amr; copy the file again or "
                "convert it"
            ) from None
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        if not self._container.streams.audio:
            kinds = sorted({stream.type for stream in self._container.streams})
            raise AudioError(
                f"{self.path}: no sound in this file, only {', '.join(kinds) or 'nothing'}; "
                "expected an audio stream",
                "empty-audio",
            )
        self._stream = self._container.streams.audio[0]
        self._zero = self._find_zero()
        self._packets = self._read_packets()
        frames = self._decode()
        first = next(frames, None)
        if first is None:
            raise AudioError(
                f"{self.path}: no sound can be decoded from it; it is empty or cut short: copy or "
                "record it again",
                "empty-audio",
            )
        # Not the header's: HE-AAC is decoded to twice the rate that it says.
        self.sample_rate: int = first.sample_rate
        self.channels: int = len(first.layout.channels)
        self._frames = chain([first], frames)

    def info(self) -> AudioInfo:
        """Length, rate and channels; the length by reading all packets, without decoding them."""
        for _ in self._packets:
            pass
        return AudioInfo(self._sound_end - self._zero, self.sample_rate, self.channels)

    def blocks(self, part: Part, size: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield a part as (N, C) blocks of `size` frames, or a few more. Raises AudioError.

        Where the timestamps leave a hole, before the first sound or later, there are zeros, so that
        samples are on the clock of the file. What is before the part is decoded too: timestamps are
        not exact in every container.
        """
        start, count = part.frames(self.sample_rate)
        end = math.inf if count is None else start + count
        at, pending, waiting = 0, 0, []
        for samples in self._samples():
            kept = samples[max(0, start - at) : int(min(len(samples), max(0, end - at)))]
            at += len(samples)
            waiting.append(kept)
            pending += len(kept)
            if size is not None and pending >= size:
                yield np.concatenate(waiting)
                pending, waiting = 0, []
            if at >= end:
                break
        if at <= start or at < (0 if count is None else end) - _TOLERANCE * self.sample_rate:
            raise outside(self.path, part, at / self.sample_rate)
        if pending:
            yield np.concatenate(waiting)

    def _samples(self) -> Iterator[NDArray[np.float32]]:
        """(N, C) frames and the holes between them, these a second at a time."""
        at = 0
        for frame in self._frames:
            hole = 0.0 if frame.time is None else frame.time - self._zero - at / self.sample_rate
            if hole > _LONGEST_HOLE:
                raise damaged(
                    self.path,
                    f"a timestamp after {at / self.sample_rate:.2f} s leaves out {hole:.0f} s",
                )
            left = round(hole * self.sample_rate) if hole > _HOLE else 0
            while left > 0:
                count = min(left, self.sample_rate)
                yield np.zeros((count, self.channels), np.float32)
                at, left = at + count, left - count
            samples = self._to_samples(frame)
            yield samples
            at += len(samples)

    def _find_zero(self) -> float:
        """The time of the beginning, on the clock of the timestamps, in seconds."""
        first = (self._container.start_time or 0) / av.time_base
        kind = self._container.format.name.partition(",")[0]
        # Below 0 is what a decoder leaves out at the start.
        return 0.0 if first <= (_LATEST_START if kind in _FROM_ZERO else 0) else float(first)

    def _decode(self) -> Iterator[Any]:
        for packet in self._packets:
            with self._naming():
                frames = packet.decode()
            yield from frames

    def _read_packets(self) -> Iterator[Any]:
        """Yield the packets of the sound; at the end, compare the length with the header's."""
        with self._naming():
            packets = self._container.demux()
        while True:
            with self._naming():
                packet = next(packets, None)
            if packet is None:
                break
            ours = packet.stream.index == self._stream.index
            if packet.pts is not None:
                self._advance(_seconds(packet.pts + (packet.duration or 0), packet.time_base), ours)
            if ours and packet.is_corrupt:
                raise damaged(self.path, f"a packet after {self._sound_end:.2f} s is not whole")
            if ours:
                yield packet
        self._refuse_cut()

    def _advance(self, end: float, ours: bool) -> None:
        self._end = max(self._end, end)
        if ours:
            self._sound_end = max(self._sound_end, end)

    def _refuse_cut(self) -> None:
        container = self._container
        kind = container.format.name.partition(",")[0]
        if kind not in _PROMISING or not container.duration:
            return
        promised = container.duration / av.time_base
        # That of Matroska counts from 0, however late the first sound or picture is.
        start = 0 if kind == "matroska" else max(0, container.start_time or 0) / av.time_base
        read = self._end - start
        if read < promised - _TOLERANCE:
            raise cut_short(self.path, promised, read)

    def _to_samples(self, frame: Any) -> NDArray[np.float32]:
        """Frame -> (N, C), full scale is -1 to 1."""
        channels = len(frame.layout.channels)
        if (frame.sample_rate, channels) != (self.sample_rate, self.channels):
            raise AudioError(
                f"{self.path}: changes from {self.sample_rate} Hz and {self.channels} channels to "
                f"{frame.sample_rate} Hz and {channels} in the middle; convert it to one format",
                "damaged",
            )
        data = frame.to_ndarray()
        data = data.T if frame.format.is_planar else data.reshape(-1, channels)
        kind = frame.format.packed.name
        centre = 128 if kind == "u8" else 0
        return np.ascontiguousarray((data - np.float64(centre)) / _FULL_SCALE[kind], np.float32)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Say which file an error of FFmpeg is about."""
        try:
            yield
        except (av.FFmpegError, ValueError, OSError) as error:
            raise damaged(self.path, _reason(error)) from None

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()


def _seconds(count: int | None, time_base: Any) -> float:
    return float((count or 0) * time_base)


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError(f"it wants to open another file, {url}, which is not done")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
