"""The bar that a download or an unpacking draws while it works."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def byte_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show bytes done, speed and time left on stderr; one line only where that is no terminal.

    Yields a function that takes the bytes done so far and, where known, the bytes in all.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    if bar.disable:
        print(what, file=sys.stderr)
    with bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield show
