"""What a decoder answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One reading of one utterance."""

    text: str
    tokens: tuple[int, ...]  # without blanks
    frames: tuple[int, ...]  # the encoder frame in which each token was first emitted
    score: float  # log-probability of the path
