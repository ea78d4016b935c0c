"""Waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path


def until(true: Callable[[], bool]) -> None:
    """Wait until it is true, for a minute at most."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it took more than a minute"
        time.sleep(0.1)


def is_running(pid: int) -> bool:
    """Whether there is such a process, which is more than a zombie."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()
