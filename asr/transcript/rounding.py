"""A transcript as it is written: times in whole milliseconds, within the recording."""

import re
from collections.abc import Sequence
from dataclasses import replace

from asr.decoding.hypothesis import Word
from asr.transcript.transcript import Transcript


def round_transcript(transcript: Transcript) -> Transcript:
    """Round the times to milliseconds and the confidences to four decimals.

    Every format is written from the answer, so a word has the same times in all of them. There
    offset <= start < end <= offset + duration holds for every word, and none begins before the one
    before it has ended: a word that is shorter gets one millisecond, one that reaches over the
    beginning of the next ends there, one that reaches over the end of the recording ends with it.
    What has such times already stays as it is. Where there are more words than milliseconds, the
    duration grows.

    Bytes of a file name that are no UTF-8, which Python holds as lone surrogates, become U+FFFD:
    no file in UTF-8 can have them.
    """
    words = transcript.words
    offset = _milliseconds(transcript.offset)
    duration = max(_milliseconds(transcript.duration), len(words))
    rounded = iter(_round_words(words, offset, offset + duration))
    return replace(
        transcript,
        name=_as_utf8(transcript.name),
        recording=transcript.recording and _as_utf8(transcript.recording),
        duration=duration / 1000,
        offset=offset / 1000,
        segments=tuple(
            replace(segment, words=tuple(next(rounded) for _ in segment.words))
            for segment in transcript.segments
        ),
    )


def _as_utf8(name: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", name)


def _round_words(words: Sequence[Word], first: int, last: int) -> list[Word]:
    """Words with times in order, from `first` to `last` milliseconds."""
    starts: list[int] = []
    for word in words:
        starts.append(max(_milliseconds(word.start), starts[-1] + 1 if starts else first))
    rounded = []
    limit = last
    for word, wanted in zip(reversed(words), reversed(starts), strict=True):
        start = min(wanted, limit - 1)
        end = min(max(_milliseconds(word.end), start + 1), limit)
        rounded.append(
            replace(word, start=start / 1000, end=end / 1000, confidence=round(word.confidence, 4))
        )
        limit = start
    return rounded[::-1]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
