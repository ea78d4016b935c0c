"""Sweeps of small stages that only write text: what runs, what is shared, what a failure does."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from asr.errors import AudioError, ConfigError, DataError, DivergenceError
from asr.recipe.config import Recipe
from asr.recipe.engine import run_stages
from asr.recipe.record import record_change
from asr.recipe.share import share_stages
from asr.recipe.stage import Stage
from asr.recipe.sweep import Sweep, load_trials
from asr.recipe.sweep_table import Row

_DIVERGED = "training diverged: 10 steps in a row without a finite gradient; lower the rate"


class Bench:
    """A recipe of five stages, whose trainings can be told to fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sweep"
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text("name: bench\ncorpus: {name: table}\n")
        self.ran: list[str] = []
        self.fail: Callable[[str, Recipe], None] = lambda stage, recipe: None

    def build(self, recipe: Recipe) -> list[Stage]:
        cell, layers = recipe.encoder.cell, recipe.encoder.layers

        def stage(number: int, name: str, inputs: tuple[str, ...], **settings: Any) -> Stage:
            def run(output: Path, folders: Mapping[str, Path]) -> None:
                self.ran.append(f"{name} {' '.join(map(str, settings.values()))}".strip())
                (output / "deep").mkdir(exist_ok=True)
                (output / "deep" / "text.txt").write_text(f"{name} {settings}")
                self.write(name, output, recipe)
                self.fail(name, recipe)

            return Stage(number, name, inputs, settings, run, resumable=name == "train")

        return [
            stage(1, "prepare", ()),
            stage(3, "tokens", ("prepare",), normalizer=recipe.normalizer),
            stage(6, "train", ("tokens",), cell=cell, layers=layers),
            stage(7, "average", ("train",)),
            stage(10, "score", ("average",)),
        ]

    def write(self, name: str, output: Path, recipe: Recipe) -> None:
        """Leave what the real stages leave."""
        rate = recipe.encoder.layers / 100
        card = {"name": recipe.encoder.cell, "dev_wer": rate / 2, "dev_cer": rate / 4}
        files: dict[str, Any] = {
            "tokens": ("tokens.json", {"kind": "characters", "symbols": ["a"]}),
            "train": ("metrics.jsonl", {"epoch": 7, "step": 70, "seconds": 12.5, "speed": 300.0}),
            "average": ("model.json", {"format": 1, "card": card}),
            "score": ("scores.json", {"sets": [self.scores("near", rate), self.scores("far", 1)]}),
        }
        if name in files:
            file, data = files[name]
            (output / file).write_text(json.dumps(data) + "\n")

    def scores(self, name: str, rate: float) -> dict[str, Any]:
        return {"name": name, "word_error_rate": rate, "character_error_rate": rate / 3}

    def sweep(self, *over: str, overrides: tuple[str, ...] = ()) -> list[Row]:
        self.ran.clear()
        folder, trials = load_trials(
            self.recipe, over, overrides=overrides, folder=self.folder, build=self.build
        )
        return Sweep(folder, trials).run()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


CELLS, LAYERS = "encoder.cell=tanh,gru", "encoder.layers=1,2"


def test_every_combination_is_trained_in_order_and_what_they_share_is_made_once(
    bench: Bench,
) -> None:
    rows = bench.sweep(CELLS, LAYERS)
    assert [line for line in bench.ran if line.startswith("train")] == [
        "train tanh 1",
        "train tanh 2",
        "train gru 1",
        "train gru 2",
    ]
    assert bench.ran.count("prepare") == bench.ran.count("tokens basic") == 1
    assert bench.ran.count("score") == 4
    assert [row.combination.values["encoder.layers"] for row in rows] == [1, 2, 1, 2]
    assert {row.outcome for row in rows} == {"done"}


