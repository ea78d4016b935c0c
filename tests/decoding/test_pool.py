"""Processes that decode: as many as they may be, and stopped like a user would."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr import recognizer
from asr.recognizer import MANY, decoding_pool

ROOT = Path(__file__).parents[2]

_SLOW = """
import os, signal, time

def load_mask():
    return mask

def mask(rows):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

def load_killed():
    return killed

def killed(rows):
    os.kill(os.getpid(), signal.SIGKILL)

def load():
    time.sleep(0.2)
    return decode

def decode(rows):
    time.sleep(0.05)
    return float(rows.sum())
"""
_MAIN = """
import sys, torch, slow
from asr.decoding.pool import DecodingPool

if __name__ == "__main__":
    try:
        with DecodingPool(slow.load, 2) as pool:
            print("started", flush=True)
            list(pool.decode((number, torch.zeros(2, 2)) for number in range(10000)))
    except KeyboardInterrupt:
        sys.exit(130)
"""


_MASK = """
import torch, slow
from asr.decoding.pool import DecodingPool

if __name__ == "__main__":
    with DecodingPool(slow.load_mask, 1) as pool:
        print(list(pool.decode([("a", torch.zeros(2, 2))])))
"""


_KILLED = """
import torch, slow
from asr.decoding.pool import DecodingPool
from asr.errors import AsrError

if __name__ == "__main__":
    try:
        with DecodingPool(slow.load_killed, 1) as pool:
            list(pool.decode([("a", torch.zeros(2, 2))]))
    except AsrError as error:
        print(error)
"""


class _Recorded:
    """In the place of a pool: how many processes it would have."""

    def __init__(self, load: object, processes: int) -> None:
        self.processes = processes

    def __enter__(self) -> "_Recorded":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("wanted", "cores", "got"), [(None, 8, 8), (3, 8, 3), (9, 4, 4)])
def test_there_are_no_more_processes_than_cores_or_than_were_allowed(
    wanted: int | None, cores: int, got: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognizer, "usable_cores", lambda: cores)
    monkeypatch.setattr(recognizer, "searches", lambda *_: True)
    monkeypatch.setattr(recognizer, "DecodingPool", _Recorded)
    with decoding_pool(Path("model"), None, MANY, wanted) as pool:
        assert isinstance(pool, _Recorded)
        assert pool.processes == got
    with decoding_pool(Path("model"), None, MANY, 1) as pool:
        assert pool is None
    with decoding_pool(Path("model"), None, MANY - 1, wanted) as pool:
        assert pool is None


def processes_in(group: int) -> int:
    """How many processes of a group run, zombies left out."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return sum(int(number) == group and state[0] != "Z" for number, state in lines)


def printed(folder: Path, program: str) -> str:
    """What a program says that has slow decoders."""
    (folder / "slow.py").write_text(_SLOW)
    (folder / "main.py").write_text(program)
    done = subprocess.run(
        [sys.executable, str(folder / "main.py")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"},
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked there")
def test_a_process_is_deaf_to_ctrl_c_from_its_first_moment(tmp_path: Path) -> None:
    """Before it has imported what ignores it."""
    assert printed(tmp_path, _MASK) == "[('a', True)]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
@pytest.mark.skipif(shutil.which("ps") is None, reason="needs the program ps")
def test_ctrl_c_while_processes_start_is_seen_by_the_one_that_waits_alone(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(_SLOW)
    (tmp_path / "main.py").write_text(_MAIN)
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "OMP_NUM_THREADS": "1"},
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    deadline = time.monotonic() + 60
    while processes_in(running.pid) < 3:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)  # they have begun to import, and are not through with it
    os.killpg(running.pid, signal.SIGINT)  # what Ctrl-C does: to every process of the group
    try:
        _, warned = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 130
    assert "Traceback" not in warned
    while processes_in(running.pid):
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="ends itself by SIGKILL")
def test_a_process_that_is_ended_from_outside_is_an_error_that_says_so(tmp_path: Path) -> None:
    assert "one of the 1 processes that search was ended from outside" in printed(tmp_path, _KILLED)
