from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio import Waveform, load_audio, read_info, refuse_silence, resample
from asr.errors import AudioError

RATE = 16000


def sine(frequency: float, seconds: float, rate: int = RATE) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def loudest_frequency(waveform: Waveform) -> float:
    """Hz at which the spectrum is highest."""
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(len(waveform.samples))))
    return float(spectrum.argmax() / waveform.duration)


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


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (16000, 8000), (44100, 16000)])
def test_resampling_keeps_pitch_length_and_loudness(old: int, new: int) -> None:
    waveform = resample(Waveform(sine(440, 1.0, old), old), new)
    assert waveform.sample_rate == new
    assert waveform.duration == pytest.approx(1.0, abs=2 / new)
    assert loudest_frequency(waveform) == pytest.approx(440, abs=1.5)
    middle = waveform.samples[new // 4 : -new // 4]
    np.testing.assert_allclose(
        middle, sine(440, 1.0, new)[new // 4 : new // 4 + len(middle)], atol=2e-3
    )


def test_resampling_removes_what_the_new_rate_cannot_hold() -> None:
    waveform = resample(Waveform(sine(6000, 1.0), RATE), 8000)
    assert np.abs(waveform.samples[1000:-1000]).max() < 1e-3


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    waveform = Waveform(sine(440, 0.1), RATE)
    assert resample(waveform, RATE) is waveform


def test_silence_is_refused_and_a_whisper_is_not() -> None:
    refuse_silence(Waveform(sine(440, 0.1) * 1e-3, RATE), Path("a.wav"))
    with pytest.raises(AudioError, match=r"a\.wav: silent: the loudest of 0\.10 s") as error:
        refuse_silence(Waveform(np.zeros(1600, np.float32), RATE), Path("a.wav"))
    assert error.value.problem == "silent"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = sine(440, 0.1)
    samples[7] = value
    with pytest.raises(AudioError, match=r"not numbers \(NaN or infinite\)") as error:
        refuse_silence(Waveform(samples, RATE), Path("a.wav"))
    assert error.value.problem == "not-finite"
