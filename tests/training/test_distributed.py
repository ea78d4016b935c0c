"""Devices and processes; several processes are held by the training loop's own test."""

from pathlib import Path

import pytest
import torch

from asr.errors import ConfigError
from asr.training.distributed import World, _quota, choose_device, join_world, usable_cores


@pytest.fixture
def cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pretend there are two; the list tells which was chosen."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_a_gpu_auto_is_the_cpu(name: str) -> None:
    assert choose_device(name) == torch.device("cpu")


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize("name", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_there_is_an_error_that_says_what_to_use(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"--device {name}: no such device.*auto or cpu"):
        choose_device(name)


def test_each_process_takes_its_own_gpu(
    two_gpus: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert choose_device("auto") == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("cuda") == torch.device("cuda", 1)
    assert two_gpus == [0, 1]


@pytest.mark.usefixtures("two_gpus")
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match=r"process 3 .* there are 2; .*--nproc-per-node=2"):
        choose_device("cuda")


def test_without_torchrun_one_process_is_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    model = torch.nn.Linear(1, 1)
    with join_world(torch.device("cpu")) as world:
        assert world == World(rank=0, size=1)
        assert world.writes
        model.weight.grad = torch.tensor([[4.0]])
        numbers = world.sum_gradients([model.weight], torch.tensor([2.5]))
        assert (model.weight.grad.item(), numbers.item()) == (4.0, 2.5)
        assert world.gather(["a", "b"]) == ["a", "b"]
        world.wait()


@pytest.mark.parametrize(
    ("said", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 3), ("", 3)]
)
def test_a_container_may_have_fewer_cores_than_there_are(
    said: str, cores: int, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(said + "\n")
    assert min(3, _quota(tmp_path / "cpu.max")) == cores
    assert _quota(tmp_path / "none") >= usable_cores()
