"""Praat's TextGrid.

The long text format of https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html
"""

from collections.abc import Iterable, Iterator, Sequence

from asr.transcript.transcript import Transcript

_Interval = tuple[float, float, str]  # start and end in seconds, text


def render_textgrid(transcript: Transcript) -> str:
    """Two tiers of intervals, `segments` and `words`, each from 0 to the end without a gap.

    What is between segments or words is an interval with an empty text. Praat wants some time in
    every interval and in the whole: a recording of no length gets a millisecond.

    Args:
        transcript: rounded (`round_transcript`), so that no interval is empty or overlaps another.
    """
    end = max(transcript.end, 0.001)
    segments = [(segment.start, segment.end, segment.text) for segment in transcript.segments]
    words = [(word.start, word.end, word.text) for word in transcript.words]
    return (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0.000\nxmax = {end:.3f}\ntiers? <exists>\nsize = 2\nitem []:\n"
        + _tier(1, "segments", list(_without_gaps(segments, end)))
        + _tier(2, "words", list(_without_gaps(words, end)))
    )


def _tier(number: int, name: str, intervals: Sequence[_Interval]) -> str:
    head = (
        f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n'
        f"        xmin = 0.000\n        xmax = {intervals[-1][1]:.3f}\n"
        f"        intervals: size = {len(intervals)}\n"
    )
    return head + "".join(
        f"        intervals [{count}]:\n            xmin = {start:.3f}\n"
        f"            xmax = {end:.3f}\n            text = {_quote(text)}\n"
        for count, (start, end, text) in enumerate(intervals, start=1)
    )


def _quote(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _without_gaps(intervals: Iterable[_Interval], duration: float) -> Iterator[_Interval]:
    """The intervals with empty ones before, between and after them, where there is room."""
    reached = 0.0
    for start, end, text in intervals:
        if start > reached:
            yield reached, start, ""
        yield start, end, text
        reached = end
    if reached < duration:
        yield reached, duration, ""
