"""Subtitle cues: what stands on the screen together, from when to when."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from asr.decoding.hypothesis import Word
from asr.settings import Settings
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Transcript

# A cue costs 1 and up to _FULL more for being full; a pause before it pays up to _PAUSE back. With
# _PAUSE below 1 - _FULL / 2 no pause makes two cues of words that fit into one; with _FULL above 0
# words are shared out evenly where no pause says otherwise.
_FULL = 0.5
_PAUSE = 0.7
_LONG_PAUSE = 1.0  # seconds; longer ones are no better places to break


class CueSettings(Settings):
    """The size of subtitles and how long they stand."""

    line_length: Annotated[int, Field(ge=1)] = 42  # characters
    lines: Annotated[int, Field(ge=1)] = 2  # at most, in a cue
    longest: Annotated[float, Field(ge=0.1, allow_inf_nan=False)] = 7.0  # seconds
    shortest: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0  # seconds, in a silence

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(
                f"shortest ({self.shortest:g}) must not be above longest ({self.longest:g})"
            )
        return self


DEFAULT_CUES = CueSettings()


@dataclass(frozen=True)
class Cue:
    """One subtitle."""

    start: float  # seconds from the beginning of the recording
    end: float
    lines: tuple[str, ...]  # at least one, none of them empty


def make_cues(transcript: Transcript, settings: CueSettings = DEFAULT_CUES) -> list[Cue]:
    """Share the words of a transcript out to cues.

    Every word is in one cue, in order, uncut; a word longer than a line stands alone on its line.
    A cue never reaches over the border of a segment. Within a segment cues end at long pauses
    where they can, and are as few and as even as that allows; their lines are balanced. A cue
    stands from the start of its first word to the end of its last, or for `shortest` seconds if
    the next cue and the end of the recording leave so much room; a word of more than `longest`
    seconds is taken away after them.
    """
    transcript = round_transcript(transcript)
    groups = [group for segment in transcript.segments for group in _group(segment.words, settings)]
    limits = [*(group[0].start for group in groups), transcript.end][1:]
    return [_make_cue(group, limit, settings) for group, limit in zip(groups, limits, strict=True)]


def _make_cue(words: Sequence[Word], limit: float, settings: CueSettings) -> Cue:
    """A cue of words that fit into one; it ends at `limit` seconds at the latest."""
    start, end = words[0].start, words[-1].end
    end = min(max(end, start + settings.shortest), start + settings.longest, limit)
    return Cue(start, round(end, 3), _balance([word.text for word in words], settings.line_length))


def _group(words: Sequence[Word], settings: CueSettings) -> list[Sequence[Word]]:
    """The cheapest way to cut a segment into cues, by dynamic programming from its start."""
    cheapest = [0.0] + [math.inf] * len(words)  # by the number of words shared out
    cut = [0] * (len(words) + 1)  # where the last cue of the cheapest way begins
    for first in range(len(words)):
        cost = cheapest[first] + 1 - (_worth(words[first - 1], words[first]) if first else 0)
        for after, fullness in _fitting(words, first, settings):
            if cost + _FULL * fullness**2 < cheapest[after]:
                cheapest[after] = cost + _FULL * fullness**2
                cut[after] = first
    groups = []
    after = len(words)
    while after:
        groups.append(words[cut[after] : after])
        after = cut[after]
    return groups[::-1]


def _worth(left: Word, right: Word) -> float:
    """What the pause between two words pays for beginning a new cue."""
    return _PAUSE * min(right.start - left.end, _LONG_PAUSE) / _LONG_PAUSE


def _fitting(
    words: Sequence[Word], first: int, settings: CueSettings
) -> Iterator[tuple[int, float]]:
    """The cues that can begin with a word: the index after the last word, and how full it is."""
    capacity = settings.lines * settings.line_length
    lines, column, characters = 1, -1, -1
    for last in range(first, len(words)):
        width = 1 + len(words[last].text)
        characters += width
        column += width
        if column > settings.line_length and last > first:
            lines += 1
            column = width - 1
        lasts = round(words[last].end - words[first].start, 3)
        if last > first and (lines > settings.lines or lasts > settings.longest):
            return
        yield last + 1, min(characters / capacity, 1.0)


def _balance(words: Sequence[str], line_length: int) -> tuple[str, ...]:
    """As few lines as there can be, the longest of them as short as it can be."""
    fewest = len(_wrap(words, line_length))
    lengths = range(1, line_length + 1)
    shortest = bisect_left(lengths, True, key=lambda length: len(_wrap(words, length)) <= fewest)
    return tuple(_wrap(words, lengths[shortest]))


def _wrap(words: Sequence[str], line_length: int) -> list[str]:
    """Fill line by line."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= line_length:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
