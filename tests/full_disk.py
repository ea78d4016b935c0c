"""A disk that is full: the system writes no file beyond a size."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """While the block runs, no file of this process may become larger, in bytes."""
    resource = pytest.importorskip("resource", reason="needs a system that limits files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
