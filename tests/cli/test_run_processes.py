"""`asr run` that trains in several processes: stopped like a user would, and run again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from synthetic_speech import make_texts, write_table, write_utterances

from asr.training.reporting import read_metrics

ROOT = Path(__file__).parents[2]
_RECIPE = """
name: tones
corpus: {name: table}
features: {sample_rate: 8000, mels: 12}
encoder: {cell: tanh, layers: 1, hidden: 8, factor: 2}
training:
  epochs: 12
  batch: {max_utterances: 2, per_step: 2}
  processes: 2
  moving_average: 0.9
  precision: float32
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    splits = {
        name: write_utterances(tmp_path / name, make_texts(count, seed=count), name=name)
        for name, count in (("train", 24), ("dev", 5), ("test", 4))
    }
    write_table(tmp_path / "tones.csv", splits)
    (tmp_path / "recipe.yaml").write_text(_RECIPE)
    return tmp_path


def start(corpus: Path, exp: Path) -> "subprocess.Popen[str]":
    """`asr run` in a process group of its own, as a shell starts it."""
    given = [str(corpus / "recipe.yaml"), "--corpus", str(corpus / "tones.csv"), "--exp", str(exp)]
    return subprocess.Popen(
        [sys.executable, "-m", "asr", "run", *given, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def wait_for_epoch(folder: Path, process: "subprocess.Popen[str]") -> None:
    """Until the training has been through one."""
    deadline = time.monotonic() + 120
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_nobody(group: int) -> None:
    """Until no process of the group is left, but those that only wait to be forgotten."""
    deadline = time.monotonic() + 20
    while any(running_in(group)):
        assert time.monotonic() < deadline, list(running_in(group))
        time.sleep(0.05)


def running_in(group: int) -> Iterator[str]:
    """The processes of a group, as `ps` describes them, zombies left out."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        number, state, words = line.split(maxsplit=2)
        if int(number) == group and not state.startswith("Z"):
            yield words


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
@pytest.mark.skipif(shutil.which("ps") is None, reason="needs the program ps")
def test_ctrl_c_ends_all_processes_and_the_same_command_goes_on_to_the_same_model(
    corpus: Path, tmp_path: Path
) -> None:
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    running = start(corpus, stopped)
    wait_for_epoch(stopped / "06_train.partial", running)
    os.killpg(running.pid, signal.SIGINT)  # what Ctrl-C does: to every process of the group
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert said.count("stopped; the checkpoint is written") == 1
    assert "Traceback" not in said
    assert len(read_metrics(stopped / "06_train.partial")) < 12
    wait_for_nobody(running.pid)
    for folder in (stopped, whole):
        running = start(corpus, folder)
        _, said = running.communicate(timeout=240)
        assert running.returncode == 0, said
        assert said.count("epoch  12/12") == 1, "one process reports"
    models = [load_file(folder / "07_average" / "model.safetensors") for folder in (stopped, whole)]
    assert all((models[0][name] == weight).all() for name, weight in models[1].items())
