"""A transcript: what was said in a recording, and when."""

from dataclasses import dataclass

from asr.decoding.hypothesis import Word


@dataclass(frozen=True)
class Segment:
    """What was said between two pauses; there is at least one word."""

    words: tuple[Word, ...]  # their times are those of the whole file

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        """Seconds from the beginning of the file."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Seconds from the beginning of the file."""
        return self.words[-1].end


@dataclass(frozen=True)
class Transcript:
    """What was said in one recording, or in a part of it, or on one of its channels."""

    name: str  # of the recording: its path as it was given, its id in a manifest, or `-`
    duration: float  # seconds that were heard
    segments: tuple[Segment, ...]  # in the order of time
    channel: int | None = None  # counted from 1; None: all of them together
    offset: float = 0.0  # seconds of the file before the part that was heard
    recording: str | None = None  # what a ctm calls the file; None: the stem of the name

    @property
    def end(self) -> float:
        """Seconds from the beginning of the file to the end of what was heard."""
        return self.offset + self.duration

    @property
    def text(self) -> str:
        """All that was said, on one line."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, in the order of time."""
        return tuple(word for segment in self.segments for word in segment.words)
