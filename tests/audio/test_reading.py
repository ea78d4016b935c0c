import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import RATE, loudest_frequency, sine

from asr.audio import AUDIO_SUFFIXES, load_audio, read_info
from asr.errors import AudioError


def problem_of(path: Path, **part: float) -> str:
    with pytest.raises(AudioError) as error:
        load_audio(path, **part)
    assert str(error.value).startswith(f"{path}: ")
    return error.value.problem


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "w64", "caf"])
def test_lossless_files_give_back_what_was_written(tmp_path: Path, suffix: str) -> None:
    samples = sine(440, 0.5)
    soundfile.write(tmp_path / f"a.{suffix}", samples, RATE, subtype="PCM_16")
    waveform = load_audio(tmp_path / f"a.{suffix}")
    assert waveform.sample_rate == RATE
    assert waveform.samples.dtype == np.float32
    np.testing.assert_allclose(waveform.samples, samples, atol=1 / 2**15)


@pytest.mark.parametrize(
    ("suffix", "more"),
    [("ogg", {}), ("mp3", {}), ("opus", {"format": "OGG", "subtype": "OPUS"})],
)
def test_lossy_files_keep_length_and_pitch(
    tmp_path: Path, suffix: str, more: dict[str, str]
) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", sine(440, 1.0), RATE, **more)
    waveform = load_audio(tmp_path / f"a.{suffix}")
    assert waveform.duration == pytest.approx(1.0, abs=0.01)
    assert loudest_frequency(waveform) == pytest.approx(440, abs=2)


def test_the_header_is_read_without_the_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((12000, 2)), 8000)
    info = read_info(tmp_path / "a.flac")
    assert (info.duration, info.sample_rate, info.channels) == (1.5, 8000, 2)


def test_stereo_is_mixed_down_to_the_mean(tmp_path: Path) -> None:
    left, right = sine(300, 0.2), sine(500, 0.2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    samples = load_audio(tmp_path / "a.wav").samples
    assert samples.shape == left.shape
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-6)


def test_a_part_is_the_same_samples_as_in_the_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, noise, RATE)
        whole = load_audio(tmp_path / name).samples
        part = load_audio(tmp_path / name, offset=0.25, duration=0.5).samples
        np.testing.assert_array_equal(part, whole[RATE // 4 : RATE // 4 + RATE // 2])
        rest = load_audio(tmp_path / name, offset=1.5).samples
        np.testing.assert_array_equal(rest, whole[-RATE // 2 :])


def test_a_part_beyond_the_end_is_refused_with_both_times(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(440, 1.0), RATE)
    with pytest.raises(AudioError, match=r"ends after 1\.00 s, but 0\.50 s to 2\.50 s was asked"):
        load_audio(tmp_path / "a.wav", offset=0.5, duration=2.0)
    assert problem_of(tmp_path / "a.wav", offset=1.0) == "wrong-duration"


def test_a_duration_that_is_off_by_rounding_is_borne(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(440, 1.0), RATE)
    assert load_audio(tmp_path / "a.wav", duration=1.04).duration == 1.0


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "none.wav") == "unreadable"
    assert problem_of(tmp_path) == "unreadable"


@pytest.mark.parametrize("content", [b"hello", b"RIFF", b"\x89PNG\r\n\x1a\n" * 50, b"\0" * 4000])
def test_a_file_that_is_no_audio_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert problem_of(tmp_path / "a.wav") == "unreadable"


def test_empty_files_and_files_without_samples_are_empty(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    soundfile.write(tmp_path / "b.wav", np.zeros(0), RATE)
    assert problem_of(tmp_path / "a.wav") == "empty-audio"
    assert problem_of(tmp_path / "b.wav") == "empty-audio"
    with pytest.raises(AudioError, match=r"a\.wav: the file is empty \(0 bytes\)"):
        read_info(tmp_path / "a.wav")


def truncate(path: Path, fraction: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_a_truncated_wav_is_cut_short(tmp_path: Path, fraction: float) -> None:
    soundfile.write(tmp_path / "a.wav", sine(440, 1.0), RATE)
    path = truncate(tmp_path / "a.wav", fraction)
    assert problem_of(path) == "cut-short"
    assert problem_of(path, duration=0.05) == "cut-short"


@pytest.mark.parametrize(("suffix", "problem"), [("flac", "damaged"), ("mp3", "cut-short")])
def test_other_truncated_files_are_found_on_reading(
    tmp_path: Path, suffix: str, problem: str
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 2 * RATE)
    soundfile.write(tmp_path / f"a.{suffix}", noise, RATE)
    assert problem_of(truncate(tmp_path / f"a.{suffix}", 0.5)) == problem


def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, sine(440, 0.5), RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert load_audio(path).duration == 0.5


@pytest.mark.parametrize("length", [0x7FFFF000, 0x80000000])
def test_a_wav_with_the_length_that_sox_or_arecord_give_a_stream_is_read_to_its_end(
    tmp_path: Path, length: int
) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, sine(440, 0.5), RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    assert load_audio(path).duration == 0.5


def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "piped.flac"
    soundfile.write(path, sine(440, 0.5), RATE, subtype="PCM_16")
    expected = load_audio(path)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(load_audio(path).samples, expected.samples)
    assert read_info(path).duration == 0.5


def test_a_long_file_is_mixed_down_in_blocks_as_it_would_be_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (130 * 8000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav").samples, noise.mean(axis=1))


def test_a_pipe_is_not_taken_for_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"null: not a file \(a pipe or a device\)"):
        read_info(Path("/dev/null"))


@pytest.mark.parametrize(
    ("suffix", "format"),
    [("sph", "NIST"), ("voc", "VOC"), ("snd", "AU"), ("rf64", "RF64"), ("w64", "W64")],
)
def test_what_libsndfile_reads_is_found_in_folders(
    tmp_path: Path, suffix: str, format: str
) -> None:
    samples = sine(440, 0.5)
    soundfile.write(tmp_path / f"a.{suffix}", samples, RATE, format=format, subtype="PCM_16")
    np.testing.assert_allclose(load_audio(tmp_path / f"a.{suffix}").samples, samples, atol=1e-4)
    assert f".{suffix}" in AUDIO_SUFFIXES


def test_what_the_system_refuses_to_open_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem_of(tmp_path / ("x" * 300 + ".wav")) == "unreadable"
    (tmp_path / "a.m4a").write_bytes(b"not ours to read")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # The file's mode would not do: root may read everything.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match=r"a\.m4a: cannot be opened \(Permission denied\)"):
        load_audio(tmp_path / "a.m4a")
