"""Data parallel training by torch's own engine: `torchrun` starts one process a device."""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    def sum_gradients(self, parameters: Sequence[nn.Parameter], numbers: Tensor) -> Tensor:
        """Sum gradients, in place, and further numbers (N,) over all processes; return the latter.

        All in one vector, always in the same order: with three and more processes the order of the
        sums depends on the place in it, and a resumed training must not differ in the last bit.
        """
        if self.size == 1:
            return numbers
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        everything = torch.cat([*(one.flatten() for one in gradients), numbers])
        torch.distributed.all_reduce(everything)
        sizes = [*(one.numel() for one in gradients), len(numbers)]
        *sums, totals = torch.split(everything, sizes)
        for parameter, total in zip(parameters, sums, strict=True):
            parameter.grad = total.view_as(parameter)
        return totals


@contextmanager
def join_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started, if it did (nccl on GPUs, gloo elsewhere)."""
    if torch.distributed.is_initialized():  # by whoever started this process
        yield World(torch.distributed.get_rank(), torch.distributed.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()


def usable_cores() -> int:
    """Cores that this process may use, which a queue or a container may have limited."""
    there = hasattr(os, "sched_getaffinity")  # not on Windows and macOS
    cores = len(os.sched_getaffinity(0)) if there else os.cpu_count() or 1
    return min(cores, _quota())


def _quota(limits: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores whose time a Linux container may use; many where nothing is said of it."""
    try:
        time, period = limits.read_text(encoding="ascii").split()
        return max(1, math.ceil(int(time) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such file; or "max", which is no number
        return sys.maxsize


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
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        here["mps"] = False  # torch has no way for several processes to share it
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
