"""How a gradient decays with the distance in time: the curve, and what it says in numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

# Where the input lies, seen from the output. In a layer, the forward direction hears the past and
# the backward direction the future.
Side = Literal["past", "future"]
Verdict = Literal["vanishes", "lasts", "explodes", "no gradient"]

Weights = Literal["as saved", "untrained"]

_GROWN = 2.0  # times the norm at distance 0; less than that at the end is no explosion


@dataclass(frozen=True)
class GradientDecay:
    """Norms of a gradient at 0, 1, 2, … frames' distance, as shares of the one at distance 0."""

    layer: int | None  # counted from 1; None: the whole model
    side: Side
    first: float  # the norm at distance 0, before it became 1
    norms: tuple[float, ...]
    frame_seconds: float  # of an encoder frame

    @property
    def reach(self) -> int:
        """The longest distance measured, in frames."""
        return len(self.norms) - 1

    def falls_to(self, share: float) -> float | None:
        """The first distance in frames at which so much is left; None: more is left at the end.

        Between two frames the norm is taken to fall exponentially.
        """
        before = 1.0
        for distance, norm in enumerate(self.norms):
            if norm <= share:
                part = math.log(before / share) / math.log(before / norm) if norm > 0 else 0.0
                return max(0.0, distance - 1 + part)
            before = norm
        return None

    @cached_property
    def factor(self) -> float | None:
        """What one more frame multiplies the norm by: below 1 vanishing, above 1 exploding.

        The exponential of the slope of the straight line that fits log norms best (least squares)
        over all distances from 1 on where they are finite and above 0; None where there are not
        two such. Distance 0 is left out: no recurrence is passed there, and gates open by the
        input itself add to it. Over long distances the factor tends to the exponential of the
        largest Lyapunov exponent.
        """
        usable = [k for k in range(1, len(self.norms)) if 0 < self.norms[k] < math.inf]
        points = [(k, math.log(self.norms[k])) for k in usable]
        if len(points) < 2:
            return None
        distances, logarithms = np.array(points).T
        off = distances - distances.mean()
        return math.exp(float(off @ logarithms / (off @ off)))

    @property
    def verdict(self) -> Verdict:
        """The textbook's word for it.

        `vanishes`: less than 1 % is left somewhere within the distances measured; `explodes`: it
        grows from frame to frame, to more than twice the norm at distance 0 or beyond what the
        numbers hold; `lasts`: neither; `no gradient`: it is 0 from the start.
        """
        if self.first == 0:
            return "no gradient"
        if not all(map(math.isfinite, self.norms)):
            return "explodes"
        if (self.factor or 0.0) > 1 and self.norms[-1] > _GROWN:
            return "explodes"
        return "lasts" if self.falls_to(0.01) is None else "vanishes"

    @property
    def explanation(self) -> str:
        """The verdict in a few words, with its figure."""
        end = in_time(self.reach * self.frame_seconds)
        left = self.norms[-1]
        if self.verdict == "vanishes":
            gone = (self.falls_to(0.01) or 0.0) * self.frame_seconds
            return f"vanishes within {in_time(gone)}"
        if self.verdict == "lasts":
            return f"lasts: {100 * left:.3g} % after {end}"
        if self.verdict == "explodes":
            times = f"{left:.3g} times" if math.isfinite(left) else "beyond all numbers"
            return f"explodes: {times} after {end}"
        return "no gradient at all"

    def to_json(self) -> dict[str, Any]:
        """The curve and its numbers as plain data; what is not finite is null."""
        half, hundredth = self.falls_to(0.5), self.falls_to(0.01)
        return {
            "layer": self.layer,
            "side": self.side,
            "verdict": self.verdict,
            "explanation": self.explanation,
            "half_life_frames": half,
            "half_life_seconds": None if half is None else half * self.frame_seconds,
            "one_percent_frames": hundredth,
            "one_percent_seconds": None if hundredth is None else hundredth * self.frame_seconds,
            "factor_per_frame": self.factor,
            "reach_frames": self.reach,
            "norm_at_0": _finite(self.first),
            "norms": [_finite(norm) for norm in self.norms],
        }


@dataclass(frozen=True)
class ModelGradients:
    """The curves of one model."""

    model: str  # what tables and pictures call it
    cell: str
    weights: Weights
    frame_seconds: float
    decays: tuple[GradientDecay, ...]

    @property
    def reach(self) -> int:
        """The longest distance measured, in frames."""
        return self.decays[0].reach

    def to_json(self) -> dict[str, Any]:
        """All curves as plain data."""
        return {
            "model": self.model,
            "cell": self.cell,
            "weights": self.weights,
            "frame_seconds": self.frame_seconds,
            "curves": [decay.to_json() for decay in self.decays],
        }


def relative(norms: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """Norms by distance -> the first, and all as shares of it; all 0 where the first is 0."""
    first = norms[0]
    return first, tuple(norm / first if first > 0 else 0.0 for norm in norms)


def in_time(seconds: float) -> str:
    """0.1283 -> "128 ms", 2.5 -> "2.50 s"."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _finite(number: float) -> float | None:
    return float(f"{number:.6g}") if math.isfinite(number) else None
