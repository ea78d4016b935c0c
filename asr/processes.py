"""Processes that work for this one, and leave Ctrl-C to it."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
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


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits while processes start: they inherit this, and never see it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    # Ctrl-C goes to all processes; the one that waits for the answers decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if begin is not None:
        begin(*arguments)
