"""All formats a transcript is written in, by name.

    txt       a line a segment
    json      one object on one line: name, duration, offset (of a part of a file), channel (where
              it is one), text, segments with start, end, text and words, these with text, start,
              end and confidence
    jsonl     an object a segment: name, channel (where it is one), start, end, text, words
    srt, vtt  subtitles
    tsv       a header and a line a segment: start and end in milliseconds, text; a text with a
              quotation mark is quoted as in csv
    ctm       a line a word, as sclite reads it: the file's name without folder and suffix, channel
              (1 where there is none), start, duration, word, confidence; spaces and `%` in the name
              are percent-encoded
    textgrid  Praat's, with a tier of segments and one of words

Times are seconds to the millisecond, where nothing else is said, and the same in every format
(asr.transcript.rounding). They count from the beginning of the file, also where a part of it was
heard. All files are UTF-8. A recording without a word gives a file that says so in its format: an
empty one (txt, jsonl, srt, ctm), a header (vtt, tsv), an object or a grid without segments.

Several transcripts after each other are one valid stream where a format is `joinable`: txt, json
(which becomes JSON lines, an object a recording), jsonl and ctm.
"""

import csv
import difflib
import io
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from asr.decoding.hypothesis import Word
from asr.errors import ConfigError
from asr.files import write_text
from asr.transcript.cues import DEFAULT_CUES, CueSettings, make_cues
from asr.transcript.rounding import round_transcript
from asr.transcript.subtitles import render_srt, render_vtt
from asr.transcript.textgrid import render_textgrid
from asr.transcript.transcript import Transcript


@dataclass(frozen=True)
class Format:
    """A way to write a transcript."""

    render: Callable[[Transcript, CueSettings], str]  # of a rounded transcript
    suffix: str  # of a file's name, with its dot
    joinable: bool = False  # several after each other are as valid as one


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ConfigError: there is none.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(f"format '{name}': unknown; {hint}known formats: {', '.join(FORMATS)}")


def render(transcript: Transcript, format: str, *, cue_settings: CueSettings = DEFAULT_CUES) -> str:
    """Write a transcript into a string.

    Args:
        transcript: its words are not empty and have no space in them.
        format: a name in `FORMATS`.
        cue_settings: of subtitles; the other formats do not ask for them.

    Returns:
        Lines that all end in a newline; "" where a format has nothing to say.

    Raises:
        ConfigError: no format has that name.
    """
    return find_format(format).render(round_transcript(transcript), cue_settings)


def write_transcript(
    path: Path, transcript: Transcript, *, format: str, cue_settings: CueSettings = DEFAULT_CUES
) -> None:
    """Write a transcript into a UTF-8 file, whole or not at all.

    Raises:
        ConfigError: no format has that name.
        DataError: nothing can be written there.
    """
    write_text(path, render(transcript, format, cue_settings=cue_settings))


def _txt(transcript: Transcript, _: CueSettings) -> str:
    return _lines(segment.text for segment in transcript.segments)


def _json(transcript: Transcript, _: CueSettings) -> str:
    segments = [
        {
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "words": _words(segment.words),
        }
        for segment in transcript.segments
    ]
    whole = {
        "name": transcript.name,
        "duration": transcript.duration,
        **({"offset": transcript.offset} if transcript.offset else {}),
        **_channel(transcript),
        "text": transcript.text,
        "segments": segments,
    }
    return _lines([_dump(whole)])


def _jsonl(transcript: Transcript, _: CueSettings) -> str:
    return _lines(
        _dump(
            {
                "name": transcript.name,
                **_channel(transcript),
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "words": _words(segment.words),
            }
        )
        for segment in transcript.segments
    )


def _srt(transcript: Transcript, cue_settings: CueSettings) -> str:
    return render_srt(make_cues(transcript, cue_settings))


def _vtt(transcript: Transcript, cue_settings: CueSettings) -> str:
    return render_vtt(make_cues(transcript, cue_settings))


def _tsv(transcript: Transcript, _: CueSettings) -> str:
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow(["start", "end", "text"])
    for segment in transcript.segments:
        writer.writerow([round(segment.start * 1000), round(segment.end * 1000), segment.text])
    return table.getvalue()


def _ctm(transcript: Transcript, _: CueSettings) -> str:
    # A line that begins with `;;` is a comment to sclite.
    recording = transcript.recording
    if recording is None:
        recording = PurePath(transcript.name).stem
    name = re.sub(r"[\s%]|^;", lambda found: urllib.parse.quote(found[0]), recording)
    channel = transcript.channel or 1
    return _lines(
        f"{name} {channel} {word.start:.3f} {word.end - word.start:.3f} {word.text} "
        f"{word.confidence:.4f}"
        for word in transcript.words
    )


def _textgrid(transcript: Transcript, _: CueSettings) -> str:
    return render_textgrid(transcript)


def _channel(transcript: Transcript) -> dict[str, int]:
    return {} if transcript.channel is None else {"channel": transcript.channel}


def _words(words: Iterable[Word]) -> list[dict[str, Any]]:
    return [
        {"text": word.text, "start": word.start, "end": word.end, "confidence": word.confidence}
        for word in words
    ]


def _dump(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


FORMATS: Mapping[str, Format] = {
    "txt": Format(_txt, ".txt", joinable=True),
    "json": Format(_json, ".json", joinable=True),
    "jsonl": Format(_jsonl, ".jsonl", joinable=True),
    "srt": Format(_srt, ".srt"),
    "vtt": Format(_vtt, ".vtt"),
    "tsv": Format(_tsv, ".tsv"),
    "ctm": Format(_ctm, ".ctm", joinable=True),
    "textgrid": Format(_textgrid, ".TextGrid"),
}
