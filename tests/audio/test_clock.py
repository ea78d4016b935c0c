"""Samples that FFmpeg decodes are on the clock of the file."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sound_files import RATE, sine

from asr.audio import load_audio, read_blocks, read_info
from asr.errors import AudioError

Parts = list[tuple[float, float]]  # when sound begins and how long it lasts, in seconds


def write_parts(
    path: Path, parts: Parts, *, container: str = "matroska", codec: str = "pcm_s16le"
) -> Path:
    """A tone with holes in its timestamps."""
    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=RATE, layout="mono")
        stream.time_base = Fraction(1, RATE)
        size = stream.codec_context.frame_size or 400
        for begin, seconds in parts:
            whole = sine(440, seconds)
            for start in range(0, len(whole) - size + 1, size):
                samples = (whole[start : start + size] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
                frame.sample_rate = RATE
                frame.time_base = Fraction(1, RATE)
                frame.pts = round(begin * RATE) + start
                file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def loud(samples: np.ndarray, begin: float, end: float) -> bool:
    """Whether there is a tone all the time, but for 25 ms at the borders; else there is none."""
    power = samples[round((begin + 0.025) * RATE) : round((end - 0.025) * RATE)] ** 2
    frames = power[: len(power) // 160 * 160].reshape(-1, 160).mean(1)
    assert (frames > 0.05).all() or (frames == 0).all()
    return bool((frames > 0.05).all())


def test_a_late_start_and_a_hole_are_silence(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mkv", [(1.0, 1.0), (2.5, 1.0)])
    samples = load_audio(path).samples
    assert len(samples) == pytest.approx(3.5 * RATE, abs=0.002 * RATE)
    assert not loud(samples, 0, 1.0)
    assert loud(samples, 1.0, 2.0)
    assert not loud(samples, 2.0, 2.5)
    assert loud(samples, 2.5, 3.5)
    assert read_info(path).duration == pytest.approx(3.5, abs=0.002)


def test_the_sound_of_an_mp4_may_begin_late_too(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mp4", [(1.0, 0.8)], container="mp4", codec="alac")
    samples = load_audio(path).samples
    assert not loud(samples, 0, 1.0)
    assert loud(samples, 1.0, 1.76)
    assert read_info(path).duration == pytest.approx(len(samples) / RATE, abs=0.01)


def test_parts_are_cut_by_that_clock(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mkv", [(1.0, 1.0), (2.5, 1.0)])
    whole = load_audio(path).samples
    part = load_audio(path, offset=1.75, duration=1.0).samples
    np.testing.assert_array_equal(part, whole[28000:44000])


def test_timestamps_that_are_rounded_make_no_holes(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mkv", [(0.0, 0.5), (0.515, 0.5)])
    samples = load_audio(path).samples
    assert len(samples) == RATE, "15 ms are no hole"


def test_a_long_hole_is_silent_in_blocks_of_the_usual_length(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mkv", [(0.0, 1.0), (300.0, 1.0)])
    blocks = list(read_blocks(path, RATE, seconds=10.0))
    assert sum(map(len, blocks)) == pytest.approx(301 * RATE, abs=0.002 * RATE)
    assert max(map(len, blocks)) <= 11 * RATE


def test_a_hole_of_many_hours_is_damage(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.mkv", [(0.0, 1.0), (36000.0, 1.0)])
    with pytest.raises(AudioError, match=r"a\.mkv: .*after 1\.00 s leaves out 35999 s") as error:
        load_audio(path)
    assert error.value.problem == "damaged"


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [("a.ts", "mpegts", "mp2"), ("a.mkv", "matroska", "pcm_s16le")],
)
def test_where_a_clock_was_cut_out_of_a_broadcast_the_sound_begins_at_once(
    tmp_path: Path, name: str, container: str, codec: str
) -> None:
    parts = [(7200.0, 0.9), (8000.0 - 799.0 + 0.4, 0.9)]
    path = write_parts(tmp_path / name, parts, container=container, codec=codec)
    samples = load_audio(path).samples
    assert len(samples) == pytest.approx(2.3 * RATE, abs=0.15 * RATE)
    assert loud(samples, 0.05, 0.8)
    assert not loud(samples, 1.0, 1.35)
