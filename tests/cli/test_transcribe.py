"""transcribe, decode and info on a tiny untrained model: what they print, and how they fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner, Result

from asr.bundle import MODEL_FOLDER, Bundle, save_bundle
from asr.cli import app, main
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.errors import ConfigError
from asr.features import FeatureSettings
from asr.manifest import Utterance, write_manifest
from asr.text import Normalizer
from asr.tokens import Characters

RATE = 8000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    torch.manual_seed(0)
    features = FeatureSettings(sample_rate=RATE, mels=20, cmvn="per_utterance")
    tokens = Characters(" abc")
    settings = EncoderSettings(layers=1, hidden=8)
    encoder = Encoder(settings, inputs=features.dimension, tokens=len(tokens))
    card = {"name": "tiny", "dev_wer": 0.125}
    bundle = Bundle(features, None, encoder, tokens, Normalizer("basic"), card)
    save_bundle(folder / MODEL_FOLDER, bundle)
    return folder


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "noise.wav")


def write_noise(path: Path, *, seconds: float = 1.0, rate: int = RATE, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate))
    soundfile.write(path, noise.astype(np.float32), rate)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def status(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit status of the whole program, errors and all."""
    monkeypatch.setattr("sys.argv", ["asr", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def test_one_file_gives_its_text_alone(model: Path, wav: Path) -> None:
    result = run("transcribe", "--model", model, wav)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert str(wav) not in result.stdout


def test_many_files_give_a_line_each_with_the_path(model: Path, tmp_path: Path) -> None:
    paths = [write_noise(tmp_path / f"{number}.wav", seed=number) for number in range(3)]
    result = run("transcribe", "--model", model, *paths)
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == list(map(str, paths))


def test_model_folder_and_its_experiment_mean_the_same(model: Path, wav: Path) -> None:
    inside = run("transcribe", "--model", model / MODEL_FOLDER, wav)
    assert inside.stdout == run("transcribe", "--model", model, wav).stdout


def test_one_bad_file_is_named_and_the_others_are_delivered(
    model: Path, wav: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("this is no audio")
    result = run("transcribe", "--model", model, bad, wav)
    assert result.exit_code == 2
    assert str(bad) in result.stderr
    assert "1 of 2 recordings" in result.stderr
    assert result.stdout.startswith(f"{wav}\t")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("words, not sound"), "not audio"),
        (lambda path: soundfile.write(path, np.zeros(RATE), RATE), "silent"),
        (lambda path: write_noise(path, seconds=0.01), "too short"),
        (lambda path: cut(write_noise(path)), "cut short"),
        (lambda path: None, "no such file"),
    ],
)
def test_unusable_audio_ends_with_status_2_and_its_reason(
    model: Path, tmp_path: Path, make: object, message: str
) -> None:
    path = tmp_path / "one.wav"
    make(path)  # type: ignore[operator]
    result = run("transcribe", "--model", model, path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert str(path) in result.stderr
    assert result.stdout == ""


def cut(path: Path) -> None:
    """Lose the second half of a file, as a copy that was broken off does."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_other_sample_rate_is_resampled_with_a_notice(model: Path, tmp_path: Path) -> None:
    path = write_noise(tmp_path / "fast.wav", rate=44100)
    result = run("transcribe", "--model", model, path)
    assert result.exit_code == 0
    assert "resampled from 44100 Hz to the model's 8000 Hz" in result.stderr


def test_folder_without_a_model_is_a_users_mistake(
    tmp_path: Path, wav: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(["transcribe", "--model", tmp_path, wav], monkeypatch) == 2
    assert "not a model folder" in capsys.readouterr().err


def test_decode_writes_a_line_for_every_utterance_in_order(model: Path, tmp_path: Path) -> None:
    seconds = {"long": 2.0, "short": 0.5, "middle": 1.0}
    utterances = [
        Utterance(name, write_noise(tmp_path / f"{name}.wav", seconds=length), length, "a b")
        for name, length in seconds.items()
    ]
    write_manifest(tmp_path / "set.jsonl", utterances)
    output = tmp_path / "out" / "hypotheses.jsonl"
    result = run("decode", tmp_path / "set.jsonl", "--model", model, "-o", output)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["id"] for line in lines] == list(seconds)
    alone = run("transcribe", "--model", model, tmp_path / "short.wav")
    assert lines[1]["text"] == alone.stdout.strip()
    assert run("score", tmp_path / "set.jsonl", output).exit_code == 0


def test_decode_names_each_recording_it_cannot_read_and_delivers_the_others(
    model: Path, wav: Path, tmp_path: Path
) -> None:
    gone = [Utterance(f"g{number}", tmp_path / f"{number}.wav", 1.0, "a") for number in range(7)]
    there = [Utterance(name, wav, 1.0, "b") for name in ("first", "last")]
    write_manifest(tmp_path / "set.jsonl", [there[0], *gone, there[1]])
    output = tmp_path / "hypotheses.jsonl"
    printed = run("decode", tmp_path / "set.jsonl", "--model", model)
    written = run("decode", tmp_path / "set.jsonl", "--model", model, "-o", output)
    for result in (printed, written):
        assert result.exit_code == 2
        said = result.stderr.splitlines()
        for one in gone:
            assert f"asr: {one.id}: {one.audio_path}: no such file; expected an audio file" in said
        assert said[-1] == "asr: 7 of 9 not recognised"
    assert output.read_text() == printed.stdout
    ids = [json.loads(line)["id"] for line in printed.stdout.splitlines()]
    assert ids == ["first", "last"]


def test_decode_refuses_a_bonus_for_no_hotwords(model: Path, wav: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "set.jsonl", [Utterance("a", wav, 1.0, "a")])
    result = run("decode", tmp_path / "set.jsonl", "--model", model, "--hotword-bonus", "3")
    assert isinstance(result.exception, ConfigError)
    assert "hotwords: none are named" in str(result.exception)


def test_info_shows_settings_tokens_and_card(model: Path) -> None:
    result = run("info", model)
    assert result.exit_code == 0
    for shown in ("sample_rate 8000", "cell lstm", "5: blank space a b c", "tiny", "WER 12.50 %"):
        assert shown in result.stdout


def test_info_as_json_is_the_whole_description(model: Path) -> None:
    description = json.loads(run("info", model, "--json").stdout)
    assert description["tokens"]["symbols"] == [" ", "a", "b", "c"]


def test_check_against_a_model_names_unknown_characters_and_texts_too_long_for_their_frames(
    model: Path, tmp_path: Path
) -> None:
    texts = {"good": "Cab", "odd": "cäb", "long": "abc" * 40}
    utterances = [
        Utterance(name, write_noise(tmp_path / f"{name}.wav", seed=number), 1.0, text)
        for number, (name, text) in enumerate(texts.items())
    ]
    write_manifest(tmp_path / "set.jsonl", utterances)
    assert run("check", tmp_path / "set.jsonl").exit_code == 0
    result = run("check", tmp_path / "set.jsonl", "--model", model)
    assert result.exit_code == 2
    assert "2 of them unusable" in result.stdout
    assert "'ä' (U+00E4) x 1 in 'cäb'" in result.stdout
    assert "120 characters need 120 encoder frames" in result.stdout


def test_decode_writes_no_manifest_over(model: Path, wav: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance("a", wav, 1.0)])
    before = manifest.read_bytes()
    result = run("decode", manifest, "--model", model, "-o", manifest)
    assert isinstance(result.exception, ConfigError)
    assert manifest.read_bytes() == before


def test_a_weight_without_end_is_refused(model: Path, wav: Path) -> None:
    result = run("transcribe", wav, "--model", model, "--lm-weight", "inf")
    assert isinstance(result.exception, ConfigError)
    assert "lm_weight" in str(result.exception)


def test_a_letter_that_the_terminal_does_not_know_ends_nothing(model: Path, tmp_path: Path) -> None:
    write_noise(tmp_path / "łódź.wav")
    write_noise(tmp_path / "z.wav")
    command = [sys.executable, "-m", "asr", "transcribe", "--model", str(model), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "latin-1"}, check=True
    )
    assert [b"\\u0142" in line for line in done.stdout.splitlines()] == [False, True]
