"""`asr sweep` from the outside, on made-up speech: files, table, exit status."""

import csv
import json
import sys
from math import nan
from pathlib import Path

import pytest
from synthetic_speech import make_texts, write_table, write_utterances

from asr import cli

_RECIPE = """
name: tones
corpus: {name: table}
features: {sample_rate: 8000, mels: 12}
augment: {speeds: [1.0], time_masks_per_second: 0}
encoder: {cell: tanh, layers: 1, hidden: 4, factor: 2}
training: {epochs: 1, batch: {max_utterances: 4}, precision: float32}
"""
OVER = ("--over", "encoder.cell=tanh,gru", "--over", "encoder.layers=1,2")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    splits = {
        name: write_utterances(folder / name, make_texts(8, seed=number), name=name)
        for number, name in enumerate(("train", "dev", "test"))
    }
    write_table(folder / "tones.csv", splits)
    (folder / "recipe.yaml").write_text(_RECIPE)
    return folder


def asr_sweep(corpus: Path, exp: Path, *arguments: str) -> int:
    """The exit status of `asr sweep`."""
    given = [str(corpus / "recipe.yaml"), "--corpus", str(corpus / "tones.csv"), "--exp", str(exp)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["asr", "sweep", *given, "--device", "cpu", *arguments])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_sweep_trains_every_combination_and_leaves_table_and_picture(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exp = tmp_path / "exp"
    assert asr_sweep(corpus, exp, *OVER) == 0
    said = capsys.readouterr()
    assert said.out.count("│ tanh │") == said.out.count("│ gru  │") == 2
    assert said.out.endswith(
        "".join(f"{exp}/sweep.{kind}\n" for kind in ("csv", "json", "md", "png"))
    )
    assert said.err.count("1 prepare    done in") == 1
    assert said.err.count("6 train      done in") == 4
    rows = json.loads((exp / "sweep.json").read_text())["rows"]
    assert [row["outcome"] for row in rows] == ["done"] * 4
    for row in rows:
        (scored,) = json.loads((exp / row["folder"] / "10_score/scores.json").read_text())["sets"]
        assert row["rates"]["test"]["wer"] == scored["word_error_rate"]
    with (exp / "sweep.csv").open(encoding="utf-8", newline="") as file:
        parameters = [int(line["parameters"]) for line in csv.DictReader(file)]
    assert parameters[0] < parameters[1] < parameters[3]
    assert parameters[0] < parameters[2]
    # Again: nothing runs, and the table is the same.
    assert asr_sweep(corpus, exp, *OVER) == 0
    again = capsys.readouterr()
    assert again.out == said.out
    assert again.err.splitlines()[1::2] == ["    up to date"] * 4


def test_divergence_is_status_0_and_a_failure_status_2(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first gradient that is not finite ends the training, and every one is said not to be."""
    monkeypatch.setattr("asr.training.step.GradientGauge.clip", lambda *_: ({"all": nan}, [0, 0]))
    diverging = ["--over", "encoder.cell=tanh", "--set", "training.max_bad_steps=1"]
    diverging += ["--set", "training.processes=1"]  # another would not know what is pretended here
    assert asr_sweep(corpus, tmp_path / "a", *diverging) == 0
    assert "diverged: 1 steps (training.max_bad_steps)" in " ".join(capsys.readouterr().out.split())
    assert asr_sweep(corpus, tmp_path / "b", "--over", "test=[tset]") == 2
    said = capsys.readouterr()
    assert "failed: key 'test': no split 'tset'" in " ".join(said.out.split())
    assert said.err.splitlines()[-1].startswith("asr: 1 of 1 combinations failed, first test=tset")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--over", "encoder.cel=tanh,gru"], "did you mean 'encoder.cell'?"),
        (["--over", "encoder.layers="], "no values came"),
        (["--over", "seed=1", "--over", "seed=2"], "are about the same setting"),
        (["--over", "seed=1,2", "--set", "seed=3"], "--set seed=3 and --over seed contradict"),
        (["--over", "seed=1,2", "--corpus", "nowhere"], "--corpus nowhere: does not exist"),
    ],
)
def test_mistake_is_one_line_and_status_2(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert asr_sweep(corpus, tmp_path / "exp", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "exp").exists()


def test_a_sweep_over_nothing_is_refused(corpus: Path, tmp_path: Path) -> None:
    assert asr_sweep(corpus, tmp_path / "exp") == 2
