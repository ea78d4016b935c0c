"""Two systems on one test set: which is better, by how much, and how sure that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.errors import DataError
from asr.scoring.bootstrap import (
    Bootstrap,
    Floats,
    Interval,
    Units,
    percentile_interval,
    rates,
)
from asr.scoring.mapsswe import ENOUGH_SEGMENTS, MatchedPairs, matched_pairs
from asr.scoring.scored import ScoredSet, error_columns

_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Comparison:
    """The first system beside the second; differences are the first's less the second's."""

    names: tuple[str, str]
    difference: float  # of the word error rates, as a fraction of 1; above 0: the second is better
    interval: Interval  # 95 %, by paired bootstrap
    units: Units
    bootstrap: Bootstrap
    bootstrap_p: float  # two-sided
    mapsswe: MatchedPairs
    better: tuple[tuple[str, ...], tuple[str, ...]]  # ids in which each has fewer word errors
    ties: int

    @property
    def wins(self) -> tuple[int, int]:
        """In how many utterances each has fewer word errors."""
        return len(self.better[0]), len(self.better[1])

    @property
    def evidence(self) -> list[str]:
        """What the verdict rests on, in words."""
        (first, second), test = self.names, self.mapsswe
        z = "" if test.z is None else f", z = {test.z:.2f}"
        return [
            f"fewer errors in: {first} {self.wins[0]:,} utterances, {second} {self.wins[1]:,}; "
            f"as many in {self.ties:,}",
            f"paired bootstrap over {self.units}: {format_p(self.bootstrap_p)}",
            f"matched-pairs test (MAPSSWE) of {test.segments:,} segments: {format_p(test.p)}{z}",
        ]

    @property
    def significant(self) -> bool:
        """Whether both tests reject that the systems are equal, at the 5 % level."""
        return max(self.mapsswe.p, self.bootstrap_p) < _SIGNIFICANT

    @property
    def sentence(self) -> str:
        """The result in words."""
        second_better = self.difference > 0
        better = self.names[second_better]
        points = 100 * abs(self.difference)
        low, high = sorted(100 * (end if second_better else -end) for end in self.interval)
        p = format_p(self.mapsswe.p)
        measured = f"{points:.2f} points, 95 % interval {low:.2f} to {high:.2f}, {p}"
        if self.significant:
            return f"{better} is better by {measured}."
        if not self.difference:
            return f"No difference is shown: both have the same word error rate ({p})."
        return f"No difference is shown: {better} is ahead by {measured}."

    @property
    def caution(self) -> str:
        """What makes the tests rough; '' if nothing does."""
        found = []
        if self.units.few:
            found.append(f"only {self.units} to draw from: take interval and bootstrap as rough")
        if self.mapsswe.p is not None and 0 < self.mapsswe.segments < ENOUGH_SEGMENTS:
            found.append(
                f"only {self.mapsswe.segments} segments with errors, and MAPSSWE wants "
                f"{ENOUGH_SEGMENTS}: take its p as rough"
            )
        return "; ".join(found)

    def to_json(self) -> dict[str, Any]:
        """Plain data; rates as fractions of 1."""
        return {
            "systems": list(self.names),
            "difference": self.difference,
            "interval": list(self.interval),
            "bootstrap": {
                "over": self.units.kind,
                "count": self.units.count,
                "resamples": self.bootstrap.resamples,
                "seed": self.bootstrap.seed,
                "p": self.bootstrap_p,
            },
            "mapsswe": {
                "segments": self.mapsswe.segments,
                "mean": self.mapsswe.mean,
                "deviation": self.mapsswe.deviation,
                "z": self.mapsswe.z,
                "p": self.mapsswe.p,
            },
            "wins": list(self.wins),
            "ties": self.ties,
            "better": [list(ids) for ids in self.better],
            "sentence": self.sentence,
        }


def compare(first: ScoredSet, second: ScoredSet) -> Comparison:
    """Compare two systems on the same utterances, by the first set's bootstrap settings.

    Raises:
        DataError: they are not the same utterances, in the same order.
    """
    if [one.id for one in first.utterances] != [one.id for one in second.utterances]:
        raise DataError(
            f"{first.name}, {second.name}: not the same utterances; expected one reference for both"
        )
    units = Units.choose([utterance.speaker for utterance in first.utterances])
    mine, yours = error_columns(first.utterances), error_columns(second.utterances)
    columns = np.stack([mine[:, 0], yours[:, 0], mine[:, 1]], axis=1)
    sums = first.bootstrap.sums(columns, units).T
    differences = rates(sums[0] - sums[1], sums[2])
    pairs = list(zip(first.utterances, second.utterances, strict=True))
    return Comparison(
        names=(first.name, second.name),
        difference=first.summary.words.rate - second.summary.words.rate,
        interval=percentile_interval(differences),
        units=units,
        bootstrap=first.bootstrap,
        bootstrap_p=_two_sided(differences),
        mapsswe=matched_pairs((one.alignment, other.alignment) for one, other in pairs),
        better=(
            tuple(one.id for one, other in pairs if one.words.errors < other.words.errors),
            tuple(one.id for one, other in pairs if one.words.errors > other.words.errors),
        ),
        ties=sum(one.words.errors == other.words.errors for one, other in pairs),
    )


def format_p(p: float) -> str:
    """A p-value for people: "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _two_sided(differences: Floats) -> float:
    """How probable no difference is, by the resamples in which the sign is the other one.

    One is added to both counts (Davison & Hinkley 1997, section 4.2.5), so that p is never 0.
    """
    tails = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (float(tails) + 1) / (len(differences) + 1))
