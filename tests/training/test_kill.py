"""A training that is killed outright: nothing in the process gets a last word."""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from asr.training import loop, step
from asr.training import plan as plan_module
from asr.training.checkpoint import load_average, load_epoch
from asr.training.loss import ctc_losses
from asr.training.reporting import read_metrics

TinyTraining = Any  # of the conftest, which cannot be imported
PLAN = [[0, 1, 2], [3, 4], [5, 6, 7, 8, 9, 10, 11]]
WORKER = Path(__file__).with_name("data_parallel_worker.py")


def train(manifest: Path, folder: Path) -> None:
    train_tiny: Callable[..., None] = runpy.run_path(str(WORKER))["train_tiny"]
    # A checkpoint after every step, and a moving average in it.
    often: dict[str, Any] = {"checkpoint_minutes": 1e-9, "moving_average": 0.9}
    train_tiny(manifest, folder, PLAN, poisoned=False, **often)


def train_and_be_killed(manifest: Path, folder: Path, step: int) -> None:
    """Train, and die in the given step, counted from 1."""
    clip, steps = torch.nn.utils.clip_grads_with_norm_, iter(range(1, step + 1))

    def clip_or_die(*arguments: Any, **options: Any) -> Any:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return clip(*arguments, **options)

    torch.nn.utils.clip_grads_with_norm_ = clip_or_die
    train(manifest, folder)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_training_killed_in_the_middle_of_an_epoch_ends_with_the_same_weights_bit_for_bit(
    tiny: TinyTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tiny.utterances[0].audio_path.with_name("utt.jsonl")
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=train_and_be_killed, args=(manifest, tmp_path / "killed", 5))
    killed.start()
    killed.join(120)
    assert killed.exitcode == -signal.SIGKILL
    assert [one["epoch"] for one in read_metrics(tmp_path / "killed")] == [1]
    # The worker replaces them; they are to be put back.
    monkeypatch.setattr(plan_module, "plan_batches", plan_module.plan_batches)
    monkeypatch.setattr(step, "ctc_losses", ctc_losses)
    monkeypatch.setattr(loop, "rate_share", loop.rate_share)
    killed_at = torch.load(tmp_path / "killed" / "checkpoint.pt")["progress"]
    assert (killed_at["step"], killed_at["batches_in_epoch"]) == (4, 1), "in the second epoch"
    for folder in (tmp_path / "whole", tmp_path / "killed"):
        train(manifest, folder)
    whole, resumed = (load_epoch(tmp_path / name, 3) for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], weight) for name, weight in whole.items())
    averages = [load_average(tmp_path / name) for name in ("whole", "killed")]
    assert averages[0] is not None
    assert averages[1] is not None
    assert all(torch.equal(averages[1][name], weight) for name, weight in averages[0].items())
    losses = [
        [one["loss"] for one in read_metrics(tmp_path / name)] for name in ("whole", "killed")
    ]
    assert losses[0] == losses[1]
