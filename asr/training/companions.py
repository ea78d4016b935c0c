"""Further training processes on this machine's CPU, started beside this one.

Two threads that share the work of every matrix product wait for each other, and spin while they
do: when another program takes one of two cores, both stand still most of the time. Processes of one
thread each, which meet once a step, only get as much slower as their cores are taken.
"""

import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

import torch

from asr.errors import AsrError
from asr.training.settings import TrainingSettings

_GOODBYE = 20.0  # seconds that companions have to end by themselves


def companions_wanted(settings: TrainingSettings, device: torch.device) -> int:
    """How many processes to start beside this one.

    None where torchrun has started some, and none for a GPU. Else, unless the settings say how
    many, a CPU's cores share the batches of a step.
    """
    if "WORLD_SIZE" in os.environ or device.type != "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (settings.processes or min(settings.batch.per_step, cores or 1)) - 1


@contextmanager
def companions(count: int, work: Callable[..., object], *arguments: Any) -> Iterator[None]:
    """Start `count` processes that do `work(*arguments)` beside this one, which does the same.

    All of them find each other as if torchrun had started them. Each takes one thread.

    Raises:
        AsrError: what a companion ended with, where that is why this process cannot go on.
    """
    if count == 0:
        yield
        return
    context = torch.multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    places = _environment(count + 1)
    started = [
        context.Process(target=_accompany, args=(rank, places, errors, work, arguments))
        for rank in range(1, count + 1)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = dict(os.environ)
    os.environ.update(places)
    try:
        for process in started:
            process.start()
        yield
    except RuntimeError as error:
        # The engine's words may say no more than that a companion is gone.
        _end(started)
        raise (_reason(errors) or error) from None
    finally:
        torch.set_num_threads(threads)
        os.environ.clear()
        os.environ.update(before)
        _end(started)


def _environment(size: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "RANK": "0",
        "LOCAL_RANK": "0",
    }


def _accompany(
    rank: int,
    places: dict[str, str],
    errors: "SimpleQueue[Exception]",
    work: Callable[..., object],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.update(places | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    torch.set_num_threads(1)
    try:
        work(*arguments)
    except AsrError as error:
        errors.put(error)
    except Exception:
        errors.put(RuntimeError(f"a companion process failed:\n{traceback.format_exc()}"))
    except KeyboardInterrupt:
        return


def _reason(errors: "SimpleQueue[Exception]") -> Exception | None:
    """What the companions ended with: a user's error, else the first."""
    found = []
    while not errors.empty():
        found.append(errors.get())
    return next((one for one in found if isinstance(one, AsrError)), found[0] if found else None)


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        if process.pid is not None:
            process.join(_GOODBYE)
            process.terminate()
            process.join()
