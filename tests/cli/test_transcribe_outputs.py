"""`asr transcribe` from end to end: sources, formats, channels, streams, and what they cost."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import srt
import torch
from synthetic_speech import RATE, speak
from typer.testing import CliRunner, Result

from asr.cli import app
from asr.errors import ConfigError
from asr.manifest import Utterance, write_manifest

STM_AND_CTM = ("ref.stm", "hyp.ctm")


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
    said = re.search(
        r"([\d.]+) s of sound in [\d.]+ s, [\d.]+ times real time \(real-time factor (0\.\d+)\)",
        result.stderr,
    )
    assert said is not None
    assert len(said[2].lstrip("0.")) == 3, "significant digits"


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
    contents = [cue.content for cue in srt.parse(narrow)]
    assert contents == ["abc\nfed", "dad\ncab"]
    assert [cue.content for cue in srt.parse(flat)] == ["abc fed", "dad cab"]


def test_threads_are_as_many_as_wanted(tone_model: Path, talks: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert run(tone_model, talks / "one.wav", "--threads", "3").stdout == "abc fed\n"
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_processes_are_no_more_than_threads(
    tone_model: Path, talks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def pool(folder: Path, options: object, count: int, processes: int | None) -> Any:
        asked.append(processes)
        return nullcontext(None)

    monkeypatch.setattr("asr.transcription.files.decoding_pool", pool)
    before = torch.get_num_threads()
    try:
        assert run(tone_model, talks / "one.wav", "--threads", "2").exit_code == 0
    finally:
        torch.set_num_threads(before)
    assert run(tone_model, talks / "one.wav").exit_code == 0
    assert asked == [2, None]


def test_several_formats_of_one_file_get_their_suffixes(
    tone_model: Path, talks: Path, tmp_path: Path
) -> None:
    result = run(tone_model, talks / "one.wav", "--format", "srt,json", "-o", tmp_path / "x")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert json.loads((tmp_path / "x.json").read_text())["text"] == "abc fed"
    assert [cue.content for cue in srt.parse((tmp_path / "x.srt").read_text())] == ["abc fed"]
    assert not (tmp_path / "x").exists()
    assert run(tone_model, talks / "one.wav", "-o", tmp_path / "y.srt").exit_code == 0
    assert (tmp_path / "y.srt").read_text() == "abc fed\n", "a suffix chooses no format"


def test_an_output_that_cannot_be_written_keeps_back_no_other(
    tone_model: Path, talks: Path, tmp_path: Path
) -> None:
    (tmp_path / "out/inner/two.json").mkdir(parents=True)
    result = run(tone_model, talks, "--format", "json,srt", "--output-dir", tmp_path / "out")
    assert result.exit_code == 2
    assert f"asr: {tmp_path}/out/inner/two.json: cannot be written" in result.stderr
    assert "1 of 2 transcripts not written" in result.stderr
    assert "not transcribed" not in result.stderr
    assert json.loads((tmp_path / "out/one.json").read_text())["text"] == "abc fed"
    assert "dad cab" in (tmp_path / "out/inner/two.srt").read_text()
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == 3, "no temporary file is left"


def test_files_beside_recordings_are_counted(tone_model: Path, talks: Path) -> None:
    (talks / "notes.txt").write_text("about one.wav")
    result = run(tone_model, talks)
    assert result.exit_code == 0
    assert f"asr: 1 file of another kind in {talks} was left alone" in result.stderr


def test_a_silent_channel_is_named(tone_model: Path, tmp_path: Path) -> None:
    sound = speak("abc fed", seed=1)
    soundfile.write(tmp_path / "call.wav", np.stack([sound, 0 * sound], 1), RATE)
    result = run(tone_model, tmp_path / "call.wav", "--channels", "split")
    assert result.exit_code == 2
    assert f"asr: {tmp_path}/call.wav (channel 2): silent" in result.stderr
    assert result.stdout == f"{tmp_path}/call.wav (channel 1)\tabc fed\n"


def test_no_device_is_used_but_the_one_that_was_asked_for(
    tone_model: Path, talks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run(tone_model, talks / "one.wav", "--device", "cuda")
    assert "--device cuda: no such device here" in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--line-length", "30"], "--format srt or vtt"),
        (["--lines", "1", "--format", "json,ctm"], "--format srt or vtt"),
        (["--hotword-bonus", "3"], "hotwords: none are named"),
        (["--hotwords", " , "], "hotwords: none are named"),
        (["--beam", "4", "--no-lm"], "--no-lm leaves nothing to search"),
    ],
)
def test_an_option_that_could_change_nothing_is_refused(
    tone_model: Path, talks: Path, arguments: list[str], message: str
) -> None:
    result = run(tone_model, talks / "one.wav", *arguments)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
    assert result.stdout == ""


class TestClock:
    """Times count from the beginning of the file, whatever part of it is heard."""

    def test_a_part_of_a_manifest(self, tone_model: Path, tmp_path: Path) -> None:
        first, second = speak("abc fed", seed=1), speak("dad cab", seed=2)
        soundfile.write(tmp_path / "tape.wav", np.concatenate([first, second]), RATE)
        border, end = len(first) / RATE, (len(first) + len(second)) / RATE
        parts = [(0.0, border, "p-1"), (border, end - border, "p-2")]
        write_manifest(
            tmp_path / "m.jsonl",
            [Utterance(name, tmp_path / "tape.wav", d, offset=o) for o, d, name in parts],
        )
        written = run(tone_model, tmp_path / "m.jsonl", "--format", "ctm").stdout
        lines = [line.split() for line in written.splitlines()]
        assert [(line[0], line[4]) for line in lines] == [
            ("tape", word) for word in ("abc", "fed", "dad", "cab")
        ]
        assert float(lines[2][2]) == pytest.approx(border + 0.06, abs=0.05)
        # The project's own scoring, with references on the clock of the recording.
        (tmp_path / "hyp.ctm").write_text(written)
        (tmp_path / "ref.stm").write_text(
            f"tape 1 anna 0.00 {border:.2f} abc fed\ntape 1 bert {border:.2f} {end:.2f} dad cab\n"
        )
        scored = CliRunner().invoke(app, ["score", *(str(tmp_path / n) for n in STM_AND_CTM)])
        assert scored.exit_code == 0, scored.output
        assert "0.00 %" in scored.stdout
        out = tmp_path / "out"
        run(tone_model, tmp_path / "m.jsonl", "--format", "json,srt", "--output-dir", out)
        whole = json.loads((out / "p-2.json").read_text())
        assert whole["name"] == "p-2"
        assert whole["offset"] == pytest.approx(border, abs=0.001)
        assert whole["duration"] == pytest.approx(end - border, abs=0.001)
        (cue,) = srt.parse((out / "p-2.srt").read_text())
        assert cue.start.total_seconds() == whole["segments"][0]["start"] >= border

    def test_a_film_whose_sound_begins_late(self, tone_model: Path, tmp_path: Path) -> None:
        samples = speak("abc fed", seed=1)
        soundfile.write(tmp_path / "a.wav", samples, RATE)
        with av.open(str(tmp_path / "a.mkv"), "w", format="matroska") as file:
            stream: Any = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(
                (samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, RATE  # a second
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        begins = []
        for name in ("a.wav", "a.mkv"):
            written = run(tone_model, tmp_path / name, "--format", "tsv").stdout.splitlines()
            begin, _, text = written[-1].split("\t")
            assert text == "abc fed"
            begins.append(int(begin))
        assert begins[1] - begins[0] == pytest.approx(1000, abs=50)

    def test_files_of_one_name_are_two_recordings(self, tone_model: Path, talks: Path) -> None:
        os.link(talks / "one.wav", talks / "inner/one.wav")
        written = run(tone_model, talks, "--format", "ctm").stdout
        names = list(dict.fromkeys(line.split()[0] for line in written.splitlines()))
        assert names == [f"{talks}/inner/one.wav", "two", f"{talks}/one.wav"]


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

    def test_final_results_have_the_fields_of_a_file(
        self, one_way_tone_model: Path, tmp_path: Path
    ) -> None:
        live = run(one_way_tone_model, "--stream", "-", "--format", "jsonl", input=self.sound())
        whole = run(one_way_tone_model, "-", "--format", "jsonl", input=self.sound())
        finals = [one for one in map(json.loads, live.stdout.splitlines()) if one.pop("final")]
        expected = [json.loads(line) for line in whole.stdout.splitlines()]
        assert len(expected) == 2
        for ours, theirs in zip(finals, expected, strict=True):
            assert set(ours) == set(theirs)
            assert (ours["name"], ours["text"]) == (theirs["name"], theirs["text"])
            for key in ("start", "end"):
                assert ours[key] == pytest.approx(theirs[key], abs=0.0015)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--stream", "a.wav"], "asr transcribe --stream -"),
            (["--stream", "-", "--output", "x"], "asr transcribe --stream -"),
            (["--stream", "-", "--format", "srt"], "a stream is written as txt or jsonl"),
            (["--stream", "-", "--format", "txt,jsonl"], "a stream is written in one format"),
            (["--stream", "-", "--channels", "split"], "--stream mixes the channels"),
            (["--stream", "-", "--line-length", "30"], "--format srt or vtt"),
            (["--stream", "-", "--lines", "1"], "--format srt or vtt"),
            (["--stream", "-", "--hotword-bonus", "1"], "hotwords: none are named"),
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
