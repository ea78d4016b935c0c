import json
from dataclasses import replace
from pathlib import Path

import pytest
import srt
import webvtt
from random_transcripts import make_transcript

from asr.decoding.hypothesis import Word
from asr.errors import ConfigError, DataError
from asr.transcript.cues import CueSettings
from asr.transcript.formats import FORMATS, find_format, render, write_transcript
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Segment, Transcript

TWO = Transcript(
    "my call.wav",
    4.0,
    (
        Segment((Word("good", 0.5, 0.75, 0.987654), Word("morning", 0.75, 1.25, 1.0))),
        Segment((Word("<unk>", 2.0, 2.5, 0.25),)),
    ),
    channel=2,
)


def test_there_are_the_formats_people_ask_for() -> None:
    assert list(FORMATS) == ["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "textgrid"]
    assert FORMATS["textgrid"].suffix == ".TextGrid"


def test_the_formats_look_as_they_are_described() -> None:
    assert render(TWO, "txt") == "good morning\n<unk>\n"
    assert render(TWO, "tsv") == "start\tend\ttext\n500\t1250\tgood morning\n2000\t2500\t<unk>\n"
    assert render(TWO, "ctm") == (
        "my%20call 2 0.500 0.250 good 0.9877\n"
        "my%20call 2 0.750 0.500 morning 1.0000\n"
        "my%20call 2 2.000 0.500 <unk> 0.2500\n"
    )
    assert render(TWO, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,500\ngood morning\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\n<unk>\n"
    )
    assert render(TWO, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\ngood morning\n\n"
        "00:00:02.000 --> 00:00:03.000\n&lt;unk&gt;\n"
    )


LATE = Transcript(
    "part 7",
    4.0,
    tuple(
        Segment(tuple(replace(w, start=w.start + 100, end=w.end + 100) for w in segment.words))
        for segment in TWO.segments
    ),
    offset=100.0,
    recording="tape",
)


def test_a_part_is_on_the_clock_of_its_file_in_every_format() -> None:
    assert render(LATE, "ctm").splitlines()[0] == "tape 1 100.500 0.250 good 0.9877"
    assert "00:01:42,000 --> 00:01:43,000" in render(LATE, "srt")
    assert "100500\t101250\tgood morning" in render(LATE, "tsv")
    written = json.loads(render(LATE, "json"))
    assert (written["name"], written["offset"], written["duration"]) == ("part 7", 100.0, 4.0)
    assert written["segments"][-1]["end"] == 102.5
    assert "xmax = 104.000\ntiers?" in render(LATE, "textgrid")
    assert "offset" not in json.loads(render(TWO, "json"))


def test_words_of_a_part_stay_within_it() -> None:
    early = Word("a", 99.9, 99.95, 1.0)
    late = Word("b", 103.5, 104.2, 1.0)
    rounded = round_transcript(replace(LATE, segments=(Segment((early, late)),)))
    assert [(word.start, word.end) for word in rounded.words] == [(100.0, 100.001), (103.5, 104.0)]


def test_silence_is_empty_or_a_header() -> None:
    silence = Transcript("a.wav", 3.0, ())
    written = {name: render(silence, name) for name in FORMATS}
    assert {name for name, text in written.items() if not text} == {"txt", "jsonl", "srt", "ctm"}
    assert (written["vtt"], written["tsv"]) == ("WEBVTT\n", "start\tend\ttext\n")
    assert json.loads(written["json"])["segments"] == []


def test_more_than_a_hundred_hours_are_written_out() -> None:
    start = 123 * 3600 + 59 * 60 + 59.9996
    transcript = Transcript("a", 500_000.0, (Segment((Word("late", start, start + 2, 1.0),)),))
    (one,) = srt.parse(render(transcript, "srt"))
    assert one.start.total_seconds() == 124 * 3600
    (caption,) = webvtt.from_string(render(transcript, "vtt"), strict=True)
    assert caption.start == "124:00:00.000"


def test_subtitles_obey_the_cue_settings_and_nothing_else_does() -> None:
    transcript = make_transcript("one two three four five six")
    narrow = CueSettings(line_length=9, lines=1)
    changed = {
        name
        for name in FORMATS
        if render(transcript, name) != render(transcript, name, cue_settings=narrow)
    }
    assert changed == {"srt", "vtt"}
    assert "\none two\n" in render(transcript, "srt", cue_settings=narrow)


def test_joinable_formats_are_valid_one_after_another() -> None:
    assert {name for name in FORMATS if FORMATS[name].joinable} == {"txt", "json", "jsonl", "ctm"}
    other = make_transcript("one two", name="other.wav")
    for name, lines in {"txt": 3, "json": 2, "jsonl": 3, "ctm": 5}.items():
        joined = (render(TWO, name) + render(other, name)).splitlines()
        assert len(joined) == lines
        if name.startswith("json"):
            names = [json.loads(line)["name"] for line in joined]
            assert list(dict.fromkeys(names)) == ["my call.wav", "other.wav"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_is_the_string_in_utf8(name: str, tmp_path: Path) -> None:
    transcript = make_transcript(
        "straße 日本語 🎉", name=b"\xff.wav".decode("utf-8", "surrogateescape")
    )
    path = tmp_path / "new" / "a.out"
    write_transcript(path, transcript, format=name)
    assert path.read_bytes() == render(transcript, name).encode("utf-8")
    assert [one.name for one in path.parent.iterdir()] == ["a.out"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.srt: cannot be written"):
        write_transcript(tmp_path / "file" / "a.srt", TWO, format="srt")
    with pytest.raises(ConfigError, match="format 'sbv'"):
        write_transcript(tmp_path / "a.sbv", TWO, format="sbv")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_an_unknown_format_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"format 'text': unknown; .*known formats: txt, json,"):
        find_format("text")
    with pytest.raises(ConfigError, match="did you mean 'textgrid'"):
        render(TWO, "TextGrid")
