"""`asr transcribe` from end to end: sources, formats, channels, streams, and what they cost."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import srt
import torch
from synthetic_speech import RATE, speak
from typer.testing import CliRunner, Result

from asr.cli import app


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Two recordings in a folder, one in a folder within."""
    (tmp_path / "talks/inner").mkdir(parents=True)
    soundfile.write(tmp_path / "talks/one.wav", speak("abc fed", seed=1), RATE)
    soundfile.write(tmp_path / "talks/inner/two.flac", speak("dad cab", seed=2), RATE)
    return tmp_path / "talks"


def run(model: Path, *arguments: object, **more: object) -> Result:
    given = ["transcribe", "--model", str(model), "--device", "cpu", *map(str, arguments)]
    return CliRunner().invoke(app, given, **more)  # type: ignore[arg-type]


def test_a_folder_becomes_a_folder(tone_model: Path, talks: Path, tmp_path: Path) -> None:
    result = run(tone_model, talks, "--format", "srt,json", "--output-dir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    names = sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/**/*.*")
    )
    assert names == ["inner/two.json", "inner/two.srt", "one.json", "one.srt"]
    assert json.loads((tmp_path / "out/one.json").read_text())["text"] == "abc fed"
    (cue,) = srt.parse((tmp_path / "out/inner/two.srt").read_text())
    assert cue.content == "dad cab"
    assert "times real time" in result.stderr


def test_a_list_on_standard_input(tone_model: Path, talks: Path) -> None:
    listed = f"{talks}/one.wav\n{talks}/inner/two.flac\n"
    result = run(tone_model, "--files-from", "-", input=listed.encode())
    assert result.stdout == f"{talks}/one.wav\tabc fed\n{talks}/inner/two.flac\tdad cab\n"


def test_a_recording_on_standard_input(tone_model: Path, talks: Path) -> None:
    result = run(tone_model, "-", input=(talks / "one.wav").read_bytes())
    assert result.stdout == "abc fed\n"


def test_what_is_wrong_on_standard_input_is_said_of_it(tone_model: Path) -> None:
    result = run(tone_model, "-", input=b"no sound")
    assert result.exit_code == 2
    assert "asr: -: not audio" in result.stderr


def test_channels_are_mixed_or_split(tone_model: Path, tmp_path: Path) -> None:
    one, two = speak("abc fed", seed=1), speak("dad", seed=2)
    both = np.zeros((max(len(one), len(two)), 2), np.float32)
    both[: len(one), 0] = one
    both[: len(two), 1] = two
    both[len(two) :, 1] = np.random.default_rng(1).normal(0, 0.003, len(both) - len(two))
    soundfile.write(tmp_path / "call.wav", both, RATE)
    mixed = run(tone_model, tmp_path / "call.wav", "--format", "ctm")
    split = run(tone_model, tmp_path / "call.wav", "--format", "ctm", "--channels", "split")
    assert {line.split()[1] for line in mixed.stdout.splitlines()} == {"1"}
    fields = [line.split() for line in split.stdout.splitlines()]
    assert [(field[1], field[4]) for field in fields] == [("1", "abc"), ("1", "fed"), ("2", "dad")]


def test_subtitles_are_as_wide_and_high_as_wanted(tone_model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", speak("abc fed dad cab", seed=1), RATE)
    wide = run(tone_model, tmp_path / "a.wav", "--format", "srt").stdout
    narrow = run(tone_model, tmp_path / "a.wav", "--format", "srt", "--line-length", "4").stdout
    flat = run(
        tone_model, tmp_path / "a.wav", "--format", "srt", "--line-length", "8", "--lines", "1"
    ).stdout
    assert [cue.content for cue in srt.parse(wide)] == ["abc fed dad cab"]
    assert all(len(line) <= 4 for cue in srt.parse(narrow) for line in cue.content.split("\n"))
    assert all("\n" not in cue.content for cue in srt.parse(flat))


def test_threads_are_as_many_as_wanted(tone_model: Path, talks: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert run(tone_model, talks / "one.wav", "--threads", "3").stdout == "abc fed\n"
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_missing_file_keeps_nothing_back(tone_model: Path, talks: Path, tmp_path: Path) -> None:
    result = run(
        tone_model, talks / "none.wav", talks, tmp_path / "*.mp3", "--output-dir", tmp_path / "out"
    )
    assert result.exit_code == 2
    assert "none.wav: no such file" in result.stderr
    assert "*.mp3: no recording has a name of this pattern" in result.stderr
    assert "2 of 4 recordings not transcribed" in result.stderr
    assert (tmp_path / "out/one.txt").read_text() == "abc fed\n"
    assert (tmp_path / "out/inner/two.txt").read_text() == "dad cab\n"


def test_an_output_that_cannot_be_is_refused_before_anything_is_heard(
    tone_model: Path, talks: Path
) -> None:
    result = run(tone_model, talks, "--format", "srt")
    assert "2 recordings cannot go to standard output as one srt" in str(result.exception)
    assert result.stdout == ""


class TestStream:
    """A stream on standard input."""

    def sound(self) -> bytes:
        noise = np.random.default_rng(1).normal(0, 0.003, RATE).astype(np.float32)
        samples = np.concatenate([speak("abc fed"), noise, speak("dad cab", seed=2), noise])
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV")
        return file.getvalue()

    @pytest.mark.parametrize("model", ["tone_model", "one_way_tone_model"])
    def test_final_results_are_lines(self, model: str, request: pytest.FixtureRequest) -> None:
        result = run(request.getfixturevalue(model), "--stream", "-", input=self.sound())
        assert result.stdout == "abc fed\ndad cab\n"
        assert ("anew each time" in result.stderr) == (model == "tone_model")

    def test_partial_results_are_marked(self, one_way_tone_model: Path) -> None:
        result = run(one_way_tone_model, "--stream", "-", "--format", "jsonl", input=self.sound())
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["text"] for one in records if one["final"]] == ["abc fed", "dad cab"]
        assert any(not one["final"] for one in records)
        assert all(
            set(word) == {"text", "start", "end", "confidence"}
            for one in records
            for word in one["words"]
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--stream", "a.wav"], "asr transcribe --stream -"),
            (["--stream", "-", "--output", "x"], "asr transcribe --stream -"),
            (["--stream", "-", "--format", "srt"], "a stream is written as txt or jsonl"),
        ],
    )
    def test_what_a_stream_cannot_do_is_refused(
        self, tone_model: Path, arguments: list[str], message: str
    ) -> None:
        result = run(tone_model, *arguments, input=self.sound())
        assert message in str(result.exception)

    def test_a_result_comes_while_the_stream_still_runs(self, one_way_tone_model: Path) -> None:
        command = [sys.executable, "-m", "asr", "transcribe", "--model", str(one_way_tone_model)]
        with subprocess.Popen(
            [*command, "--stream", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(self.sound())
            process.stdin.flush()
            assert process.stdout.readline() == b"abc fed\n"
            assert process.poll() is None, "standard input is still open"
            process.stdin.close()
            assert process.stdout.read() == b"dad cab\n"
