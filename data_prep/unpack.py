"""Archives from elsewhere, unpacked so that nothing can be written outside their folder."""

import gzip
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple

from asr.errors import DataError
from data_prep.progress import byte_bar

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile)


class _Member(NamedTuple):
    name: str
    content: Callable[[], IO[bytes] | None]  # gives None for a folder
    kind: str  # "file", "folder", or what it is that cannot be accepted


def unpack(
    archive: Path, target: Path, *, inside: str, check: Callable[[Path], None] | None = None
) -> None:
    """Unpack a tar, tar.gz or zip archive, and let one of its folders appear as `target`.

    Everything goes to a temporary folder beside `target` first. An archive with any member that is
    neither a file nor a folder (links included: no corpus needs them), or that is named by an
    absolute path or with `..`, is refused as a whole.

    Args:
        archive: the archive file.
        target: the folder to make; it must not exist.
        inside: the folder in the archive that becomes `target`.
        check: raises DataError where the unpacked folder is not what it should be.

    Raises:
        DataError: the archive is hostile, damaged or lacks `inside`, or `target` exists.
        OSError: the disk is full, or nothing may be written there.
    """
    if target.exists():
        raise DataError(f"{target}: exists already; remove it to unpack {archive.name} again")
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _extract(archive, temporary)
        folder = temporary / inside
        if not folder.is_dir():
            found = ", ".join(sorted(path.name for path in temporary.iterdir())[:5])
            raise DataError(f"{archive}: folder '{inside}' was expected; it has: {found}")
        if check is not None:
            check(folder)
        folder.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    try:
        for member in _members(archive):
            path = folder / _safe_name(member, archive)
            content = member.content()
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": a name that comes twice must not write over (or through) what is there.
            with content, path.open("xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive}: refused: '{error.filename}' comes twice in it") from None
    except (*_DAMAGED, RuntimeError) as error:
        raise DataError(f"{archive}: damaged archive ({error}); download it again") from None


def _safe_name(member: _Member, archive: Path) -> PurePosixPath:
    """Return a member's path where it is harmless, as it will be on any system."""
    problem = None
    posix, windows = PurePosixPath(member.name), PureWindowsPath(member.name)
    if posix.is_absolute() or windows.drive or windows.root:
        problem = "an absolute path"
    elif ".." in windows.parts:
        problem = "a path with '..'"
    elif "\0" in member.name:
        problem = "a path with a zero byte"
    elif member.kind not in ("file", "folder"):
        problem = member.kind
    if problem:
        raise DataError(
            f"{archive}: refused: member '{member.name}' is {problem}; expected only files and "
            "folders that stay below the archive's own; nothing was unpacked"
        )
    return posix


def _members(archive: Path) -> Iterator[_Member]:
    size = archive.stat().st_size
    with archive.open("rb") as file, byte_bar(f"unpacking {archive.name}") as show:
        magic = file.read(2)
        file.seek(0)
        if magic == b"PK":
            members = _zip_members(file)
        elif magic == b"\x1f\x8b":
            members = _gzip_members(file)
        else:
            members = _tar_members(file)
        for member in members:
            yield member
            show(min(file.tell(), size), size)


def _gzip_members(file: IO[bytes]) -> Iterator[_Member]:
    with gzip.GzipFile(fileobj=file) as plain:
        yield from _tar_members(plain)
        # gzip's checksum stands after the last byte, which tarfile does not read up to.
        while plain.read(1 << 20):
            pass


def _tar_members(file: IO[bytes] | gzip.GzipFile) -> Iterator[_Member]:
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for entry in tar:
            yield _Member(entry.name, partial(tar.extractfile, entry), _tar_kind(entry))


def _tar_kind(entry: tarfile.TarInfo) -> str:
    if entry.isreg():
        return "file"
    if entry.isdir():
        return "folder"
    return f"a link to '{entry.linkname}'" if entry.issym() or entry.islnk() else "a device or pipe"


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            yield _Member(entry.filename, partial(_open_zipped, archive, entry), _zip_kind(entry))


def _open_zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes] | None:
    return None if entry.is_dir() else archive.open(entry)


def _zip_kind(entry: zipfile.ZipInfo) -> str:
    # The upper half holds the Unix mode; 0 where the archive was made without one.
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return "a link"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device or pipe"
    return "folder" if entry.is_dir() else "file"
