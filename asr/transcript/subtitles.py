"""Subtitle files: SubRip (srt) and WebVTT (vtt)."""

from collections.abc import Sequence

from asr.transcript.cues import Cue


def render_srt(cues: Sequence[Cue]) -> str:
    """SubRip, as every player reads it; without cues the file is empty.

    The format has no way to escape markup: a word like `<i>` is written as it is.
    """
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_text(cue)}\n"
        for number, cue in enumerate(cues, start=1)
    )


def render_vtt(cues: Sequence[Cue]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/); `&`, `<` and `>` are escaped, `-->` with them."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escape(_text(cue))}\n"
        for cue in cues
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, mark: str) -> str:
    """Hours (two digits or more), minutes, seconds and milliseconds."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
