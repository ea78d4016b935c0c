"""One run at a time in an experiment folder.

The system holds the lock, so it ends with its process, even one that is killed; the process id
in the file is for the message only.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asr.errors import ConfigError

LOCK = ".lock"
_held: set[Path] = set()

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> None:
        # A locked byte cannot be read on Windows: take one far behind the text.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[str]) -> None:
        # Not flock: forked data loaders would inherit it and hold it when this process is killed.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Keep other processes out of an experiment folder; nested in one process it does nothing.

    Raises:
        ConfigError: another process is at work there; names it. Or the folder cannot be made.
    """
    path = folder.resolve() / LOCK
    if path in _held:
        yield
        return
    with _opened(folder, path) as file:
        try:
            _try_lock(file)
        except (BlockingIOError, PermissionError):
            raise ConfigError(_in_use(folder, path)) from None
        except OSError as error:
            print(f"{path}: cannot be locked here ({error}); going on without", file=sys.stderr)
        _held.add(path)
        try:
            _write(file, f"process {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            _held.discard(path)
            _write(file, "")


def _opened(folder: Path, path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{folder}: an experiment cannot be written there ({error.strerror}); name another "
            "folder with --exp"
        ) from None


def _in_use(folder: Path, path: Path) -> str:
    owner = path.read_text(encoding="utf-8").strip() or "another process"
    return f"{folder}: {owner} is running in it; wait until it ends, or choose another --exp folder"


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
