import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from asr.errors import AudioError
from asr.standard_input import standard_input_file

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_bytes_are_there_for_the_block_and_gone_after_it(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    with standard_input_file(io.BytesIO(content)) as path:
        assert path.read_bytes() == content
        assert path.is_relative_to(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_where_the_block_raises(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), standard_input_file(io.BytesIO(b"x")):
        raise error
    assert not list(tmp_path.iterdir())


def test_the_handler_of_signals_is_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with standard_input_file(io.BytesIO(b"x")):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_on_standard_input_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(AudioError, match="-: nothing came on standard input") as error,
        standard_input_file(io.BytesIO()),
    ):
        pass
    assert error.value.problem == "empty-audio"
    assert not list(tmp_path.iterdir())


def test_a_terminal_is_not_waited_for() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with (
        pytest.raises(AudioError, match="standard input is the terminal; pipe into it"),
        standard_input_file(Terminal(b"x")),
    ):
        pass


def test_a_full_disk_is_said_with_what_to_do() -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    with (
        pytest.raises(AudioError, match=r"\(No space left on device\); make room there, or set"),
        standard_input_file(Full()),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows ends programs without a signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_where_the_program_is_ended(tmp_path: Path, number: int) -> None:
    code = (
        "import time\nfrom asr.standard_input import standard_input_file\n"
        "with standard_input_file() as path:\n"
        "    print(path, path.read_bytes().decode(), flush=True)\n    time.sleep(60)"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("hello")
        program.stdin.close()
        assert program.stdout.readline().endswith(" hello\n")
        assert len(list(tmp_path.iterdir())) == 1
        started = time.monotonic()
        program.send_signal(number)
        assert program.wait(timeout=30) != 0
    assert time.monotonic() - started < 30
    assert not list(tmp_path.iterdir())
