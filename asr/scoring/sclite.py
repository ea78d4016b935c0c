"""The files of NIST's sclite: trn (text and id), ctm (words with times), stm (segments).

    the cat sat (speaker-utterance)                 trn
    talk 1 12.30 0.25 cat 0.98                      ctm: recording, channel, start, seconds, word
    talk 1 anna 11.90 15.02 <o,f0> the cat sat      stm: recording, channel, speaker, start, end

Stretches that an stm file tells to ignore (`ignore_time_segment_in_scoring`) do not count, nor do
those of the speaker `inter_segment_gap`. In the latter sclite itself counts what was recognised as
inserted, unless their text, too, says to ignore them.

Lines that begin with `;;` are comments. Alternatives, `{ cat / cats }`, are refused: which of them
is right would depend on the hypothesis.
"""

import bisect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from asr.errors import DataError
from asr.scoring.lines import first_few, read_lines, unique

_NOT_SCORED = "ignore_time_segment_in_scoring"
_GAP = "inter_segment_gap"
_TRN = re.compile(r"^(.*?)\s*\(([^()\s]+)\)$", re.DOTALL)
_TRN_EXPECTED = "lines of 'text (id)'"
_CTM_EXPECTED = "lines of 'recording channel start duration word'"
_STM_EXPECTED = "lines of 'recording channel speaker start end text'"

Channel = tuple[str, str]  # of which recording, and its name: ("talk", "1")


class CtmWord(NamedTuple):
    """A recognised word and its place in the recording."""

    text: str
    start: float  # seconds
    duration: float  # seconds
    confidence: float | None

    @property
    def midpoint(self) -> float:
        """Seconds from the start of the recording."""
        return self.start + self.duration / 2


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording that one speaker speaks in."""

    channel: Channel
    speaker: str
    start: float  # seconds
    end: float
    text: str

    @property
    def id(self) -> str:
        """Recording, channel and times: 'talk-1-11.900-15.020'."""
        recording, channel = self.channel
        return f"{recording}-{channel}-{self.start:.3f}-{self.end:.3f}"

    @property
    def scored(self) -> bool:
        """Whether it counts; gaps between segments and what was not transcribed do not."""
        return self.speaker.lower() != _GAP and self.text.lower() != _NOT_SCORED


@dataclass(frozen=True)
class Assignment:
    """The words of a ctm file, shared out to the segments of an stm file."""

    words: Mapping[str, Sequence[CtmWord]]  # by segment id, those of all that were recognised
    not_scored: int  # words in segments that do not count
    outside: Sequence[CtmWord]  # words in no segment


def read_trn(path: Path) -> dict[str, str]:
    """Read transcripts by utterance id.

    Raises:
        DataError: naming file and line, for anything that is not as it should be.
    """
    return unique(path, _trn(path))


def _trn(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in _content(path, _TRN_EXPECTED):
        found = _TRN.match(line)
        if not found:
            raise DataError(f"{path}:{number}: '{line}' has no id; expected {_TRN_EXPECTED}")
        yield number, found[2], found[1]


def read_ctm(path: Path) -> dict[Channel, list[CtmWord]]:
    """Read the words of each channel in the order of their times.

    Raises:
        DataError: naming file and line, for anything that is not as it should be.
    """
    channels: dict[Channel, list[CtmWord]] = defaultdict(list)
    for number, line in _content(path, _CTM_EXPECTED):
        fields = line.split()
        if len(fields) < 5:
            raise DataError(f"{path}:{number}: '{line}' came; expected {_CTM_EXPECTED}")
        recording, channel, start, duration, text, *more = fields
        where = f"{path}:{number}"
        confidence = _number(more[0], where) if more and more[0].upper() != "NA" else None
        word = CtmWord(text, _number(start, where), _number(duration, where), confidence)
        channels[recording, channel].append(word)
    for words in channels.values():
        words.sort(key=lambda word: word.start)
    return dict(channels)


def read_stm(path: Path) -> list[Segment]:
    """Read segments in the order of the file, those that do not count included.

    Raises:
        DataError: naming file and line, for anything that is not as it should be.
    """
    segments = unique(path, _stm(path))
    if not any(segment.scored for segment in segments.values()):
        raise DataError(f"{path}: there are no segments to score in it; expected {_STM_EXPECTED}")
    return list(segments.values())


def _stm(path: Path) -> Iterator[tuple[int, str, Segment]]:
    for number, line in _content(path, _STM_EXPECTED):
        fields = line.split(maxsplit=5)
        if len(fields) < 5:
            raise DataError(f"{path}:{number}: '{line}' came; expected {_STM_EXPECTED}")
        recording, channel, speaker, start, end, *rest = fields
        text = re.sub(r"^<[^<>\s]*>\s*", "", rest[0]) if rest else ""
        where = f"{path}:{number}"
        times = _number(start, where), _number(end, where)
        segment = Segment((recording, channel), speaker, *times, text)
        if segment.end < segment.start:
            raise DataError(f"{where}: the segment ends at {end}, before it starts at {start}")
        yield number, segment.id, segment


def assign(words: Mapping[Channel, Sequence[CtmWord]], segments: Sequence[Segment]) -> Assignment:
    """Give each word to the segment its midpoint lies in; of several, to that which starts last.

    Segments of channels that have no word at all are left out of the answer.
    """
    by_channel: dict[Channel, list[Segment]] = defaultdict(list)
    for segment in sorted(segments, key=lambda one: one.start):
        by_channel[segment.channel].append(segment)
    given: dict[str, list[CtmWord]] = {
        segment.id: [] for segment in segments if segment.channel in words and segment.scored
    }
    not_scored, outside = 0, []
    for channel, listed in words.items():
        places = _Places(by_channel.get(channel, []))
        for word in listed:
            place = places.find(word.midpoint)
            if place is None:
                outside.append(word)
            elif place.scored:
                given[place.id].append(word)
            else:
                not_scored += 1
    return Assignment(given, not_scored, outside)


class _Places:
    """The segments of a channel by time."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._starts = [segment.start for segment in segments]
        self._latest_ends = list(accumulate((segment.end for segment in segments), max))

    def find(self, seconds: float) -> Segment | None:
        last = bisect.bisect_right(self._starts, seconds) - 1
        while last >= 0 and self._latest_ends[last] > seconds:
            if self._segments[last].end > seconds:
                return self._segments[last]
            last -= 1
        return None


def require_known(words: Mapping[Channel, object], segments: Sequence[Segment], path: Path) -> None:
    """Raise DataError where a ctm file has channels that the stm file does not have."""
    known = {segment.channel for segment in segments}
    extra = [" ".join(channel) for channel in words if channel not in known]
    if extra:
        raise DataError(
            f"{path}: {len(extra)} of {len(words)} recordings and channels have no reference "
            f"({first_few(extra)}); expected those of the stm file: "
            f"{first_few(' '.join(channel) for channel in sorted(known))}"
        )


def _content(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    empty = True
    for number, line in read_lines(path, expected):
        if line.startswith(";;"):
            continue
        if {"{", "<ALT_BEGIN>"} & set(line.split()):
            raise DataError(
                f"{path}:{number}: alternatives ('{{ … / … }}') came; expected one transcript: "
                "choose one of them"
            )
        empty = False
        yield number, line
    if empty:
        raise DataError(f"{path}: there are no transcripts in it; expected {expected}")


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise DataError(f"{where}: '{text}' came; expected a number, 0 or more")
    return number
