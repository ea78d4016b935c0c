"""`asr run` from the outside: what it prints where, and with which status it ends."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asr import cli
from asr.errors import DataError, Stopped
from asr.recipe.config import Recipe, load_recipe
from asr.recipe.stage import Stage

calls: list[tuple[Path | None, str]] = []


def build_stages(recipe: Recipe, *, corpus_folder: Path | None, device: str) -> list[Stage]:
    """Two stages; by the seed the first fails (13), is stopped (130) or crashes (0).

    By 131 the second is stopped when its work is saved.
    """
    calls.append((corpus_folder, device))

    def prepare(output: Path, inputs: Mapping[str, Path]) -> None:
        if recipe.seed == 13:
            raise DataError("a.wav: broken; record it again")
        if recipe.seed == 130:
            raise KeyboardInterrupt
        (output / "data").write_text(str(1 // recipe.seed))

    def train(output: Path, inputs: Mapping[str, Path]) -> None:
        if recipe.seed == 131:
            raise Stopped
        (output / "model").write_text((inputs["prepare"] / "data").read_text())
        (output / "training.html").touch()

    return [
        Stage(1, "prepare", (), {"seed": recipe.seed}, prepare),
        Stage(6, "train", ("prepare",), {"normalizer": recipe.normalizer}, train, resumable=True),
    ]


class Shell:
    """Runs `asr run` in a folder of its own and returns its exit status."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["asr", "run", *arguments])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0


@pytest.fixture
def asr_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    stages: Any = ModuleType("asr.recipe.stages")
    stages.build_stages = build_stages
    monkeypatch.setitem(sys.modules, "asr.recipe.stages", stages)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    folder = tmp_path / "recipes" / "tiny"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("name: tiny\ncorpus: {name: table}\n")
    calls.clear()
    return Shell(monkeypatch)


def test_run_makes_the_experiment_beside_the_user(asr_run: Shell, tmp_path: Path) -> None:
    assert asr_run("recipes/tiny", "--set", "seed=2", "--device", "cpu", "--corpus", ".") == 0
    assert calls == [(Path("."), "cpu")]
    exp = tmp_path / "exp" / "tiny"
    assert (exp / "06_train" / "model").is_file()
    assert load_recipe(exp).seed == 2


def test_results_of_a_run_go_to_files_and_its_progress_to_stderr(
    asr_run: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    asr_run("recipes/tiny", "--exp", "here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "  1 prepare    running: not made yet\n" in captured.err
    assert "  6 train      done in 0.0 s\n" in captured.err
    assert Path("here/06_train").is_dir()


def test_a_run_that_trained_ends_with_the_way_to_its_curves(
    asr_run: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path("here/06_train/training.html")
    asr_run("recipes/tiny", "--exp", "here")
    assert page.is_file()
    assert capsys.readouterr().err.splitlines()[-1] == f"curves: {page}"
    asr_run("recipes/tiny", "--exp", "here")
    assert "curves" not in capsys.readouterr().err, "nothing was trained"


def test_dry_run_says_why_and_runs_nothing(
    asr_run: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asr_run("recipes/tiny", "--dry-run") == 0
    assert not Path("exp").exists()
    asr_run("recipes/tiny")
    capsys.readouterr()
    asr_run("recipes/tiny", "--dry-run", "--set", "normalizer=none")
    assert capsys.readouterr().out.splitlines() == [
        "  1 prepare    up to date",
        '  6 train      would run: settings changed: normalizer "basic" -> "none"',
    ]
    asr_run("recipes/tiny", "--dry-run", "--stage", "6", "--force")
    assert capsys.readouterr().out == "  6 train      would run: up to date, but forced\n"


def test_status_shows_every_stage(asr_run: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    asr_run("recipes/tiny", "--stop-stage", "prepare")
    capsys.readouterr()
    assert asr_run("recipes/tiny", "--status") == 0
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows]
    assert cells == [
        ["1", "prepare", "done", "0.0 s", ""],
        ["6", "train", "missing", "", "not made yet"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny"], "did you mean recipes/tiny?"),
        (["recipes/tiny", "--stage", "5"], "the stages are: 1 prepare, 6 train"),
        (["recipes/tiny", "--stage", "train"], "earlier stages are not done: 1 prepare"),
        (["recipes/tiny", "--set", "sead=1"], "--set sead=1: unknown key 'sead'"),
        (["recipes/tiny", "--corpus", "nowhere"], "--corpus nowhere: does not exist"),
        (["recipes/tiny", "--exp", "recipes/tiny"], "was not written by 'asr run'"),
        (["recipes/tiny", "--set", "seed=13"], "a.wav: broken"),
    ],
)
def test_mistake_of_the_user_is_one_line_and_status_2(
    asr_run: Shell, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert asr_run(*arguments) == 2
    last = capsys.readouterr().err.replace("\\", "/").splitlines()[-1]
    assert last.startswith("asr: ")
    assert message in last


def test_device_that_does_not_exist_is_status_2(asr_run: Shell) -> None:
    assert asr_run("recipes/tiny", "--device", "abacus") == 2


def test_ctrl_c_is_status_130(asr_run: Shell) -> None:
    assert asr_run("recipes/tiny", "--set", "seed=130") == 130


def test_stop_that_lost_nothing_is_status_0_and_says_how_to_go_on(
    asr_run: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asr_run("recipes/tiny", "--set", "seed=131") == 0
    assert "the same command goes on in exp/tiny/06_train.partial" in capsys.readouterr().err


def test_crash_of_ours_is_not_dressed_up_as_the_users_mistake(asr_run: Shell) -> None:
    with pytest.raises(ZeroDivisionError):
        asr_run("recipes/tiny", "--set", "seed=0")
