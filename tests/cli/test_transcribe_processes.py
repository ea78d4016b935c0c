"""`asr transcribe` as a user runs it: on a terminal, and stopped by Ctrl-C."""

import io
import json
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
from synthetic_speech import RATE, speak

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals and signals")


def command(model: Path, *arguments: object) -> list[str]:
    given = ["transcribe", "--model", str(model), "--device", "cpu", *map(str, arguments)]
    return [sys.executable, "-m", "asr", *given]


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.003, round(seconds * RATE)).astype(np.float32)


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path, text in zip(paths, ("abc fed", "dad cab"), strict=True):
        soundfile.write(path, speak(text, seed=1), RATE)
    return paths


def read_terminal(handle: int) -> str:
    """All that comes until the other end is closed."""
    said = b""
    while True:
        try:
            part = os.read(handle, 65536)
        except OSError:  # what Linux says of a terminal that nobody writes to any more
            part = b""
        if not part:
            return said.decode()
        said += part


def test_with_the_bar_on_a_terminal_the_text_goes_to_its_file(
    tone_model: Path, two: list[Path], tmp_path: Path
) -> None:
    ours, theirs = os.openpty()
    with (tmp_path / "out.txt").open("wb") as out:
        running = subprocess.Popen(
            command(tone_model, *two), stdout=out, stderr=theirs, env=ENVIRONMENT
        )
        os.close(theirs)
        shown = read_terminal(ours)
        assert running.wait(60) == 0
    os.close(ours)
    expected = f"{two[0]}\tabc fed\n{two[1]}\tdad cab\n"
    assert (tmp_path / "out.txt").read_text() == expected
    assert "abc fed" not in shown
    assert "transcribing" in shown, "the bar"
    assert "times real time" in shown


def test_elsewhere_there_is_no_bar(tone_model: Path, two: list[Path]) -> None:
    done = subprocess.run(
        command(tone_model, *two),
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"FORCE_COLOR": "1"},
        check=True,
    )
    assert done.stdout.endswith(f"{two[1]}\tdad cab\n")
    assert "transcribing" not in done.stderr
    assert "\x1b" not in done.stderr


def test_ctrl_c_leaves_whole_files_and_no_others(tone_model: Path, tmp_path: Path) -> None:
    talks, out = tmp_path / "talks", tmp_path / "out"
    talks.mkdir()
    parts = [np.concatenate([speak("abc fed dad", seed=n), noise(0.8)]) for n in range(12)]
    soundfile.write(talks / "0000.wav", np.concatenate(parts), RATE)
    for number in range(1, 1500):
        os.link(talks / "0000.wav", talks / f"{number:04}.wav")
    running = subprocess.Popen(
        command(tone_model, talks, "--format", "json,srt", "--output-dir", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=ENVIRONMENT,
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*.json")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGINT)
    _, warned = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in warned
    written = sorted(out.iterdir())
    assert 1 <= len(written) < 3000
    assert {path.suffix for path in written} <= {".json", ".srt"}
    assert not [path for path in written if path.name.startswith(".")], "no temporary file"
    first = json.loads((out / "0000.json").read_text())
    assert first["text"].startswith("abc fed dad abc")
    for path in out.glob("*.json"):
        assert json.loads(path.read_text())["text"] == first["text"]
    for path in out.glob("*.srt"):
        assert path.read_text() == (out / "0000.srt").read_text()


def test_ctrl_c_ends_a_stream_with_its_last_words(one_way_tone_model: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([speak("abc fed"), noise(0.4)]), RATE, format="WAV")
    running = subprocess.Popen(
        command(one_way_tone_model, "--stream", "-", "--format", "jsonl"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(file.getvalue())
    running.stdin.flush()
    heard = json.loads(running.stdout.readline())
    assert not heard["final"]
    time.sleep(0.5)  # it waits for more
    running.send_signal(signal.SIGINT)
    try:
        running.wait(30)
        lines = running.stdout.read().decode().splitlines()
    finally:
        if running.poll() is None:
            running.kill()
        running.stdin.close()
        assert running.stderr is not None
        warned = running.stderr.read().decode()
        running.stderr.close()
        running.stdout.close()
    assert running.returncode == 0
    assert "Traceback" not in warned
    last = json.loads(lines[-1])
    assert last["final"]
    assert last["text"] == "abc fed"


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_a_stream_is_transcribed_as_its_file_is(one_way_tone_model: Path, tmp_path: Path) -> None:
    """By a model that carries its state on; a segment is a line of both."""
    path = tmp_path / "talk.wav"
    texts = ["abc fed", "dad cab bed", "face", "deaf bad"]
    parts = [part for n, text in enumerate(texts) for part in (speak(text, seed=n), noise(1.2))]
    soundfile.write(path, np.concatenate(parts), RATE)
    live, whole = (
        subprocess.run(
            command(one_way_tone_model, *arguments, "--format", "txt"),
            input=path.read_bytes(),
            capture_output=True,
            env=ENVIRONMENT,
            check=True,
        ).stdout
        for arguments in (["--stream", "-"], [path])
    )
    assert live == whole
    assert len(live.splitlines()) == len(texts)
