import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import RATE, sine

from asr.audio import load_audio, read_blocks, resample
from asr.errors import AudioError


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    generator = np.random.default_rng(1)
    return generator.uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("seconds", [0.003, 0.1, 0.37, 100.0])
def test_blocks_at_the_files_own_rate_are_exactly_the_whole(
    tmp_path: Path, suffix: str, seconds: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(1.5, RATE, 2), RATE)
    blocks = [*read_blocks(path, RATE, seconds=seconds)]
    np.testing.assert_array_equal(np.concatenate(blocks), load_audio(path).samples)
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert {len(block) for block in blocks[:-1]} <= {round(seconds * RATE)}


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (44100, 16000), (48000, 8000)])
@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.9, 100.0])
def test_resampled_blocks_are_the_whole_resampled(
    tmp_path: Path, old: int, new: int, seconds: float
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(2.0, old), old)
    blocks = [*read_blocks(path, new, seconds=seconds)]
    expected = resample(load_audio(path), new).samples
    assert all(len(block) for block in blocks)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-4)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_part_is_what_load_audio_reads_of_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(2.0, RATE), RATE)
    blocks = [*read_blocks(path, RATE, offset=0.51, duration=1.2, seconds=0.25)]
    expected = load_audio(path, offset=0.51, duration=1.2).samples
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert len(expected) == round(1.2 * RATE)


def test_a_channel_is_taken_by_its_number(tmp_path: Path) -> None:
    samples = noise(0.5, RATE, 2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    for channel in (1, 2):
        blocks = [*read_blocks(tmp_path / "a.wav", RATE, channel=channel, seconds=0.1)]
        np.testing.assert_array_equal(np.concatenate(blocks), samples[:, channel - 1])


@pytest.mark.parametrize("channel", [0, 3, -1])
def test_a_channel_that_is_not_there_is_an_error(tmp_path: Path, channel: int) -> None:
    soundfile.write(tmp_path / "a.wav", noise(0.1, RATE, 2), RATE)
    message = rf"a\.wav: channel {channel} was asked for; the recording has 2, counted from 1"
    with pytest.raises(AudioError, match=message):
        next(read_blocks(tmp_path / "a.wav", RATE, channel=channel))


def problem_of(path: Path, **options: float) -> str:
    with pytest.raises(AudioError) as error:
        list(read_blocks(path, RATE, **options))
    assert str(error.value).startswith(f"{path}: ")
    return error.value.problem


def test_what_load_audio_refuses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "a.wav", sine(440, 1.0), RATE)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.wav").write_text("hello")
    assert problem_of(tmp_path / "none.wav") == "unreadable"
    assert problem_of(tmp_path / "text.wav") == "unreadable"
    assert problem_of(tmp_path / "empty.wav") == "empty-audio"
    assert problem_of(tmp_path / "cut.wav") == "cut-short"
    assert problem_of(tmp_path / "a.wav", offset=2.0) == "wrong-duration"


def test_damage_shows_where_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(3.0, RATE), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    blocks = read_blocks(path, RATE, seconds=0.1)
    assert len(next(blocks)) == 1600
    with pytest.raises(AudioError, match="damaged or cut short"):
        list(blocks)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused_in_their_block(
    tmp_path: Path, value: float
) -> None:
    samples = sine(440, 1.0)
    samples[12000] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    blocks = read_blocks(tmp_path / "a.wav", RATE, seconds=0.5)
    np.testing.assert_array_equal(next(blocks), samples[:8000])
    with pytest.raises(AudioError, match=r"not numbers \(NaN or infinite\)") as error:
        next(blocks)
    assert error.value.problem == "not-finite"


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """30 minutes that are zeros on a disk that keeps none of them: peak as for one minute."""
    peaks = []
    for minutes in (1, 30):
        path = tmp_path / f"{minutes}.wav"
        soundfile.write(path, np.zeros(0), 8000, subtype="PCM_16")
        size = minutes * 60 * 8000 * 2
        header = bytearray(path.read_bytes())
        at = header.index(b"data") + 4
        header[at : at + 4] = size.to_bytes(4, "little")
        header[4:8] = (len(header) + size - 8).to_bytes(4, "little")
        path.write_bytes(header)
        with path.open("rb+") as file:
            file.truncate(len(header) + size)
        tracemalloc.start()
        total = sum(len(block) for block in read_blocks(path, RATE))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total == pytest.approx(minutes * 60 * RATE, abs=2)
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 10e6  # bytes; the 30 minutes are 115e6


def test_a_reader_that_stops_early_leaves_the_file_closed(tmp_path: Path) -> None:
    """An open file would be a ResourceWarning, which is an error here."""
    soundfile.write(tmp_path / "a.wav", sine(440, 1.0), RATE)
    blocks = read_blocks(tmp_path / "a.wav", RATE, seconds=0.1)
    next(blocks)
    blocks.close()
    with pytest.raises(StopIteration):
        next(blocks)
