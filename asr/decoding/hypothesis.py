"""What a decoder answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)  # a long recording has a hundred thousand
class Word:
    """A word of a hypothesis."""

    text: str
    start: float  # seconds from the beginning of the recording
    end: float
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class Hypothesis:
    """One reading of one utterance."""

    text: str
    tokens: tuple[int, ...]  # without blanks
    frames: tuple[int, ...]  # the encoder frame in which each token was first emitted
    score: float  # log-probability of the path, or what a search gave to the text
    words: tuple[Word, ...] = ()  # where they were asked for
    others: tuple[tuple[str, float], ...] = ()  # other texts that a search found, and their scores
