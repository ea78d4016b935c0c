"""Percentile bootstrap of sums over speakers (Efron 1979; for WER: Bisani & Ney 2004).

What one speaker says is not independent, so whole speakers are drawn, with all their utterances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 1000
SEED = 1
_FEW = 10  # units; an interval over fewer is too narrow more often than it says
_AT_ONCE = 2_000_000  # draws, for bounded memory


class Interval(NamedTuple):
    """Bounds, as fractions of 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Units:
    """What is drawn: speakers, or utterances where there are no two speakers."""

    kind: Literal["speakers", "utterances"]
    count: int
    of: NDArray[np.intp]  # (utterances,), the unit of each

    @classmethod
    def choose(cls, speakers: Sequence[str | None]) -> "Units":
        """Units for utterances with these speakers; one without a speaker is a unit of its own."""
        known = {speaker for speaker in speakers if speaker is not None}
        if len(known) < 2:
            return cls("utterances", len(speakers), np.arange(len(speakers)))
        names = [
            (speaker, -1) if speaker is not None else ("", number)
            for number, speaker in enumerate(speakers)
        ]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return cls("speakers", len(numbers), np.array([numbers[name] for name in names]))

    @property
    def few(self) -> bool:
        """Whether there are too few for the intervals to be more than rough."""
        return self.count < _FEW

    def __str__(self) -> str:
        """As "15 speakers"."""
        return f"{self.count:,} {self.kind}"


@dataclass(frozen=True)
class Bootstrap:
    """How to draw: the same settings give the same draws."""

    resamples: int = RESAMPLES
    seed: int = SEED

    def sums(self, columns: Floats, units: Units) -> Floats:
        """Sums of columns over resampled test sets.

        Args:
            columns: (utterances, quantities), such as errors and reference lengths.
            units: what is drawn, with replacement, as many as there are.

        Returns:
            (resamples, quantities); a row is one resample, the same for all quantities.
        """
        totals = np.zeros((units.count, columns.shape[1]))
        np.add.at(totals, units.of, columns)
        generator = np.random.default_rng(self.seed)
        sums = [
            _count_draws(generator, rows, units.count) @ totals
            for rows in _blocks(self.resamples, units.count)
        ]
        return np.concatenate(sums) if sums else np.zeros((0, columns.shape[1]))


DEFAULT = Bootstrap()


def _blocks(resamples: int, count: int) -> list[int]:
    """How many resamples to draw at once."""
    most = max(1, _AT_ONCE // max(count, 1))
    return [min(most, resamples - start) for start in range(0, resamples, most)]


def _count_draws(generator: np.random.Generator, rows: int, count: int) -> Floats:
    """How often each of `count` units is drawn in each of `rows` resamples: (rows, count)."""
    if not count:
        return np.zeros((rows, 0))
    drawn = generator.integers(0, count, size=(rows, count))
    drawn += count * np.arange(rows)[:, None]
    counted = np.bincount(drawn.ravel(), minlength=rows * count)
    return counted.reshape(rows, count).astype(np.float64)


def rates(errors: Floats, lengths: Floats) -> Floats:
    """Error rates of resamples; a length of 0 counts as 1, as in `ErrorCounts.rate`."""
    return errors / np.maximum(lengths, 1)


def percentile_interval(values: Floats, level: float = LEVEL) -> Interval:
    """The middle `level` of the resampled values."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
