"""Data parallel training by torch's own engine: `torchrun` starts one process a device."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from asr.errors import ConfigError, ModelError

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class World:
    """Which of how many training processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Only one process writes files and progress."""
        return self.rank == 0

    def total(self, number: Tensor) -> Tensor:
        """Sum a number over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(number)
        return number

    def gather(self, items: list[_Item]) -> list[_Item]:
        """Join the lists of all processes, in the order of their ranks."""
        if self.size == 1:
            return items
        lists: list[list[_Item]] = [[] for _ in range(self.size)]
        torch.distributed.all_gather_object(lists, items)
        return [item for each in lists for item in each]

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            torch.distributed.barrier()

    def parallel(self, model: nn.Module) -> nn.Module:
        """Wrap a model so that its gradients are averaged over the processes."""
        return nn.parallel.DistributedDataParallel(model) if self.size > 1 else model

    def adding_up(self, model: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """Within it gradients are added up, and averaged over the processes with the last ones."""
        if last or not isinstance(model, nn.parallel.DistributedDataParallel):
            return nullcontext()
        return model.no_sync()


@contextmanager
def join_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started (nccl on GPUs, gloo elsewhere), if it did."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(torch.distributed.get_rank(), size)
    finally:
        torch.distributed.destroy_process_group()


def refuse_other_steps(folder: Path, step: int, world: World) -> None:
    """Raise ModelError where the processes have not loaded the same checkpoint."""
    steps = world.gather([str(step)])
    if len(set(steps)) > 1:
        raise ModelError(
            f"{folder}: the training processes go on from different steps ({', '.join(steps)}); "
            "the experiment folder must be shared by all machines, its checkpoint.pt visible to all"
        )


def choose_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `mps` -> a device that is there; under torchrun, this process's own.

    Raises:
        ConfigError: the device that was asked for is not there.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((device for device, available in here.items() if available), "cpu")
    if not here.get(name, name == "cpu"):
        raise ConfigError(f"--device {name}: no such device here; use --device auto or cpu")
    if name == "cuda":
        local, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= count:
            raise ConfigError(
                f"--device cuda: process {local + 1} of this machine has no GPU of its own, there "
                f"are {count}; start torchrun with --nproc-per-node={count}"
            )
        torch.cuda.set_device(local)
        return torch.device("cuda", local)
    return torch.device(name)
