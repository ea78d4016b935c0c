"""A packed n-gram model, opened by flashlight's KenLM.

It is unpacked into a temporary file that is KenLM's own: arithmetic of numpy, during which other
threads go on. So a program may begin with it before it has imported torch.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

from asr.errors import ModelError, one_line
from asr.lm.kenlm import write_kenlm
from asr.lm.packed import read_packed

LANGUAGE_MODEL = "lm.safetensors"  # in a model folder

_begun: ContextVar[tuple[Path, Future[Path]] | None] = ContextVar("_begun", default=None)


@contextmanager
def unpacked_ahead(path: Path) -> Iterator[None]:
    """Begin to unpack a model in a thread; `open_language_model` within takes what comes of it."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(1) as thread,
    ):
        token = _begun.set((path, thread.submit(_unpack, path, Path(folder))))
        try:
            yield
        finally:
            _begun.reset(token)


def open_language_model(path: Path, names: Dictionary) -> Any:
    """Open a packed model (asr.lm.packed), by way of a temporary file.

    Args:
        path: the packed model.
        names: of the words, by the numbers that the search will ask with.

    Raises:
        ModelError: it is missing or damaged, or there is no room for the temporary file.
    """
    begun = _begun.get()
    try:
        if begun is not None and begun[0] == path:
            unpacked = begun[1].result()
            opened = KenLM(str(unpacked), names)
            _begun.set(None)  # it is opened once
            unpacked.unlink(missing_ok=True)
            return opened
        # The file goes when it is open; where that cannot be (Windows), with the other temporaries.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return KenLM(str(_unpack(path, Path(folder))), names)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{path}: cannot be unpacked into {tempfile.gettempdir()} ({one_line(error)}); it "
            "takes some 30 bytes an n-gram there: make room, or set TMPDIR"
        ) from error


def _unpack(path: Path, folder: Path) -> Path:
    unpacked = folder / "lm"
    write_kenlm(unpacked, read_packed(path))
    return unpacked
