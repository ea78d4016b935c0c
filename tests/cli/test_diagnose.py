"""`asr diagnose` on tiny untrained models: what it prints, what it writes, and how it fails."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import make_bundle
from typer.testing import CliRunner, Result

from asr.bundle import MODEL_FOLDER, load_bundle, save_bundle
from asr.cli import app
from asr.diagnosis.comparison import choose_utterances, name_models, untrained_encoder
from asr.diagnosis.gradients import GradientSettings
from asr.encoder.encoder import Encoder
from asr.errors import AsrError
from asr.manifest import Utterance, read_manifest, write_manifest

FEW = ("--frames", 2, "--projections", 2, "--distance", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experiments, lstm (bidirectional) and tanh (one-way), and the manifest m.jsonl."""
    folder = tmp_path_factory.mktemp("exp")
    save_bundle(folder / "lstm" / MODEL_FOLDER, make_bundle())
    one_way = make_bundle(cell="tanh", bidirectional=False, subsampling="convolution", layers=1)
    save_bundle(folder / "tanh" / MODEL_FOLDER, one_way)
    write_recordings(folder / "m.jsonl", [0.5, 0.6, 0.7, 0.4])
    return folder


def write_recordings(manifest: Path, seconds: list[float]) -> list[Utterance]:
    noise, utterances = np.random.default_rng(0), []
    manifest.parent.mkdir(exist_ok=True)
    for number, length in enumerate(seconds):
        path = manifest.parent / f"{manifest.stem}-{number}.wav"
        soundfile.write(path, noise.uniform(-0.5, 0.5, round(8000 * length)), 8000)
        utterances.append(Utterance(f"u{number}", path, length))
    write_manifest(manifest, utterances)
    return utterances


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["diagnose", *map(str, arguments)])


def test_the_table_has_a_row_for_each_layer_and_direction_of_each_model(folder: Path) -> None:
    result = run(folder / "lstm", folder / "tanh", folder / "m.jsonl", *FEW)
    assert result.exit_code == 0
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in result.stdout.splitlines()
        if line.startswith("│")
    ]
    assert [row[:3] for row in rows] == [
        ["lstm", "layer 1 forward", "past"],
        ["lstm", "layer 1 backward", "future"],
        ["lstm", "layer 2 forward", "past"],
        ["lstm", "layer 2 backward", "future"],
        ["lstm", "whole model", "past"],
        ["lstm", "whole model", "future"],
        ["tanh", "layer 1 forward", "past"],
        ["tanh", "whole model", "past"],
    ]
    assert all(re.fullmatch(r"(vanishes within|lasts:|explodes:) .*", row[-1]) for row in rows)


def test_the_files_hold_the_same_curves_and_the_page_fetches_nothing(folder: Path) -> None:
    output = folder / "out"
    result = run(folder / "lstm", folder / "m.jsonl", *FEW, "--untrained", "-o", output)
    assert result.exit_code == 0
    assert sorted(path.name for path in output.iterdir()) == [
        "gradients.html",
        "gradients.json",
        "gradients.png",
    ]
    data = json.loads((output / "gradients.json").read_text())
    assert [model["weights"] for model in data["models"]] == ["as saved", "untrained"]
    curves = data["models"][0]["curves"]
    assert [(one["layer"], one["side"]) for one in curves[:2]] == [(1, "past"), (1, "future")]
    assert all(len(one["norms"]) == 9 and one["norms"][0] == 1 for one in curves)
    page = (output / "gradients.html").read_text()
    assert page.count("<svg") == 1
    assert "default-src 'none'" in page
    assert not re.search(r"<(link|img|script|iframe|object)|@import|url\((?!#)|href=\"http", page)
    assert all(one["explanation"] in page for one in curves)
    assert (output / "gradients.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_says_and_writes_the_same(folder: Path) -> None:
    command = (folder / "lstm", folder / "m.jsonl", *FEW, "-o", folder / "again")
    first, page = run(*command).stdout, (folder / "again/gradients.html").read_bytes()
    assert run(*command).stdout == first
    assert (folder / "again/gradients.html").read_bytes() == page
    assert run(*command, "--seed", 2).stdout != first


def test_untrained_weights_are_those_that_the_training_began_with() -> None:
    bundle = make_bundle()
    torch.manual_seed(bundle.card["seed"])
    drawn = Encoder(bundle.encoder.settings, inputs=12, tokens=len(bundle.tokens)).state_dict()
    state = torch.random.get_rng_state()
    ours = untrained_encoder(bundle, seed=99).state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in drawn.items())
    assert torch.equal(torch.random.get_rng_state(), state)


