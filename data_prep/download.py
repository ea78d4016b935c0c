"""Downloads that can be cut off and go on, and are checked before they are believed."""

import hashlib
import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from asr.errors import DataError
from data_prep.progress import byte_bar
from data_prep.unpack import unpack

RETRY_WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try; progress starts them afresh

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18  # bytes
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP answers that may be better in a moment
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")

Show = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Archive:
    """A corpus archive in its public home."""

    url: str
    inside: str  # the folder in the archive that is the corpus folder
    checksum: tuple[str, str] | None = None  # algorithm and hex digest, where they are published


def install(archive: Archive, folder: Path, *, check: Callable[[Path], None]) -> None:
    """Download and unpack a corpus; `folder` appears when it is whole and checked.

    Args:
        archive: where it is.
        folder: the corpus folder to make.
        check: raises DataError where the unpacked folder is not what it should be.

    Raises:
        DataError: the download failed, or what came is not the corpus.
    """
    file = folder.with_name(folder.name + ".archive")
    fetch(archive.url, file, checksum=archive.checksum)

    def check_whole(unpacked: Path) -> None:
        # Without a published checksum, sizes and the count are what there is to go by.
        empty = [path for path in unpacked.rglob("*") if path.is_file() and not path.stat().st_size]
        if empty:
            raise DataError(
                f"{archive.url}: {len(empty)} files of 0 bytes came, such as {empty[0].name}; "
                "expected none: try again"
            )
        check(unpacked)

    try:
        unpack(file, folder, inside=archive.inside, check=check_whole)
    except OSError as error:
        raise DataError(
            f"{file}: cannot be unpacked into {folder.parent} ({error.strerror}); check the disk "
            "and the rights, and run the command again: the download is kept"
        ) from None
    except DataError:
        # Kept, it would be taken for the download the next time.
        file.unlink()
        raise
    file.unlink()


def fetch(
    url: str,
    target: Path,
    *,
    checksum: tuple[str, str] | None = None,
) -> None:
    """Download a file, or the rest of it where an earlier try was cut off.

    What has come so far lies in `target` + ".part"; `target` appears when it is whole and right.
    A file that is there already is checked and kept.

    Args:
        url: where it is.
        target: the file to make.
        checksum: algorithm (as hashlib names it) and hex digest, where they are published.

    Raises:
        DataError: the server refuses, the connection is cut again and again, or what came is
            wrong (it is removed).
    """
    if target.is_file():
        _verify(target, url, checksum=checksum)
        return
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.open("ab").close()
    except OSError as error:
        raise DataError(
            f"{part.parent}: a download cannot be written there ({error.strerror}); name another "
            "folder in the environment variable ASR_CORPORA"
        ) from None
    try:
        with byte_bar(f"downloading {url}") as show:
            _transfer_stubbornly(url, part, show)
    except BaseException:
        if part.stat().st_size == 0:
            part.unlink()
        raise
    _verify(part, url, checksum=checksum)
    part.replace(target)


def _transfer_stubbornly(url: str, part: Path, show: Show) -> None:
    waits = list(RETRY_WAITS)
    while True:
        before = part.stat().st_size
        try:
            _transfer(url, part, show)
            return
        except (OSError, http.client.HTTPException) as error:
            _refuse_final_answer(error, url)
            if part.stat().st_size > before:
                waits = list(RETRY_WAITS)
            if not waits:
                raise DataError(
                    f"{url}: the download failed {len(RETRY_WAITS) + 1} times, the last time after "
                    f"{part.stat().st_size} bytes ({error}); run the command again to go on there, "
                    "or say where the corpus lies with --corpus"
                ) from None
            time.sleep(waits.pop(0))


def _refuse_final_answer(error: Exception, url: str) -> None:
    if not isinstance(error, HTTPError):
        return
    error.close()
    if error.code not in _PASSING:
        raise DataError(
            f"{url}: the server answered {error.code} {error.reason}; check the address, or "
            "download it by hand and say where it lies with --corpus"
        )


def _transfer(url: str, part: Path, show: Show) -> None:
    """Add what is missing to `part`; raise ConnectionError where it is cut before the end."""
    have = part.stat().st_size
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(request, timeout=_TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code != 416:
            raise
        _settle_unsatisfied_range(part, have, error.headers.get("Content-Range"))
        return
    with response:
        start, total = _extent(response)
        if start not in (0, have):
            raise ConnectionError(f"asked for byte {have} on, the server sent byte {start} on")
        with part.open("ab") as file:
            file.truncate(start)
            done = start
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                show(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"cut off after {done} of {total} bytes")


def _extent(response: Any) -> tuple[int, int | None]:
    """Return where in the file the answer starts, and the whole file's size where that is told."""
    if response.status == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or match[1] is None:
            raise ConnectionError("a part came without saying which")
        return int(match[1]), int(match[2])
    # A server that does not know ranges sends the whole file again.
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _settle_unsatisfied_range(part: Path, have: int, content_range: str | None) -> None:
    """Accept a part that is the whole file already; drop one that is longer than the file."""
    match = _RANGE.fullmatch(content_range or "")
    if match is not None and int(match[2]) == have:
        return
    part.write_bytes(b"")
    raise ConnectionError(f"{have} bytes had come, which is more than the file has; starting over")


def _verify(path: Path, url: str, *, checksum: tuple[str, str] | None) -> None:
    if checksum is None:
        return
    came = path.stat().st_size
    algorithm, expected = checksum
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if digest != expected:
        path.unlink()
        raise DataError(
            f"{url}: what came ({came} bytes) has {algorithm} {digest}, expected {expected}; "
            "removed: try again"
        )
