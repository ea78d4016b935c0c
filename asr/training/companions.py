"""Further training processes on this machine's CPU, started beside this one.

Two threads that share the work of every matrix product wait for each other, and spin while they
do: when another program takes one of two cores, both stand still most of the time. Processes that
meet once a step only get as much slower as their cores are taken.
"""

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

import torch

from asr.errors import AsrError, ConfigError
from asr.processes import end_with_parent
from asr.training.distributed import usable_cores
from asr.training.settings import TrainingSettings

_GOODBYE = 20.0  # seconds that companions have to end by themselves
_READY = "ready"
_KILLED = 9  # SIGKILL, which Windows does not name
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def companions_wanted(settings: TrainingSettings, device: torch.device) -> int:
    """How many processes to start beside this one.

    None where torchrun has started some, and none for a GPU. Else a CPU's cores share the batches
    of a step, or as many processes as the settings say; never more than there are batches.
    """
    if "WORLD_SIZE" in os.environ or device.type != "cpu":
        return 0
    return min(settings.processes or usable_cores(), settings.batch.per_step) - 1


@contextmanager
def companions(count: int, work: Callable[..., object], *arguments: Any) -> Iterator[None]:
    """Start `count` processes that do `work(*arguments)` beside this one, which does the same.

    All of them have joined one world when the block begins, and share the cores evenly. Signals
    are left to this process.

    Raises:
        AsrError: what a companion ended with, where that is why this process cannot go on.
    """
    if count == 0:
        yield
        return
    context = torch.multiprocessing.get_context("spawn")
    reports: SimpleQueue[Any] = context.SimpleQueue()
    place = f"tcp://127.0.0.1:{_free_port()}"
    share = max(1, usable_cores() // (count + 1))
    started = [
        context.Process(
            target=_accompany, args=(rank, count + 1, place, share, reports, work, arguments)
        )
        for rank in range(1, count + 1)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(share)
    try:
        try:
            _start(started)
            _await(started, reports)
        except KeyboardInterrupt:
            for process in started:
                if process.pid is not None:
                    process.kill()  # it has nothing to finish
            raise
        _join(0, count + 1, place)
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()
    except RuntimeError as error:
        _explain(error, started, reports)
        raise
    finally:
        torch.set_num_threads(threads)
        _end(started)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _start(processes: list[SpawnProcess]) -> None:
    # What is ignored here is ignored there from the first instant: a companion stops when this
    # process says so, by way of the next step.
    ours = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS if ours}
    try:
        for process in processes:
            process.start()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _await(processes: list[SpawnProcess], reports: "SimpleQueue[Any]") -> None:
    """Wait until all are ready to join, since joining could not be broken off."""
    ready = 0
    while ready < len(processes):
        connection.wait([process.sentinel for process in processes], timeout=0.05)
        while not reports.empty():
            reports.get()
            ready += 1
        if any(process.exitcode is not None for process in processes):
            raise RuntimeError("a companion process ended before it began")


def _join(rank: int, size: int, place: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=size)


def _accompany(
    rank: int,
    size: int,
    place: str,
    threads: int,
    reports: "SimpleQueue[Any]",
    work: Callable[..., object],
    arguments: tuple[Any, ...],
) -> None:
    end_with_parent()
    torch.set_num_threads(threads)
    try:
        reports.put(_READY)
        _join(rank, size, place)
        work(*arguments)
    except KeyboardInterrupt:
        return  # all processes stop
    except AsrError as error:
        reports.put(error)
    except Exception:
        reports.put(traceback.format_exc())
    finally:
        # Not by way of Python's end: a thread of gloo's that is then still at work aborts.
        sys.stderr.flush()
        os._exit(0)


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        if process.pid is not None:
            process.join(_GOODBYE)
            process.kill()
            process.join()


def _explain(
    error: RuntimeError, processes: list[SpawnProcess], reports: "SimpleQueue[Any]"
) -> None:
    """Raise what the user can do something about; else leave a note of what the others said."""
    came = []
    while not reports.empty():
        came.append(reports.get())
    for one in came:
        if isinstance(one, AsrError):
            raise one from None
    for process in processes:
        process.join(_GOODBYE)
        if process.exitcode == -_KILLED:
            raise ConfigError(
                "training: a process was ended by SIGKILL, most likely for want of memory; lower "
                "training.cache_gib or training.batch.max_frames, or set training.processes=1"
            ) from error
        if process.exitcode:
            error.add_note(f"A companion process ended with status {process.exitcode}.")
    for one in came:
        if one != _READY:
            error.add_note(f"A companion process said:\n{one}")
