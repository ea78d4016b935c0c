"""CTC by its definition: every path is written out (Graves et al. 2006, section 3).

Exponential in the number of frames, and independent of any dynamic programming.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

BLANK = 0


def collapse(path: Sequence[int]) -> tuple[int, ...]:
    """Merge repeats, then leave out blanks: 0 1 1 0 1 -> 1 1."""
    return tuple(token for token, _ in itertools.groupby(path) if token != BLANK)


def all_paths(log_probs: Sequence[Sequence[float]]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every path through (U, V) log-probabilities, with its own log-probability."""
    tokens = range(len(log_probs[0]))
    for path in itertools.product(tokens, repeat=len(log_probs)):
        yield path, math.fsum(frame[token] for frame, token in zip(log_probs, path, strict=True))


def negative_log_likelihood(log_probs: Sequence[Sequence[float]], target: Sequence[int]) -> float:
    """-log of the summed probability of all paths that say the target; infinite if none does."""
    wanted = tuple(target)
    total = math.fsum(
        math.exp(score) for path, score in all_paths(log_probs) if collapse(path) == wanted
    )
    return -math.log(total) if total else math.inf


def best_path(log_probs: Sequence[Sequence[float]]) -> tuple[tuple[int, ...], float]:
    """The most probable single path and its log-probability."""
    return max(all_paths(log_probs), key=lambda entry: entry[1])
