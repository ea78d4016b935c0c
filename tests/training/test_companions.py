"""Processes that train beside this one."""

import os
import time
from pathlib import Path

import pytest
import torch

from asr.errors import AudioError
from asr.training.companions import companions, companions_wanted
from asr.training.distributed import join_world
from asr.training.settings import TrainingSettings

CPU = torch.device("cpu")


def share(folder: Path) -> None:
    """Write down what this process sees of the others."""
    with join_world(CPU) as world:
        total = world.total(torch.tensor(float(world.rank + 1)))
        words = f"{world.rank} of {world.size}: {float(total)}, {torch.get_num_threads()} thread"
        (folder / str(world.rank)).write_text(words)


def fail_in(rank: int, error: Exception) -> None:
    """One process fails, the others wait for it."""
    with join_world(CPU) as world:
        if world.rank == rank:
            raise error
        world.total(torch.tensor(1.0))
        time.sleep(60)


@pytest.mark.slow
def test_companions_and_this_process_do_the_same_work_with_one_thread_each(tmp_path: Path) -> None:
    threads, environment = torch.get_num_threads(), dict(os.environ)
    with companions(2, share, tmp_path):
        share(tmp_path)
    said = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert said == {rank: f"{rank} of 3: 6.0, 1 thread" for rank in "012"}
    assert torch.get_num_threads() == threads
    assert dict(os.environ) == environment


@pytest.mark.slow
def test_what_a_companion_ends_with_is_told_in_its_own_words() -> None:
    error = AudioError("a.wav: cannot be read", "damaged")
    with (
        pytest.raises(AudioError, match=r"^a\.wav: cannot be read$") as raised,
        companions(1, fail_in, 1, error),
    ):
        fail_in(1, error)
    assert raised.value.problem == "damaged"


@pytest.mark.slow
def test_a_bug_in_a_companion_is_not_hidden() -> None:
    error = ZeroDivisionError(7)
    with (
        pytest.raises(RuntimeError, match=r"(?s)companion process failed.*ZeroDivisionError: 7"),
        companions(1, fail_in, 1, error),
    ):
        fail_in(1, error)


def test_a_cpu_trains_in_as_many_processes_as_cores_can_share_the_batches_of_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)

    def wanted(device: str = "cpu", **settings: object) -> int:
        return companions_wanted(TrainingSettings.parse(settings, "test"), torch.device(device))

    assert wanted() == 0
    assert wanted(batch={"per_step": 2}) == 1
    assert wanted(batch={"per_step": 8}) == 3
    assert wanted(batch={"per_step": 8}, processes=1) == 0
    assert wanted(processes=2) == 1
    assert wanted("cuda", batch={"per_step": 8}) == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert wanted(batch={"per_step": 8}) == 0, "torchrun has started the processes"
