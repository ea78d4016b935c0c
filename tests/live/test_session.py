"""A live session ends at Ctrl-C as it does at the end of the stream."""

import io
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr.emission_decoder import DecodingOptions
from asr.errors import AudioError
from asr.live.session import _until_interrupted, run_live


def pieces(interrupted: int) -> Iterator[int]:
    """Numbers; Ctrl-C comes while one of them is read."""
    for number in range(9):
        if number == interrupted:
            signal.raise_signal(signal.SIGINT)
        yield number


def test_ctrl_c_ends_the_reading() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert list(_until_interrupted(pieces(3))) == [0, 1, 2]
    assert list(_until_interrupted(pieces(99))) == list(range(9))
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_done_with_a_piece_is_done_to_its_end() -> None:
    done = []
    for piece in _until_interrupted(pieces(99)):
        if piece == 4:
            signal.raise_signal(signal.SIGINT)
        done.append(piece)
    assert done == [0, 1, 2, 3, 4]


def test_who_presses_twice_wants_out() -> None:
    stream = _until_interrupted(pieces(99))
    next(stream)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    stream.close()  # type: ignore[attr-defined]


def test_a_keyboard_is_no_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before a model is opened; there is none."""

    class Keyboard(io.BytesIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Keyboard()))
    with pytest.raises(AudioError, match="standard input is the terminal; pipe into it"):
        run_live(tmp_path, "cpu", DecodingOptions(), format="txt")
