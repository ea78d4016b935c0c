"""Laws of the staged engine, held on small stages that only write text."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import asr
from asr.errors import ConfigError, DataError
from asr.recipe import engine
from asr.recipe.engine import Stage, plan, resolve_stage, run_stages
from asr.recipe.folder import StageFolder
from asr.recipe.lock import hold_lock
from asr.recipe.record import record_change

Run = Callable[[Path, Mapping[str, Path]], None]


class Pipeline:
    """prepare -> stats -> train -> score, where score also reads prepare; numbers have gaps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, dict[str, Any]] = {
            "prepare": {"limit": 3},
            "stats": {"kind": "global"},
            "train": {"training": {"epochs": 10, "rate": 0.1}},
            "score": {},
        }
        self.corpus: str | None = "corpus-1"
        self.ran: list[str] = []
        self.bodies: dict[str, Run] = {}

    def stages(self) -> list[Stage]:
        return [
            self._stage(1, "prepare", (), external=lambda: self.corpus),
            self._stage(2, "stats", ("prepare",)),
            self._stage(6, "train", ("prepare", "stats"), resumable=True, distributed=True),
            self._stage(10, "score", ("prepare", "train")),
        ]

    def run(self, **options: Any) -> list[str]:
        self.ran.clear()
        returned = run_stages(self.stages(), self.folder, **options)
        assert returned == self.ran
        return returned

    def states(self, **options: Any) -> dict[str, str]:
        return {
            found.stage.name: found.state for found in plan(self.stages(), self.folder, **options)
        }

    def reason(self, name: str) -> str:
        found = {found.stage.name: found.reason for found in plan(self.stages(), self.folder)}
        return found[name]

    def text(self, name: str) -> str:
        return (self.folder / name / "result.txt").read_text()

    def _stage(self, number: int, name: str, inputs: tuple[str, ...], **more: Any) -> Stage:
        def body(output: Path, folders: Mapping[str, Path]) -> None:
            self.ran.append(name)
            if name in self.bodies:
                self.bodies[name](output, folders)
                return
            read = [(folders[one] / "result.txt").read_text() for one in inputs]
            (output / "result.txt").write_text(f"{name}{self.settings[name]}({','.join(read)})")

        return Stage(number, name, inputs, self.settings[name], body, **more)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path / "exp")


ALL = ["prepare", "stats", "train", "score"]


def interrupt(output: Path, inputs: Mapping[str, Path]) -> None:
    (output / "checkpoint").write_text("half")
    raise KeyboardInterrupt


def go_on(output: Path, inputs: Mapping[str, Path]) -> None:
    checkpoint = output / "checkpoint"
    (output / "result.txt").write_text(checkpoint.read_text() if checkpoint.exists() else "fresh")


def test_every_stage_runs_once_and_in_order(pipeline: Pipeline) -> None:
    assert pipeline.run() == ALL
    assert sorted(path.name for path in pipeline.folder.iterdir()) == [
        ".lock",
        "01_prepare",
        "02_stats",
        "06_train",
        "10_score",
    ]


