"""A stream of PCM sound on a pipe: WAV as recorders write it, or plain 16-bit samples."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.errors import AudioError

Samples = NDArray[np.float32]

# How files begin that are no PCM sound, and at which byte that stands.
_OTHERS = (
    *((0, start) for start in (b"fLaC", b"OggS", b"ID3", b"RF64", b"riff", b"FORM", b"caff")),
    *((0, start) for start in (b".snd", b"#!AMR", b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75")),
    *((0, start) for start in (b"RIFF", b"RIFX")),  # of other kinds than WAVE
    (4, b"ftyp"),
)
# A length that a recorder writes who does not know it yet: 0, or about as much as there can be.
_UNKNOWN_LENGTH = 0x7FFF0000

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_TYPES: dict[tuple[int, int], str] = {(_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4"}


@dataclass(frozen=True)
class PcmFormat:
    """How the samples lie in the stream."""

    sample_rate: int  # Hz
    channels: int = 1
    type: str = "<i2"  # as numpy names it

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return self.channels * np.dtype(self.type).itemsize


def read_pcm(stream: BinaryIO, sample_rate: int) -> Iterator[Samples]:
    """Read a stream as it comes, one channel at another rate.

    Args:
        stream: WAV of 16 or 32 bits; without its header, 16-bit little-endian samples of one
            channel at the rate wanted.
        sample_rate: Hz, wanted.

    Yields:
        (n,) samples, as soon as they are there.

    Raises:
        AudioError: nothing comes, it is a WAV of another kind, or some other file.
    """
    head = _read(stream, 12)
    if not head:
        raise AudioError("-: nothing came on standard input; check the program before the pipe")
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        format, length = _read_wav_head(stream)
        rest = b""
    elif any(head[at:].startswith(start) for at, start in _OTHERS):
        raise AudioError(
            "-: a file of another kind came; --stream expects WAV or plain 16-bit samples: "
            "ffmpeg -i FILE -f wav - | asr transcribe --stream -"
        )
    else:
        format, length, rest = PcmFormat(sample_rate), None, head
    resampler = None
    if format.sample_rate != sample_rate:
        resampler = soxr.ResampleStream(format.sample_rate, sample_rate, 1, dtype="float32")
    for samples in _blocks(stream, format, rest, length):
        yield samples if resampler is None else resampler.resample_chunk(samples)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _read_wav_head(stream: BinaryIO) -> tuple[PcmFormat, int | None]:
    """Read up to the samples; and how many bytes of them there are, if the header knows it."""
    format = None
    while len(chunk := _read(stream, 8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"data":
            if format is None:
                break
            return format, length if 0 < length < _UNKNOWN_LENGTH else None
        body = _read(stream, length + length % 2)
        if name == b"fmt " and len(body) >= 16:
            format = _format(body)
    raise AudioError("-: the WAV header is damaged or cut short; check the program before the pipe")


def _format(body: bytes) -> PcmFormat:
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack("<H", body[24:26])
    if (code, bits) not in _TYPES or not channels or not rate:
        raise AudioError(
            f"-: a WAV of {bits} bits and type {code} came; expected 16-bit or 32-bit PCM or "
            "32-bit float: arecord -f S16_LE -r 16000 -t wav"
        )
    return PcmFormat(rate, channels, _TYPES[code, bits])


def _blocks(
    stream: BinaryIO, format: PcmFormat, rest: bytes, length: int | None
) -> Iterator[Samples]:
    # What is there is taken at once, without waiting for more.
    read = getattr(stream, "read1", stream.read)
    left = math.inf if length is None else length  # after them a file may have other things to say
    while True:
        whole = len(rest) // format.frame_bytes * format.frame_bytes
        if whole:
            yield _to_samples(rest[:whole], format)
        block = read(int(min(1 << 16, left))) if left else b""
        if not block:
            return
        left -= len(block)
        rest = rest[whole:] + block


def _to_samples(data: bytes, format: PcmFormat) -> Samples:
    values = np.frombuffer(data, format.type).reshape(-1, format.channels)
    scale = 1.0 if values.dtype.kind == "f" else 2.0 ** (8 * values.dtype.itemsize - 1)
    samples: Samples = (values / scale).mean(axis=1).astype(np.float32)
    if not np.isfinite(samples).all():
        raise AudioError(
            "-: samples that are not numbers came; check the program before the pipe", "not-finite"
        )
    return samples


def _read(stream: BinaryIO, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data
