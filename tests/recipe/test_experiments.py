"""Experiments compared, from folders with what the stages leave."""

import json
from pathlib import Path
from typing import Any

import pytest

from asr.errors import ConfigError
from asr.manifest import Utterance, write_manifest
from asr.recipe.config import Recipe, default_recipe, dump_recipe
from asr.recipe.experiments import (
    differences,
    print_experiments,
    read_experiment,
    write_json,
)
from asr.recipe.record import Provenance, StageRecord
from asr.recipe.stage import Stage

_STAGES = {"prepare": 1, "tokens": 3, "train": 6, "average": 7, "tune": 8, "decode": 9, "score": 10}


def build(recipe: Recipe) -> list[Stage]:
    """Stages that depend on nothing but the kind of cell."""
    settings = {"cell": recipe.encoder.cell}
    return [
        Stage(number, name, (), settings, lambda output, folders: None)
        for name, number in _STAGES.items()
    ]


def make_experiment(
    folder: Path, *overrides: str, wer: float = 0.25, interval: bool = True
) -> Path:
    """An experiment folder, finished."""
    recipe = default_recipe(overrides)
    folder.mkdir()
    dump_recipe(recipe, folder)
    scores: dict[str, Any] = {"name": "far", "word_error_rate": wer, "character_error_rate": 0.125}
    if interval:
        scores["intervals"] = {"word_error_rate": [wer - 0.05, wer + 0.125]}
    speed = {"modes": {"greedy": 0.05, "tuned": 0.1}, "on": "2 CPU cores"}
    files: dict[str, tuple[str, Any]] = {
        "tokens": ("tokens.json", {"kind": "characters", "symbols": ["a"]}),
        "train": ("metrics.jsonl", {"epoch": 7, "step": 70, "seconds": 90.0, "speed": 300.0}),
        "average": ("model.json", {"format": 1, "card": {"dev_wer": 0.5, "dev_cer": 0.25}}),
        "tune": ("model.json", {"format": 1, "card": {"real_time_factor": speed}}),
        "score": ("scores.json", {"sets": [scores]}),
    }
    for stage in build(recipe):
        place = folder / stage.folder_name
        place.mkdir()
        if stage.name in files:
            name, data = files[stage.name]
            (place / name).write_text(json.dumps(data) + "\n")
        if stage.name == "prepare":
            write_manifest(place / "far.jsonl", [Utterance("a", folder / "a.wav", 50.0, "x")])
        provenance = Provenance(stage.name, stage.settings, "", {})
        StageRecord(stage.name, "", provenance, "", {}, 5.0, 1, "0", "").write(place)
    return folder


def test_only_the_settings_that_differ_are_named() -> None:
    one = default_recipe(["encoder.layers=2", "name=x"]).model_dump(mode="json")
    two = default_recipe(["encoder.layers=3", "training.epochs=9"]).model_dump(mode="json")
    found = differences([one, two])
    assert found["encoder.layers"] == [2, 3]
    assert found["training.epochs"][1] == 9
    assert len(found) == 2


def test_a_section_that_one_lacks_is_one_setting() -> None:
    settings = [{"lm": None, "seed": 1}, {"lm": {"order": 3, "unit": "words"}, "seed": 1}]
    assert differences(settings) == {"lm": [None, {"order": 3, "unit": "words"}]}
    assert differences([settings[0]]) == {}


def test_the_table_has_a_column_for_each_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = make_experiment(tmp_path / "one", "encoder.cell=gru")
    two = make_experiment(tmp_path / "two", "encoder.cell=tanh", wer=0.375, interval=False)
    print_experiments([read_experiment(folder, build) for folder in (one, two)])
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if "│" in line
    ]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["encoder.cell"] == ["gru", "tanh"]
    assert rows["dev WER"] == ["50.00 %", "50.00 %"]
    assert rows["far WER"] == ["25.00 %", "37.50 %"]
    assert rows["far 95 %"] == ["20.00 to 37.50", ""]
    assert rows["training, minutes"] == ["1.5", "1.5"]
    assert rows["dev real-time factor"] == ["0.1", "0.1"]
    assert rows["epochs"] == ["7", "7"]
    assert int(rows["parameters"][0].replace(",", "")) > int(rows["parameters"][1].replace(",", ""))
    assert "not up to date" not in rows
    assert "encoder.layers" not in rows


def test_json_has_plain_numbers(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "one")
    write_json(tmp_path / "out.json", [read_experiment(folder, build)])
    (one,) = json.loads((tmp_path / "out.json").read_text())["experiments"]
    assert one["sets"]["far"] == {
        "word_error_rate": 0.25,
        "character_error_rate": 0.125,
        "interval": [0.2, 0.375],
    }
    assert one["training_seconds"] == 90.0
    assert one["settings"] == {}


def test_an_experiment_that_is_not_finished_is_shown_with_what_is_missing(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "one")
    for path in (folder / "10_score").iterdir():
        path.unlink()
    (folder / "10_score").rmdir()
    one = read_experiment(folder, build)
    assert one.measured.rates == {}
    assert one.measured.parameters is not None
    assert one.note == "10 score: not made yet"


def test_a_folder_without_a_recipe_is_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no recipe.yaml in it; expected an experiment"):
        read_experiment(tmp_path, build)
