"""Standard input as a file, for as long as it is needed."""

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from asr.errors import AudioError


def refuse_terminal(stream: BinaryIO) -> None:
    """Raise AudioError where what is to be read as sound is a keyboard."""
    if stream.isatty():
        raise AudioError(
            "-: standard input is the terminal; pipe into it: some-program | asr transcribe -"
        )


@contextmanager
def standard_input_file(stream: BinaryIO | None = None) -> Iterator[Path]:
    """Copy standard input, to its end, to a temporary file that is removed after the block.

    It is removed too where the block raises, at Ctrl-C, and at SIGTERM and SIGHUP, which end the
    program by SystemExit while this is open (in the main thread; nothing helps against SIGKILL).

    Args:
        stream: read this instead.

    Raises:
        AudioError: nothing comes, it is a terminal, or the disk is full.
    """
    stream = sys.stdin.buffer if stream is None else stream
    refuse_terminal(stream)
    with _ended_by_exception(), tempfile.TemporaryDirectory(prefix="asr-") as folder:
        path = Path(folder, "standard-input")
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file)
        except OSError as error:
            raise AudioError(
                f"-: standard input cannot be kept in {tempfile.gettempdir()} ({error.strerror}); "
                "make room there, or set TMPDIR to a folder that has it"
            ) from None
        if path.stat().st_size == 0:
            raise AudioError(
                "-: nothing came on standard input; check the program before the pipe",
                "empty-audio",
            )
        yield path


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Turn signals that would end Python as it stands into SystemExit."""
    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    caught: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        caught = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
