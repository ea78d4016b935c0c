"""Lengths and rates of a corpus's recordings, and its damaged recordings by name."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asr.audio import AudioInfo, read_info
from asr.errors import AudioError, DataError


def read_infos(paths: Sequence[Path]) -> list[AudioInfo]:
    """Read the headers of recordings, in order.

    Raises:
        DataError: some cannot be read; it counts them all and names the first three.
    """
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(_info_or_error, paths))
    errors = [result for result in results if isinstance(result, AudioError)]
    if errors:
        first = "; ".join(str(error) for error in errors[:3])
        raise DataError(f"{len(errors)} of {len(paths)} recordings cannot be read: {first}")
    return [result for result in results if isinstance(result, AudioInfo)]


def _info_or_error(path: Path) -> AudioInfo | AudioError:
    try:
        return read_info(path)
    except AudioError as error:
        return error


def name_some(names: Sequence[str], *, most: int = 5) -> str:
    """Return a count and the first few names: "7 (a, b, c, d, e ...)"."""
    more = " ..." if len(names) > most else ""
    return f"{len(names)} ({', '.join(names[:most])}{more})"
