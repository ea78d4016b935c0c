"""Processes that train beside this one."""

import itertools
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from waiting import is_running, until

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.errors import AudioError, ConfigError
from asr.training.companions import companions, companions_wanted
from asr.training.distributed import join_world
from asr.training.settings import TrainingSettings

CPU = torch.device("cpu")


def share(folder: Path) -> None:
    """Write down what this process sees of the others."""
    with join_world(CPU) as world:
        total = world.sum_gradients([], torch.tensor([float(world.rank + 1)]))
        words = f"{world.rank} of {world.size}: {float(total)}, {torch.get_num_threads()} thread"
        (folder / str(world.rank)).write_text(words)


def write_gradient(folder: Path, cuts: list[int]) -> None:
    """The gradient of eight utterances, cut into batches there; process 0 writes it down."""
    torch.manual_seed(1)
    encoder = Encoder(EncoderSettings(hidden=16, layers=2, dropout=0), inputs=8, tokens=5)
    features, targets = torch.randn(8, 60, 8), torch.randint(1, 5, (8, 6))
    lengths, target_lengths = torch.arange(60, 44, -2), torch.arange(6, 2, -1).repeat(2)
    with join_world(CPU) as world:
        borders = [0, *cuts, 8]
        own = list(itertools.pairwise(borders))[world.rank :: world.size]
        for start, stop in own:
            part = slice(start, stop)
            emissions = encoder(features[part], lengths[part])
            losses = torch.nn.functional.ctc_loss(
                emissions.log_probs.transpose(0, 1),
                targets[part],
                emissions.lengths,
                target_lengths[part],
                reduction="sum",
            )
            (losses / int(target_lengths.sum())).backward()
        world.sum_gradients(list(encoder.parameters()), torch.zeros(1))
        if world.writes:
            gradients = {name: one.grad for name, one in encoder.named_parameters()}
            torch.save(gradients, folder / "gradients.pt")


def fail_in(rank: int, error: Exception) -> None:
    """One process fails, the others wait for it."""
    with join_world(CPU) as world:
        if world.rank == rank:
            raise error
        world.sum_gradients([], torch.ones(1))


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
def test_two_processes_with_a_part_each_have_the_gradient_of_one_with_all(tmp_path: Path) -> None:
    """Three and five utterances, and the same in three unequal batches: all to 1e-6."""
    write_gradient(tmp_path, [])
    alone = torch.load(tmp_path / "gradients.pt")
    assert max(float(one.abs().max()) for one in alone.values()) > 0.1
    for cuts in ([3], [1, 6], []):  # in the last, one process has no part
        with companions(1, write_gradient, tmp_path, cuts):
            write_gradient(tmp_path, cuts)
        together = torch.load(tmp_path / "gradients.pt")
        for name, gradient in alone.items():
            torch.testing.assert_close(together[name], gradient, rtol=0, atol=1e-6, msg=name)


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
    with pytest.raises(RuntimeError) as raised, companions(1, fail_in, 1, error):
        fail_in(1, error)
    assert "ZeroDivisionError: 7" in "".join(raised.value.__notes__)


@pytest.mark.slow
def test_a_bug_of_this_process_keeps_its_words_though_the_companion_fails_too() -> None:
    error = RuntimeError("mat1 and mat2")
    with pytest.raises(RuntimeError) as raised, companions(1, fail_in, 0, error):
        fail_in(0, error)
    assert raised.value is error


def fail_and_abort(error: Exception) -> None:
    """One process fails, upon which the other aborts."""
    try:
        fail_in(0, error)
    except RuntimeError:
        if torch.distributed.get_rank() == 1:
            os.abort()
        raise


@pytest.mark.slow
def test_a_bug_of_this_process_keeps_its_words_though_the_companion_aborts_over_it() -> None:
    error = RuntimeError("mat1 and mat2")
    with pytest.raises(RuntimeError) as raised, companions(1, fail_and_abort, error):
        fail_and_abort(error)
    assert raised.value is error
    assert raised.value.__notes__ == [f"A companion process ended with status {-signal.SIGABRT}."]


def die_in(rank: int) -> None:
    """One process is killed, the others wait for it."""
    with join_world(CPU) as world:
        if world.rank == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        world.sum_gradients([], torch.ones(1))


@pytest.mark.slow
def test_a_companion_that_the_system_kills_is_told_with_what_to_do() -> None:
    with (
        pytest.raises(ConfigError, match=r"ended by SIGKILL.*memory; lower training\.cache_gib"),
        companions(1, die_in, 1),
    ):
        die_in(1)


def train_with_companion(folder: str) -> None:
    """A process of its own, for a test to kill while its companion works."""
    with companions(1, write_pid_and_wait, folder):
        time.sleep(60)


def write_pid_and_wait(folder: str) -> None:
    Path(folder, "pid").write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_companion_does_not_outlive_the_process_it_accompanies(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    parent = context.Process(target=train_with_companion, args=(str(tmp_path),))
    parent.start()
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    companion = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.join()
    until(lambda: not is_running(companion))


def test_a_cpu_trains_in_as_many_processes_as_cores_can_share_the_batches_of_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)

    def wanted(device: str = "cpu", **settings: object) -> int:
        return companions_wanted(TrainingSettings.parse(settings, "test"), torch.device(device))

    assert wanted() == 1, "two batches a step are the default"
    assert wanted(batch={"per_step": 1}) == 0
    assert wanted(batch={"per_step": 2}) == 1
    assert wanted(batch={"per_step": 8}) == 3
    assert wanted(batch={"per_step": 8}, processes=1) == 0
    assert wanted(batch={"per_step": 1}, processes=2) == 0, "one would stand idle"
    assert wanted("cuda", batch={"per_step": 8}) == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert wanted(batch={"per_step": 8}) == 0, "torchrun has started the processes"
