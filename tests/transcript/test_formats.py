"""Every format is read back by a parser that is not ours."""

import csv
import html
import io
import json
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

import pytest
import srt
import webvtt
from praatio import textgrid
from random_transcripts import make_transcript, tidy_transcript, untidy_transcript

from asr.decoding.hypothesis import Word
from asr.transcript.cues import make_cues
from asr.transcript.formats import FORMATS, render, write_transcript
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Segment, Transcript

SILENCE = Transcript("a.wav", 3.0, ())
NOTHING = Transcript("a.wav", 0.0, ())
ALL = [
    SILENCE,
    NOTHING,
    make_transcript("one two", "three", name="a b.wav"),
    *map(tidy_transcript, range(12)),
    *map(untidy_transcript, range(12)),
]

pytestmark = pytest.mark.parametrize("transcript", ALL, ids=range(len(ALL)))


def read_words(words: list[dict[str, Any]]) -> tuple[Word, ...]:
    return tuple(Word(**word) for word in words)


def test_txt_is_a_line_a_segment(transcript: Transcript) -> None:
    assert render(transcript, "txt").split("\n")[:-1] == [s.text for s in transcript.segments]


def test_json_has_everything(transcript: Transcript) -> None:
    expected = round_transcript(transcript)
    read = json.loads(render(transcript, "json"))
    assert set(read) - {"channel"} == {"name", "duration", "text", "segments"}
    assert read["text"] == expected.text
    for given, segment in zip(read["segments"], expected.segments, strict=True):
        assert set(given) == {"start", "end", "text", "words"}
        assert (given["start"], given["end"]) == (segment.start, segment.end)
        assert given["text"] == segment.text
    segments = tuple(Segment(read_words(one["words"])) for one in read["segments"])
    again = Transcript(read["name"], read["duration"], segments, read.get("channel"))
    assert again == expected


def test_jsonl_is_an_object_a_segment(transcript: Transcript) -> None:
    expected = round_transcript(transcript)
    objects = [json.loads(line) for line in render(transcript, "jsonl").split("\n")[:-1]]
    for read, segment in zip(objects, expected.segments, strict=True):
        assert (read["name"], read.get("channel")) == (expected.name, expected.channel)
        assert (read["start"], read["end"]) == (segment.start, segment.end)
        assert (read["text"], read_words(read["words"])) == (segment.text, segment.words)


def test_srt_is_read_back(transcript: Transcript) -> None:
    cues = make_cues(transcript)
    read = list(srt.parse(render(transcript, "srt")))
    assert [one.index for one in read] == list(range(1, len(cues) + 1))
    assert [tuple(one.content.split("\n")) for one in read] == [cue.lines for cue in cues]
    assert [one.start.total_seconds() for one in read] == [cue.start for cue in cues]
    assert [one.end.total_seconds() for one in read] == [cue.end for cue in cues]


def test_vtt_is_read_back(transcript: Transcript) -> None:
    cues = make_cues(transcript)
    read = webvtt.from_string(render(transcript, "vtt"), strict=True)
    assert [tuple(map(html.unescape, one.lines)) for one in read] == [cue.lines for cue in cues]
    assert [one.start_in_seconds for one in read] == [int(cue.start) for cue in cues]
    assert [milliseconds(one.start) for one in read] == [round(cue.start * 1000) for cue in cues]
    assert [milliseconds(one.end) for one in read] == [round(cue.end * 1000) for cue in cues]


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + int(seconds.replace(".", ""))


def test_tsv_is_read_back(transcript: Transcript) -> None:
    expected = round_transcript(transcript)
    rows = list(csv.DictReader(io.StringIO(render(transcript, "tsv")), delimiter="\t"))
    assert [row["text"] for row in rows] == [segment.text for segment in expected.segments]
    assert [int(row["start"]) for row in rows] == [round(s.start * 1000) for s in expected.segments]
    assert [int(row["end"]) for row in rows] == [round(s.end * 1000) for s in expected.segments]


def test_ctm_is_read_back(transcript: Transcript) -> None:
    expected = round_transcript(transcript)
    lines = render(transcript, "ctm").split("\n")[:-1]
    assert not [line for line in lines if line.startswith(";;")]
    for line, word in zip(lines, expected.words, strict=True):
        name, channel, start, duration, text, confidence = line.split()
        assert unquote(name) == PurePath(expected.name).stem
        assert int(channel) == (expected.channel or 1)
        assert (float(start), text) == (word.start, word.text)
        assert float(start) + float(duration) == pytest.approx(word.end, abs=1e-6)
        assert float(confidence) == word.confidence


def test_textgrid_is_read_back(transcript: Transcript, tmp_path: Path) -> None:
    expected = round_transcript(transcript)
    path = tmp_path / "a.TextGrid"
    write_transcript(path, transcript, format="textgrid")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert grid.tierNames == ("segments", "words")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, max(expected.duration, 0.001))
    parts: tuple[Any, ...] = (expected.segments, expected.words)
    for name, wanted in zip(grid.tierNames, parts, strict=True):
        entries = grid.getTier(name).entries
        said = [(entry.start, entry.end, entry.label) for entry in entries if entry.label]
        assert said == [(one.start, one.end, one.text) for one in wanted]
        borders = [0.0, *(entry.end for entry in entries)]
        assert [entry.start for entry in entries] == borders[:-1]
        assert borders[-1] == grid.maxTimestamp
        assert all(entry.start < entry.end for entry in entries)


def test_every_line_is_ended(transcript: Transcript) -> None:
    for name in FORMATS:
        assert render(transcript, name)[-1:] in {"", "\n"}
