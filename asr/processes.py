"""Processes that work for this one, leave Ctrl-C to it, and do not outlive it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from types import FrameType
from typing import Any


def make_workers(
    processes: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """So many processes, which start as work is submitted: within `interrupts_later`.

    Args:
        processes: at most.
        begin: called in each before its work, with the arguments; all of it is sent by pickle.
        arguments: of `begin`.
    """
    return ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(begin, arguments),
    )


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, if only by being killed."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits while processes start: they inherit this, and never see it.

    Blocking the signal is for the processes. In this one it may reach a thread of a library that
    does not block it, upon which Python would interrupt the main thread all the same: between
    starting a process and telling it what to do.
    """
    came: list[tuple[int, FrameType | None]] = []
    before = signal.getsignal(signal.SIGINT)
    deferred = threading.current_thread() is threading.main_thread() and callable(before)
    if deferred:
        signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    mask = _block() if hasattr(signal, "pthread_sigmask") else None  # not on Windows
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if deferred:
            signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])


def _block() -> set[Any]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _begin(begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    # Ctrl-C goes to all processes; the one that waits for the answers decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    if begin is not None:
        begin(*arguments)