def test_second_run_runs_nothing(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.run()
    capsys.readouterr()
    assert pipeline.run() == []
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("up to date") == 4


def test_changed_setting_reruns_just_what_depends_on_it(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.settings["stats"] = {"kind": "utterance"}
    assert pipeline.run() == ["stats", "train", "score"]
    assert "utterance" in pipeline.text("10_score")
    assert not list(pipeline.folder.glob("*.old"))


def test_lists_and_tuples_in_settings_are_the_same(pipeline: Pipeline) -> None:
    pipeline.settings["stats"] = {"splits": ("a", "b")}
    pipeline.run()
    pipeline.settings["stats"] = {"splits": ["a", "b"]}
    assert pipeline.run() == []


def test_rerun_with_the_same_content_stops_the_chain(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.corpus = "corpus-2"
    assert pipeline.run() == ["prepare"]


def test_same_content_under_another_name_is_another_output(pipeline: Pipeline) -> None:
    def prepare(output: Path, inputs: Mapping[str, Path]) -> None:
        (output / "result.txt").write_text("same")
        (output / f"{pipeline.corpus}.txt").write_text("same")

    pipeline.bodies["prepare"] = prepare
    pipeline.run()
    pipeline.corpus = "corpus-2"
    assert pipeline.run()[:2] == ["prepare", "stats"]


def test_unknown_corpus_leaves_what_was_made(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.corpus = None
    assert pipeline.run() == []
    pipeline.corpus = "corpus-2"
    assert pipeline.reason("prepare") == "files outside the experiment changed"


def test_corpus_that_the_stage_itself_fetches_does_not_make_it_run_again(
    pipeline: Pipeline,
) -> None:
    pipeline.corpus = None

    def fetch(output: Path, folders: Mapping[str, Path]) -> None:
        pipeline.corpus = "corpus-1"
        (output / "result.txt").write_text("fetched")

    pipeline.bodies["prepare"] = fetch
    pipeline.run(last="prepare")
    assert pipeline.run(last="prepare") == []
    pipeline.corpus = "corpus-2"
    assert pipeline.run(last="prepare") == ["prepare"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda file: file.unlink(), "damaged: result.txt is missing"),
        (lambda file: file.write_text("cut"), "damaged: result.txt has 3 bytes"),
        (lambda file: (file.parent / "stage.json").write_text("{"), "damaged: stage.json"),
    ],
)
def test_damaged_output_is_made_again(
    pipeline: Pipeline, harm: Callable[[Path], Any], reason: str
) -> None:
    pipeline.run()
    whole = pipeline.text("02_stats")
    harm(pipeline.folder / "02_stats" / "result.txt")
    assert pipeline.reason("stats").startswith(reason)
    assert pipeline.run() == ["stats"]
    assert pipeline.text("02_stats") == whole


def test_removed_output_is_made_again_and_the_same_content_stops_there(pipeline: Pipeline) -> None:
    pipeline.run()
    os.rename(pipeline.folder / "01_prepare", pipeline.folder / "elsewhere")
    assert pipeline.run() == ["prepare"]


def test_output_that_a_command_has_changed_stays_and_what_follows_is_made_anew(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.run()
    train = pipeline.folder / "06_train"
    (train / "result.txt").write_text("better")
    (train / "more.txt").write_text("and more")
    record_change(train, "asr tune")
    capsys.readouterr()
    assert pipeline.run() == ["score"]
    assert "  6 train      up to date, as asr tune left it\n" in capsys.readouterr().err
    assert "(prepare" in pipeline.text("10_score")
    assert "better" in pipeline.text("10_score")
    assert pipeline.run() == []
    pipeline.settings["train"]["training"]["epochs"] = 11
    assert pipeline.reason("train").endswith("; what asr tune made there will be lost")
    assert pipeline.run() == ["train", "score"]
    assert pipeline.reason("train") == ""


def test_a_change_is_noted_only_where_a_stage_was_made(tmp_path: Path) -> None:
    record_change(tmp_path, "asr tune")
    assert list(tmp_path.iterdir()) == []


def test_record_tells_how_the_output_came_about(pipeline: Pipeline) -> None:
    pipeline.run()
    train = json.loads((pipeline.folder / "06_train" / "stage.json").read_text())
    stats = json.loads((pipeline.folder / "02_stats" / "stage.json").read_text())
    assert train["stage"] == "train"
    assert train["provenance"]["settings"] == pipeline.settings["train"]
    assert train["provenance"]["inputs"]["stats"] == stats["output"]
    assert train["files"] == {"result.txt": len(pipeline.text("06_train"))}
    assert len(train["key"]) == 64
    assert train["seconds"] >= 0
    assert train["version"]
    assert train["finished"].endswith("+00:00")


def test_force_reruns_the_range_and_only_that(pipeline: Pipeline) -> None:
    pipeline.run()
    assert pipeline.run(first="stats", last="6", force=True) == ["stats", "train"]


def test_stop_stage_ends_the_run(pipeline: Pipeline) -> None:
    assert pipeline.run(last="2") == ["prepare", "stats"]
    assert pipeline.states() == {
        "prepare": "done",
        "stats": "done",
        "train": "missing",
        "score": "missing",
    }


def test_start_stage_needs_the_earlier_ones_done(pipeline: Pipeline) -> None:
    pipeline.run(last="prepare")
    with pytest.raises(ConfigError, match=r"not done: 2 stats \(not made yet\).*--stage stats"):
        pipeline.run(first="train")
    with pytest.raises(ConfigError, match="2 stats"):
        plan(pipeline.stages(), pipeline.folder, first="train")


def test_start_stage_uses_earlier_ones_as_they_are_with_a_notice(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.run()
    pipeline.settings["stats"] = {"kind": "utterance"}
    assert pipeline.run(first="train") == []
    assert (
        'used as it is: settings changed: kind "global" -> "utterance"' in capsys.readouterr().err
    )


def test_range_that_ends_before_it_starts_is_a_mistake(pipeline: Pipeline) -> None:
    with pytest.raises(ConfigError, match="--stage train comes after --stop-stage 2"):
        pipeline.run(first="train", last="2")


def test_stages_are_found_by_number_and_name(pipeline: Pipeline) -> None:
    stages = pipeline.stages()
    assert resolve_stage(stages, "6").name == "train"
    assert resolve_stage(stages, "06").name == "train"
    assert resolve_stage(stages, "train").number == 6


def test_number_that_no_stage_has_names_those_there_are(pipeline: Pipeline) -> None:
    with pytest.raises(ConfigError, match=r"'5'.*1 prepare, 2 stats, 6 train, 10 score"):
        resolve_stage(pipeline.stages(), "5")
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        resolve_stage(pipeline.stages(), "trian")


def test_plan_says_what_changed_and_what_follows(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.settings["train"] = {"training": {"epochs": 20, "clip": 5}}
    assert pipeline.states() == {
        "prepare": "done",
        "stats": "done",
        "train": "stale",
        "score": "stale",
    }
    assert pipeline.reason("train") == (
        "settings changed: training.clip (not set) -> 5, training.epochs 10 -> 20, "
        "training.rate 0.1 -> (not set)"
    )
    assert pipeline.reason("score") == "input 'train' will be remade"


def test_plan_names_an_input_that_changed_on_its_own(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.settings["stats"] = {"kind": "utterance"}
    pipeline.run(last="stats")
    assert pipeline.reason("train") == "input 'stats' changed"


def test_plan_counts_only_the_range_as_remade(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.corpus = "corpus-2"
    assert pipeline.states(first="train")["train"] == "done"
    assert pipeline.states(first="train", force=True)["train"] == "stale"


def test_plan_leaves_no_trace(pipeline: Pipeline) -> None:
    assert set(pipeline.states().values()) == {"missing"}
    assert not pipeline.folder.exists()


def test_failed_stage_leaves_the_old_output_standing(pipeline: Pipeline) -> None:
    pipeline.run()
    whole = pipeline.text("02_stats")
    pipeline.settings["stats"] = {"kind": "utterance"}

    def fail(output: Path, inputs: Mapping[str, Path]) -> None:
        (output / "result.txt").write_text("half")
        raise DataError("bad.wav: broken")

    pipeline.bodies["stats"] = fail
    with pytest.raises(DataError, match=r"bad\.wav"):
        run_stages(pipeline.stages(), pipeline.folder)
    assert pipeline.text("02_stats") == whole
    del pipeline.bodies["stats"]
    assert pipeline.run() == ["stats", "train", "score"]


def test_work_of_a_stage_that_cannot_resume_is_wiped(pipeline: Pipeline) -> None:
    left = pipeline.folder / "02_stats.partial"
    left.mkdir(parents=True)
    (left / "rubbish").write_text("from a killed run")
    assert pipeline.states()["stats"] == "partial"
    pipeline.run()
    assert not left.exists()
    assert not (pipeline.folder / "02_stats" / "rubbish").exists()


def test_interrupted_stage_that_cannot_resume_leaves_nothing(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.bodies["stats"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    assert not (pipeline.folder / "02_stats.partial").exists()
    assert "starts this stage again" in capsys.readouterr().err


def test_interrupted_resumable_stage_goes_on_where_it_was(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.bodies["train"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    assert "the same command goes on in" in capsys.readouterr().err
    assert pipeline.states()["train"] == "partial"
    assert pipeline.reason("train") == "stopped before its end; can go on"
    pipeline.bodies["train"] = go_on
    assert pipeline.run() == ["train", "score"]
    assert pipeline.text("06_train") == "half"
    assert json.loads((pipeline.folder / "06_train" / "stage.json").read_text())["runs"] == 2
    assert not (pipeline.folder / "06_train" / "partial.json").exists()


def test_unfinished_work_with_other_settings_is_kept_and_found_again(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.bodies["train"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        pipeline.run()
    old = pipeline.settings["train"]
    marker = json.loads((pipeline.folder / "06_train.partial" / "partial.json").read_text())

    pipeline.bodies["train"] = go_on
    pipeline.settings["train"] = {"training": {"epochs": 20, "rate": 0.1}}
    capsys.readouterr()
    pipeline.run(last="train")
    assert pipeline.text("06_train") == "fresh"
    kept = list(pipeline.folder.glob("06_train.partial.????????"))
    assert len(kept) == 1
    assert (kept[0] / "checkpoint").read_text() == "half"
    assert json.loads((kept[0] / "partial.json").read_text()) == marker
    assert "training.epochs 10 -> 20" in capsys.readouterr().err

    pipeline.settings["train"] = old
    pipeline.run(last="train")
    assert pipeline.text("06_train") == "half"
    assert not kept[0].exists()


@pytest.mark.parametrize("moved", [0, 1])
def test_replacement_cut_off_between_its_steps_is_completed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    pipeline.run()
    pipeline.settings["train"] = {"training": {"epochs": 20}}
    rename, done = Path.rename, []

    def rename_then_die(self: Path, target: Path) -> Path:
        if "06_train" in self.name and len(done) == moved:
            raise SystemExit(9)
        done.append(self)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename_then_die)
        with pytest.raises(SystemExit):
            run_stages(pipeline.stages(), pipeline.folder)
    assert pipeline.run() == ["score"]
    assert "'epochs': 20" in pipeline.text("06_train")
    assert not list(pipeline.folder.glob("06_train.*"))


def test_old_output_comes_back_if_the_new_one_was_lost(pipeline: Pipeline) -> None:
    pipeline.run()
    (pipeline.folder / "06_train").rename(pipeline.folder / "06_train.old")
    assert pipeline.run() == []


def test_engine_files_are_not_part_of_the_content(pipeline: Pipeline) -> None:
    pipeline.run()
    before = StageFolder(pipeline.folder, pipeline.stages()[1]).record()
    pipeline.run(first="stats", last="stats", force=True)
    after = StageFolder(pipeline.folder, pipeline.stages()[1]).record()
    assert before is not None
    assert after is not None
    assert before.output == after.output


def test_several_processes_may_run_one_distributed_stage_only(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match="'--stage train --stop-stage train'"):
        pipeline.run()


def test_world_without_a_rank_is_a_mistake(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="RANK is not"):
        pipeline.run()


def test_process_that_waits_in_vain_says_so(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.run(last="stats")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(engine, "_JOIN_SECONDS", 0.0)
    with pytest.raises(ConfigError, match="process 1 waited"):
        pipeline.run(first="train", last="train")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.44, "0.4 s"),
        (9.97, "10 s"),
        (59.6, "1 min 00 s"),
        (75, "1 min 15 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert engine.duration_in_words(seconds) == words


# What follows needs processes of its own. The script's one stage appends a letter a step to a
# checkpoint, and hangs at the step that the file `hang` asks for.
SCRIPT = """
import os, sys, time
from pathlib import Path
from asr.recipe.engine import Stage, run_stages

folder = Path(sys.argv[1])

def train(output, inputs):
    rank = os.environ.get("RANK", "0")
    checkpoint = output / f"checkpoint{rank}"
    done = checkpoint.read_text() if checkpoint.exists() else ""
    while len(done) < 4:
        done += "abcd"[len(done)]
        checkpoint.write_text(done)
        hang = folder / "hang"
        if hang.exists() and int(hang.read_text()) == len(done):
            (folder / "hanging").touch()
            time.sleep(60)
    (output / "started_with").write_text(sys.argv[2])
    size = int(os.environ.get("WORLD_SIZE", 1))
    others = [output / f"checkpoint{other}" for other in range(size)]
    while not all(other.exists() and len(other.read_text()) == 4 for other in others):
        time.sleep(0.01)

def prepare(output, inputs):
    (output / "data").write_text("data")

stages = [
    Stage(1, "prepare", (), {}, prepare),
    Stage(6, "train", ("prepare",), {}, train, resumable=True, distributed=True),
]
wanted = sys.argv[3] if len(sys.argv) > 3 else None
print(run_stages(stages, folder / "exp", first=wanted, last=wanted))
"""


class Runner:
    """Starts the script above in processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "script.py"
        self.script.write_text(textwrap.dedent(SCRIPT))

    def start(self, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(self.script), str(self.folder), *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(asr.__file__).parents[1]), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hang_at(self, step: int) -> "subprocess.Popen[str]":
        (self.folder / "hang").write_text(str(step))
        process = self.start("first")
        end = time.monotonic() + 30
        while not (self.folder / "hanging").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        (self.folder / "hang").unlink()
        return process


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
def test_killed_run_leaves_nothing_half_done_and_goes_on(runner: Runner) -> None:
    process = runner.hang_at(2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    exp = runner.folder / "exp"
    assert not (exp / "06_train").exists()
    assert (exp / "06_train.partial" / "checkpoint0").read_text() == "ab"

    out, err = runner.start("second").communicate(timeout=30)
    assert out.strip() == "['train']", err
    assert (exp / "06_train" / "checkpoint0").read_text() == "abcd"
    assert (exp / "06_train" / "started_with").read_text() == "second"
    assert "going on in 06_train.partial" in err


def test_second_run_on_one_experiment_names_the_first(runner: Runner) -> None:
    process = runner.hang_at(1)
    try:
        with (
            pytest.raises(ConfigError, match=rf"exp: process {process.pid} on .* is running in it"),
            hold_lock(runner.folder / "exp"),
        ):
            pass
    finally:
        process.kill()
        process.communicate()
    with hold_lock(runner.folder / "exp"), hold_lock(runner.folder / "exp"):
        assert str(os.getpid()) in (runner.folder / "exp" / ".lock").read_text()


def test_experiment_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ConfigError, match=r"file.exp: an experiment cannot be written .*--exp"),
        hold_lock(tmp_path / "file" / "exp"),
    ):
        pass


def test_processes_of_a_launch_share_one_partial_folder(runner: Runner) -> None:
    runner.start("alone", "prepare").communicate(timeout=30)
    world = {"WORLD_SIZE": "2", "MASTER_PORT": "1234"}
    second = runner.start("launch", "train", RANK="1", **world)
    time.sleep(0.5)
    assert not (runner.folder / "exp" / "06_train.partial").exists()
    first = runner.start("launch", "train", RANK="0", **world)
    results = [process.communicate(timeout=30) for process in (first, second)]
    assert [out.strip() for out, _ in results] == ["['train']", "['train']"], results
    assert results[1][1] == ""
    train = runner.folder / "exp" / "06_train"
    assert (train / "checkpoint0").read_text() == (train / "checkpoint1").read_text() == "abcd"
