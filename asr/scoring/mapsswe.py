"""Matched-pairs sentence-segment word error test (Gillick & Cox 1989).

Two systems that hear the same recordings make errors at the same places, and errors close together
depend on each other. So the recordings are cut into segments where both systems have two words
right in a row, or more: errors in different segments are taken as independent. With Z the
difference of the two systems' errors in a segment, W = mean(Z) / (std(Z) / sqrt(n)) is normal with
variance 1 where the systems are equally good.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr.scoring.error_rate import Alignment

_RIGHT_WORDS = 2  # between segments, as in the paper and in sclite
ENOUGH_SEGMENTS = 50  # the paper's number, from which on the normal distribution fits


@dataclass(frozen=True)
class MatchedPairs:
    """The test's result; z is None where the differences do not vary and are not 0."""

    segments: int  # in which one of the systems made an error
    mean: float  # of the first system's errors less the second's, a segment
    deviation: float  # standard, of the same
    z: float | None  # above 0: the first makes more errors
    p: float  # two-sided


def matched_pairs(pairs: Iterable[tuple[Alignment, Alignment]]) -> MatchedPairs:
    """Test whether two systems differ, by their alignments with the same references."""
    differences = [
        first - second
        for pair in pairs
        if pair[0].counts.errors or pair[1].counts.errors
        for first, second in segment_errors(*pair)
    ]
    count = len(differences)
    mean = float(np.mean(differences)) if count else 0.0
    deviation = float(np.std(differences, ddof=1)) if count > 1 else 0.0
    if not deviation:
        # All differ alike: by chance all signs are the same once in 2 ** (count - 1).
        same = mean == 0.0
        p = 1.0 if same else 2.0 ** (1 - count)
        return MatchedPairs(count, mean, deviation, 0.0 if same else None, p)
    z = mean / (deviation / math.sqrt(count))
    return MatchedPairs(count, mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def segment_errors(first: Alignment, second: Alignment) -> Iterator[tuple[int, int]]:
    """Errors of both systems in each segment of an utterance in which there are any."""
    right, errors = 0, (0, 0)
    places = zip(_errors_by_place(first), _errors_by_place(second), strict=True)
    for place, here in enumerate(places):
        if any(here):
            right, errors = 0, (errors[0] + here[0], errors[1] + here[1])
        elif place % 2:
            right += 1
            if right == _RIGHT_WORDS and any(errors):
                yield errors
                errors = (0, 0)
    if any(errors):
        yield errors


def _errors_by_place(alignment: Alignment) -> list[int]:
    """Errors before the first reference word, in it, between it and the second, in that, …."""
    places = [0]
    for edit in alignment.edits:
        if edit.kind == "insert":
            places[-1] += 1
        else:
            places += [int(edit.kind != "equal"), 0]
    return places