def test_every_combination_is_an_experiment_of_its_own(bench: Bench) -> None:
    """Whole even where another one is deleted, and what `asr run` goes on with."""
    bench.sweep(CELLS)
    first, second = (bench.folder / name for name in ("cell=tanh", "cell=gru"))
    same = Path("01_prepare/deep/text.txt")
    assert os.path.samefile(first / same, second / same)  # not twice on the disk
    for path in sorted(first.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert (second / same).read_text() == "prepare {}"
    assert "gru" in (second / "recipe.yaml").read_text()
    recipe = Recipe.parse(
        {"name": "x", "corpus": {"name": "table"}, "encoder": {"cell": "gru"}}, ""
    )
    assert run_stages(bench.build(recipe), second) == []


def test_a_stage_is_shared_only_by_those_who_would_make_it_alike(bench: Bench) -> None:
    bench.sweep("normalizer=none,basic", CELLS)
    assert bench.ran.count("prepare") == 1
    assert bench.ran.count("tokens none") == bench.ran.count("tokens basic") == 1
    assert len([line for line in bench.ran if line.startswith("train")]) == 4


def test_damaged_work_of_another_experiment_is_not_taken_over(bench: Bench, tmp_path: Path) -> None:
    bench.sweep("encoder.cell=tanh")
    (bench.folder / "cell=tanh/01_prepare/deep/text.txt").unlink()
    recipe = Recipe.parse({"name": "x", "corpus": {"name": "table"}}, "")
    taken = share_stages(bench.build(recipe), tmp_path / "new", [bench.folder / "cell=tanh"])
    assert taken == []


def test_work_that_a_command_has_changed_since_is_not_taken_over(
    bench: Bench, tmp_path: Path
) -> None:
    bench.sweep("encoder.cell=tanh")
    recipe = Recipe.parse(
        {"name": "x", "corpus": {"name": "table"}, "encoder": {"cell": "tanh"}}, ""
    )
    other = bench.folder / "cell=tanh"
    assert "prepare" in share_stages(bench.build(recipe), tmp_path / "before", [other])
    record_change(other / "01_prepare", "asr tune")
    assert share_stages(bench.build(recipe), tmp_path / "after", [other]) == []


def test_a_disk_without_links_gets_copies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    bench.sweep(CELLS)
    first, second = (bench.folder / f"cell={cell}/01_prepare" for cell in ("tanh", "gru"))
    assert bench.ran.count("prepare") == 1
    for name in ("deep/text.txt", "stage.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_being_cut_off_while_taking_over_leaves_nothing_half_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sweep("encoder.cell=tanh")

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", stop)
        with pytest.raises(KeyboardInterrupt):
            bench.sweep(CELLS)
    assert not (bench.folder / "cell=gru/01_prepare").exists()
    assert [row.outcome for row in bench.sweep(CELLS)] == ["done", "done"]
    assert "prepare" not in bench.ran


def test_the_second_call_runs_nothing_and_finds_the_same(bench: Bench) -> None:
    before = bench.sweep(CELLS, LAYERS)
    times = {path: path.stat().st_mtime_ns for path in bench.folder.glob("*/*_*/**/*")}
    assert len(times) > 20
    assert bench.sweep(CELLS, LAYERS) == before
    assert bench.ran == []
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_wider_sweep_in_the_same_folder_runs_only_what_is_new(bench: Bench) -> None:
    bench.sweep("encoder.layers=2,3")
    rows = bench.sweep("encoder.layers=1,2,3")
    assert bench.ran == ["train lstm 1", "average", "score"]
    assert [row.outcome for row in rows] == ["done"] * 3


def test_a_training_that_diverges_is_a_row_and_the_others_go_on(bench: Bench) -> None:
    def diverge(stage: str, recipe: Recipe) -> None:
        if stage == "train" and recipe.encoder.cell == "tanh":
            raise DivergenceError(_DIVERGED)

    bench.fail = diverge
    rows = bench.sweep(CELLS)
    assert [row.outcome for row in rows] == ["diverged", "done"]
    assert rows[0].reason == "10 steps in a row without a finite gradient; lower the rate"
    assert rows[0].note == "diverged: 10 steps in a row without a finite gradient"
    assert rows[0].measured.epochs == 7  # as far as it came
    assert rows[0].measured.rates == {}
    assert rows[0].measured.parameters is not None


def test_what_diverged_is_not_tried_again_until_its_settings_change(bench: Bench) -> None:
    def diverge(stage: str, recipe: Recipe) -> None:
        if stage == "train":
            raise DivergenceError(_DIVERGED)

    bench.fail = diverge
    before = bench.sweep("encoder.cell=tanh")
    bench.fail = lambda stage, recipe: None
    assert bench.sweep("encoder.cell=tanh") == before
    assert bench.ran == []
    (row,) = bench.sweep("encoder.cell=tanh", overrides=("encoder.layers=4",))
    assert row.outcome == "done"


def test_other_failures_are_rows_too_and_are_tried_again(bench: Bench) -> None:
    def fail(stage: str, recipe: Recipe) -> None:
        if stage == "score" and recipe.encoder.cell == "tanh":
            raise AudioError("a.wav: broken; record it again")

    bench.fail = fail
    rows = bench.sweep(CELLS)
    assert [(row.outcome, row.reason) for row in rows] == [
        ("failed", "a.wav: broken; record it again"),
        ("done", ""),
    ]
    bench.fail = lambda stage, recipe: None
    assert [row.outcome for row in bench.sweep(CELLS)] == ["done", "done"]
    assert bench.ran == ["score"]


def test_what_is_no_error_of_the_users_does_not_stop_the_others_either(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(stage: str, recipe: Recipe) -> None:
        if stage == "train" and recipe.encoder.cell == "tanh":
            raise RuntimeError("can't allocate memory:\n you tried to allocate 28 GB")

    bench.fail = fail
    rows = bench.sweep(CELLS)
    assert [(row.outcome, row.reason) for row in rows] == [
        ("failed", "RuntimeError: can't allocate memory: you tried to allocate 28 GB"),
        ("done", ""),
    ]
    assert "Traceback" in capsys.readouterr().err


def test_what_all_share_fails_but_once(bench: Bench) -> None:
    def fail(stage: str, recipe: Recipe) -> None:
        if stage == "tokens":
            raise DataError("train: nothing usable; mend it")

    bench.fail = fail
    rows = bench.sweep(CELLS, LAYERS)
    assert bench.ran == ["prepare", "tokens basic"]
    assert [row.note for row in rows] == ["failed: train: nothing usable"] * 4


def test_ctrl_c_leaves_the_results_so_far_and_the_same_call_goes_on(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(stage: str, recipe: Recipe) -> None:
        if stage == "train" and recipe.encoder.layers == 2:
            raise KeyboardInterrupt

    bench.fail = stop
    with pytest.raises(KeyboardInterrupt):
        bench.sweep("encoder.layers=1,2,3")
    assert "sweep stopped in 2 of 3; the same command goes on" in capsys.readouterr().err
    kept = json.loads((bench.folder / "sweep.json").read_text())["rows"]
    assert [row["outcome"] for row in kept] == ["done", "unfinished", "unfinished"]
    assert (bench.folder / "sweep.png").is_file()
    bench.fail = lambda stage, recipe: None
    bench.sweep("encoder.layers=1,2,3")
    assert bench.ran == ["train lstm 2", "average", "score", "train lstm 3", "average", "score"]


def test_results_of_other_settings_are_not_shown_as_those_of_these(bench: Bench) -> None:
    bench.sweep(CELLS)

    def stop(stage: str, recipe: Recipe) -> None:
        raise KeyboardInterrupt

    bench.fail = stop
    with pytest.raises(KeyboardInterrupt):
        bench.sweep(CELLS, overrides=("normalizer=none",))
    kept = json.loads((bench.folder / "sweep.json").read_text())["rows"]
    assert [(row["outcome"], row["rates"]) for row in kept] == [("unfinished", {})] * 2


def test_rows_have_what_was_measured(bench: Bench) -> None:
    (row,) = bench.sweep("encoder.layers=3", overrides=("features.shift_seconds=0.02",))
    measured = row.measured
    assert (measured.epochs, measured.steps, measured.seconds) == (7, 70, 12.5)
    assert measured.frames_per_second == pytest.approx(300 / 0.02)
    rates = {name: (rate.wer, rate.cer) for name, rate in measured.rates.items()}
    assert rates == {
        "dev": (0.015, pytest.approx(0.0075)),
        "near": (0.03, pytest.approx(0.01)),
        "far": (1, pytest.approx(1 / 3)),
    }


def test_parameters_are_those_of_the_model(bench: Bench) -> None:
    """By hand: tanh, one way, 2 tokens, 8 mels x 1 stacked, 4 units."""
    shape = ("features.mels=8", "encoder.factor=1", "encoder.hidden=4", "encoder.layers=1")
    more = ("encoder.bidirectional=false", "encoder.layer_norm=false", "features.sample_rate=8000")
    (row,) = bench.sweep("encoder.cell=tanh", overrides=shape + more)
    recurrent = 4 * 8 + 4 * 4 + 2 * 4  # torch has two biases
    assert row.measured.parameters == recurrent + 4 * 2 + 2


def test_progress_names_the_combination_and_how_many_there_are(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.sweep(CELLS)
    said = capsys.readouterr().err
    assert "[1/2] cell=tanh\n" in said
    assert "[2/2] cell=gru, about 0." in said
    assert "  1 prepare    taken from cell=tanh" in said


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("encoder.cel=tanh,gru", r"--over encoder.cel=tanh: unknown key .*'encoder.cell'\?"),
        ("encoder.layers=1,many", r"--over encoder.layers=many: key 'encoder.layers': Input"),
        ("encoder.layers=1,0", r"--over encoder.layers=0: key 'encoder.layers': .*(came: 0)"),
    ],
)
def test_a_mistake_stops_the_sweep_before_anything_has_run(
    bench: Bench, over: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        bench.sweep(over)
    assert bench.ran == []
    assert not bench.folder.exists()


def test_torchrun_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match=r"a sweep runs in one process; start it without"):
        bench.sweep(CELLS)
