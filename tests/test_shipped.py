"""The model that comes with asr: found where none is named, and named where there is none."""

import re
import tomllib
from glob import glob
from pathlib import Path

import pytest
import soundfile
from synthetic_speech import RATE, speak
from tiny_model import make_bundle
from typer.testing import CliRunner

import asr
from asr import load_model, shipped
from asr.bundle import load_bundle, save_bundle
from asr.cli import app
from asr.errors import ConfigError, ModelError
from asr.shipped import choose_model


@pytest.fixture
def english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped, "_MODELS", tmp_path / "models")
    save_bundle(tmp_path / "models/english", make_bundle())
    return tmp_path / "models/english"


@pytest.fixture
def no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_MODELS", tmp_path / "nowhere")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", speak("abc cab"), RATE)
    return tmp_path / "a.wav"


def test_commands_take_it_where_no_model_is_named(english: Path, wav: Path) -> None:
    runner = CliRunner()
    for more in ([], ["--model", str(english)], ["--model", "english"]):
        result = runner.invoke(app, ["transcribe", str(wav), *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert result.stdout == f"{load_model().transcribe(wav).text}\n"
    info = runner.invoke(app, ["info"])
    assert str(english) in info.stdout
    manifest = wav.with_name("a.jsonl")
    manifest.write_text('{"audio_filepath": "a.wav", "duration": 0, "text": "abc", "id": "a"}\n')
    assert runner.invoke(app, ["decode", str(manifest)]).exit_code == 0


@pytest.mark.parametrize("name", ["english", "folder"])
def test_nothing_is_tuned_into_it(english: Path, wav: Path, name: str) -> None:
    before = {path.name: path.read_bytes() for path in english.iterdir()}
    manifest = wav.with_name("a.jsonl")
    manifest.write_text('{"audio_filepath": "a.wav", "duration": 0, "text": "abc", "id": "a"}\n')
    model = name if name == "english" else str(english)
    error = CliRunner().invoke(app, ["tune", model, str(manifest)]).exception
    assert isinstance(error, ConfigError)
    assert "asr export english my_model" in str(error)
    assert {path.name: path.read_bytes() for path in english.iterdir()} == before


def test_commands_for_language_models_know_its_name(english: Path, tmp_path: Path) -> None:
    error = (
        CliRunner().invoke(app, ["lm", "export", "english", "-o", str(tmp_path / "a")]).exception
    )
    assert isinstance(error, ModelError)
    assert "has no n-gram model" in str(error)


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("command", ["transcribe", "decode", "info"])
def test_where_there_is_none_the_message_says_what_to_do(wav: Path, command: str) -> None:
    arguments = [command] if command == "info" else [command, str(wav)]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ModelError)
    assert re.search(r"no model was named, .* --model exp/NAME, or train one: asr run", str(error))


@pytest.mark.usefixtures("no_model")
def test_load_model_says_it_too() -> None:
    with pytest.raises(ModelError, match="no model was named"):
        load_model()


def test_a_folder_of_the_users_goes_before_a_model_of_that_name(
    english: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_model("english") == english
    assert load_bundle(Path("english")).card["name"] == "tiny"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "english").mkdir()
    assert choose_model("english") == Path("english")
    assert choose_model() == english
    assert choose_model(tmp_path / "english") == tmp_path / "english"


def test_the_wheel_has_the_models_in_it(tmp_path: Path) -> None:
    """As setuptools does it: files that fit the patterns of the package data are packed."""
    root = Path(asr.__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["asr"]
    names = ["model.json", "model.safetensors", "decoder.json", "lm.safetensors", "words.txt"]
    names += ["rnnlm.json", "rnnlm.safetensors", "README.md"]
    for name in names:
        path = tmp_path / "models/english" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    packed = {found for one in patterns for found in glob(one, root_dir=tmp_path, recursive=True)}
    assert {f"models/english/{name}" for name in names} <= packed
