from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.augment import recordings
from asr.augment.recordings import read_recordings
from asr.errors import AudioError, ConfigError

RATE = 8000
KEY = "augment.noise.folder"


def write(path: Path, *, seconds: float = 0.5, rate: int = RATE, loudness: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).standard_normal(round(seconds * rate))
    soundfile.write(path, loudness * noise, rate)


def test_all_recordings_below_a_folder_are_read_at_the_models_rate(tmp_path: Path) -> None:
    write(tmp_path / "b.wav", rate=16000)
    write(tmp_path / "a/deep.FLAC", rate=44100)
    (tmp_path / "README.txt").write_text("who recorded this")
    found = read_recordings(str(tmp_path), RATE, key=KEY)
    assert [one.name for one in found] == ["a/deep.FLAC", "b.wav"]
    assert {one.waveform.sample_rate for one in found} == {RATE}
    assert [one.waveform.duration for one in found] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_a_folder_is_seen_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "cafes/a.wav")
    monkeypatch.chdir(tmp_path)
    assert len(read_recordings("cafes", RATE, key=KEY)) == 1


def test_every_recording_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write(tmp_path / "good.wav")
    write(tmp_path / "silent.wav", loudness=0)
    (tmp_path / "text.mp3").write_text("not sound")
    (tmp_path / "empty.wav").touch()
    expected = (
        rf"^{KEY}: .*: 3 of 4 recordings cannot be used; mend or remove them: "
        r".*empty\.wav: the file is empty .*; .*silent\.wav: silent.*; .*text\.mp3: not audio"
    )
    with pytest.raises(AudioError, match=expected):
        read_recordings(str(tmp_path), RATE, key=KEY)


def test_a_folder_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^{KEY}: .*nowhere does not exist; expected a folder"):
        read_recordings(str(tmp_path / "nowhere"), RATE, key=KEY)
    write(tmp_path / "a.wav")
    with pytest.raises(ConfigError, match=rf"^{KEY}: .*a\.wav is a file; expected a folder"):
        read_recordings(str(tmp_path / "a.wav"), RATE, key=KEY)


def test_a_folder_without_recordings_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match=rf"^{KEY}: .* has no recordings in it; .*\.flac"):
        read_recordings(str(tmp_path), RATE, key=KEY)


def test_recordings_too_long_to_be_impulse_responses_are_named(tmp_path: Path) -> None:
    write(tmp_path / "hall.wav", seconds=1.0)
    write(tmp_path / "song.wav", seconds=1.1)
    with pytest.raises(AudioError, match=r"1 of 2 .*song\.wav: 1\.1 s long; .* at most 1 s"):
        read_recordings(str(tmp_path), RATE, key=KEY, longest_seconds=1.0)


def test_more_than_memory_should_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_MOST_HOURS", 0.9 / 3600)
    write(tmp_path / "a.wav")
    assert len(read_recordings(str(tmp_path), RATE, key=KEY)) == 1
    write(tmp_path / "b.wav")
    with pytest.raises(ConfigError, match=rf"^{KEY}: .* hours of recordings, .*selection"):
        read_recordings(str(tmp_path), RATE, key=KEY)
