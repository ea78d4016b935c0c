import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_speech import speak

from asr.cli import main

RATE = 8000


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "speech.wav", speak("abc cab ba"), RATE, subtype="FLOAT")
    return tmp_path / "speech.wav"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `asr augment` as the console script does; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["asr", "augment", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_a_recipe_says_what_is_heard(
    speech: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("r.yaml").write_text(
        "name: r\ncorpus: {name: table}\nfeatures: {sample_rate: 8000, mels: 16}\n"
        "augment: {speeds: [1.25], gain_db: [6, 6]}\n"
    )
    assert run(monkeypatch, speech, "out.wav", "--recipe", "r.yaml", "--picture", "a.png") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "speed  1.25\ngain   +6.0 dB\nmasks  features" in captured.err
    heard, rate = soundfile.read("out.wav")
    recorded, _ = soundfile.read(speech)
    assert rate == RATE
    assert len(heard) == pytest.approx(len(recorded) / 1.25, abs=1)
    assert 20 * np.log10(heard.std() / recorded.std()) == pytest.approx(6, abs=0.2)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_seed_epoch_and_id_decide_what_is_drawn(
    speech: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "augment.noise.probability=1"]
    sounds = []
    for more in ([], [], ["--seed", 2], ["--epoch", 2], ["--id", "other"], ["--id", "speech"]):
        assert run(monkeypatch, speech, "out.wav", *options, *more) == 0
        # The samples: a WAV file of floats has the time of its making in it.
        sounds.append(soundfile.read("out.wav")[0].tobytes())
    assert sounds[0] == sounds[1] == sounds[5]
    assert len(set(sounds)) == 4
    assert "noise  SNR" in capsys.readouterr().err


def test_what_is_beyond_full_scale_is_said_and_does_not_wrap_around(
    speech: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "features.sample_rate=8000", "--set", "features.mels=16"]
    options += ["--set", "augment.speeds=[1.0]", "--set", "augment.gain_db=[20, 20]"]
    assert run(monkeypatch, speech, "out.wav", *options) == 0
    heard, _ = soundfile.read("out.wav")
    recorded, _ = soundfile.read(speech)
    np.testing.assert_allclose(heard, 10 * recorded, rtol=1e-6, atol=1e-7)
    assert f"its peak is {np.abs(heard).max():.2f} times full scale" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.wav", "out.wav"], "nothing.wav: no such file"),
        (["speech.wav", "out.mp3"], "out.mp3: a WAV file is written; expected a name that"),
        (["speech.wav", "./speech.wav"], "speech.wav: this file is given for two things"),
        (["speech.wav", "out.wav", "--picture", "speech.wav"], "this file is given for two things"),
        (["speech.wav", "out.wav", "--recipe", "nowhere"], "nowhere: there is no such recipe"),
        (["speech.wav", "out.wav", "--set", "augment.nois={}"], "did you mean 'augment.noise'"),
        (
            ["speech.wav", "out.wav", "--set", "augment.noise.folder=cafes"],
            "augment.noise.folder: cafes does not exist; expected a folder of recordings",
        ),
        (
            ["speech.wav", "out.wav", "--set", "augment.noise.snr=[9, 1]"],
            "--set augment.noise.snr=[9, 1]: key 'augment.noise.snr': the first (9)",
        ),
    ],
)
def test_mistakes_end_with_status_2_and_write_nothing(
    speech: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    before = speech.read_bytes()
    assert run(monkeypatch, *arguments) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in speech.parent.iterdir()] == ["speech.wav"]
    assert speech.read_bytes() == before
