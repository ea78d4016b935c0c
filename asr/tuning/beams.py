"""How wide a search has to be: error rate and speed of several beams."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr.scoring.error_rate import ErrorCounts

_NARROWER = (10, 30, 100, 400)  # that are tried beside the widest
_AS_GOOD = 0.001  # of the words: more errors than the best makes, and still as good


@dataclass(frozen=True)
class BeamRow:
    """What one beam makes of a development set."""

    beam: int
    counts: ErrorCounts
    seconds: float  # that decoding took, in one process

    def times_real_time(self, audio_seconds: float) -> float:
        """How many seconds of sound are decoded in a second, the model left out."""
        return audio_seconds / max(self.seconds, 1e-9)


def beams_to_try(widest: int) -> list[int]:
    """Beams up to the widest, which is one of them."""
    return [beam for beam in _NARROWER if beam < widest] + [widest]


def choose_beam(rows: Sequence[BeamRow]) -> BeamRow:
    """The narrowest of those whose word error rate is within 0.1 % (absolute) of the best."""
    fewest = min((row.counts for row in rows), key=lambda counts: counts.errors)
    return min((row for row in rows if as_good(row.counts, fewest)), key=lambda row: row.beam)


def as_good(counts: ErrorCounts, best: ErrorCounts) -> bool:
    """Whether the word error rate is within 0.1 % (absolute) of the best of the same set."""
    return counts.errors <= best.errors + _AS_GOOD * best.reference_length + 1e-9