def choose(among: list[Utterance], **settings: Any) -> list[str]:
    parsed = GradientSettings.parse(settings, "test")
    chosen = choose_utterances(among, [make_bundle()], parsed, where="m.jsonl")
    return [one.id for one in chosen]


def made_up(seconds: list[float]) -> list[Utterance]:
    return [Utterance(f"u{n}", Path("none.wav"), length) for n, length in enumerate(seconds)]


def test_utterances_are_drawn_by_seed_among_those_long_enough() -> None:
    # Encoder frames of 20 ms: 8 frames' distance wants 12 of them.
    utterances = made_up([0.2, 1.0, 2.0, 0.1, 3.0, 4.0, 5.0])
    draws = {tuple(choose(utterances, utterances=2, distance=8, seed=s)) for s in range(20)}
    assert len(draws) > 5
    assert {one for draw in draws for one in draw} == {"u1", "u2", "u4", "u5", "u6"}
    assert choose(utterances, utterances=2, distance=8, seed=3) in map(list, draws)


def test_where_too_few_are_long_enough_the_longest_are_taken() -> None:
    utterances = made_up([0.2, 0.4, 0.3, 0.05, 0.5])
    assert choose(utterances, utterances=3) == ["u4", "u1", "u2"]
    assert choose(utterances, utterances=9) == ["u4", "u1", "u2", "u0"]


def test_a_shorter_distance_than_wanted_is_told(folder: Path) -> None:
    result = run(folder / "tanh", folder / "m.jsonl", "--frames", 1, "--utterances", 1)
    assert result.exit_code == 0
    # 0.7 s at 8 kHz: 68 feature frames, 34 encoder frames.
    assert "tanh: followed over 22 of 200 frames" in result.stderr


def test_fewer_utterances_than_wanted_are_told(folder: Path) -> None:
    result = run(folder / "tanh", folder / "m.jsonl", "--frames", 1)
    assert "4 of 8 utterances measured" in result.stderr


def test_models_of_the_same_name_are_called_by_their_paths() -> None:
    assert name_models([Path("a/x/07_average"), Path("b/y")]) == ["x", "y"]
    assert name_models([Path("a/x"), Path("b/x")]) == ["a/x", "b/x"]


def failure(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, AsrError)
    return str(result.exception)


def test_a_users_mistakes_are_named(folder: Path, tmp_path: Path) -> None:
    model, manifest = folder / "lstm", folder / "m.jsonl"
    assert "no such manifest" in failure(model, tmp_path / "none.jsonl")
    assert "not a model folder" in failure(tmp_path, manifest)
    assert "key 'utterances'" in failure(model, manifest, "--utterances", 0)
    assert "key 'distance'" in failure(model, manifest, "--distance", 2)
    assert run(model).exit_code == 2
    write_recordings(tmp_path / "short.jsonl", [0.1, 0.08])
    message = failure(model, tmp_path / "short.jsonl")
    assert "no utterance is long enough: the longest, 'u0', has 0.10 s" in message


def test_a_recording_shorter_than_its_manifest_says_is_named(folder: Path, tmp_path: Path) -> None:
    (utterance,) = write_recordings(tmp_path / "m.jsonl", [0.1])
    longer = Utterance("long", utterance.audio_path, 0.5)
    write_manifest(tmp_path / "m.jsonl", [longer])
    assert str(utterance.audio_path) in failure(folder / "lstm", tmp_path / "m.jsonl")


def test_nothing_is_written_where_a_recording_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    write_recordings(tmp_path / "m.jsonl", [0.5, 0.6])
    (tmp_path / "m-1.wav").write_text("no sound")
    assert "m-1.wav" in failure(folder / "lstm", tmp_path / "m.jsonl", *FEW, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_duration_that_the_manifest_does_not_know_is_read_from_the_file(folder: Path) -> None:
    (one, *_) = read_manifest(folder / "m.jsonl")
    unknown = Utterance("u", one.audio_path, 0.0)
    bundle = load_bundle(folder / "lstm")
    settings = GradientSettings(utterances=1, distance=8)
    assert choose_utterances([unknown], [bundle], settings, where="m") == [unknown]
