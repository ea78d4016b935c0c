"""`asr check` in several processes, stopped like a user would."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.manifest import Utterance, write_manifest

ROOT = Path(__file__).parents[2]


def processes_in(group: int) -> int:
    """How many processes of a group run, zombies left out."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return sum(int(number) == group and state[0] != "Z" for number, state in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
@pytest.mark.skipif(shutil.which("ps") is None, reason="needs the program ps")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_ctrl_c_ends_all_processes_and_writes_nothing(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 30 * 16000)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    utterances = [Utterance(str(number), tmp_path / "a.wav", 30, "yes") for number in range(20000)]
    write_manifest(tmp_path / "m.jsonl", utterances)
    options = ["--json", str(tmp_path / "found.json")]
    running = subprocess.Popen(
        [sys.executable, "-m", "asr", "check", str(tmp_path / "m.jsonl"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while processes_in(running.pid) < 3:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # what Ctrl-C does: to every process of the group
    try:
        said, warned = running.communicate(timeout=30)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode not in (0, 2)
    assert "Traceback" not in warned
    assert said == ""
    assert not (tmp_path / "found.json").exists()
    while processes_in(running.pid):
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)
