"""Output files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asr.errors import DataError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    If the block raises (Ctrl-C included), the temporary file is removed and `path` stays as it was.

    Raises:
        DataError: nothing can be written there.
    """
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with _named(path):
            # mkstemp makes files private; a result is as readable as any other file of the user's.
            temporary.chmod(0o666 & ~_umask())
            with temporary.open("rb+") as file:  # Windows syncs only what may be written
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all.

    Half a pair of UTF-16 becomes an escape, backslash and number, which in JSON means the same.
    """
    with whole_file(path) as temporary, _named(path):
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file an operating system's error is about."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); check the path, the rights and the disk"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
