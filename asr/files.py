"""Output files that appear whole or not at all."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asr.errors import ConfigError, DataError

# What a disk says while it is being written to.
_NO_MORE = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.EIO)}


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    If the block raises (Ctrl-C included), the temporary file is removed and `path` stays as it was.
    A link goes on leading where it led, and a pipe or a device gets what was written.

    Raises:
        DataError: nothing can be written there, or the disk is full.
    """
    if _is_device(path):
        with _piped_file(path) as temporary:
            yield temporary
        return
    with _named(path):
        path = _followed(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with _named(path, of=_NO_MORE):
            yield temporary
        with _named(path):
            # mkstemp makes files private; a result is as readable as any other file of the user's.
            temporary.chmod(0o666 & ~_umask())
            with temporary.open("rb+") as file:  # Windows syncs only what may be written
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, and rename it to `path` if the block succeeds.

    `path` is an empty folder, or not there.

    Raises:
        DataError: nothing can be written there, or the disk is full.
    """
    with _named(path):
        path = _followed(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with _named(path, of=_NO_MORE):
            yield temporary
        with _named(path):
            temporary.chmod(0o777 & ~_umask())
            if path.exists():
                path.rmdir()
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all.

    Half a pair of UTF-16 becomes an escape, backslash and number, which in JSON means the same.
    """
    with whole_file(path) as temporary, _named(path):
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def refuse_unwritable(path: Path) -> None:
    """Raise DataError where `whole_file` would, before there is something to write.

    The folder is made if it is not there.
    """
    with _named(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not _is_device(path):
            folder = _followed(path).parent
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass


def refuse_overlap(inputs: Iterable[Path], outputs: Iterable[Path | None]) -> None:
    """Raise ConfigError where a file to be written is to be read, too, or written twice."""
    taken = {_followed(path) for path in inputs}
    for path in outputs:
        if path is not None and not _is_device(path):
            if _followed(path) in taken:
                raise ConfigError(
                    f"{path}: this file is given for two things; give what is to be written "
                    "another name"
                )
            taken.add(_followed(path))


def _followed(path: Path) -> Path:
    """Where a path leads, links followed."""
    return Path(os.path.realpath(path))


def _is_device(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def _piped_file(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "whole"
        temporary.touch()
        yield temporary
        with _named(path), temporary.open("rb") as whole, path.open("wb") as device:
            shutil.copyfileobj(whole, device)


@contextmanager
def _named(path: Path, *, of: Collection[int] | None = None) -> Iterator[None]:
    """Say which file an operating system's error is about; `of` are the kinds that are."""
    try:
        yield
    except OSError as error:
        if of is not None and error.errno not in of:
            raise
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); check the path, the rights and the disk"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
