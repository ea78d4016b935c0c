"""Stitching: the log-probabilities of overlapping windows become one stream."""

import torch
from torch import Tensor

_AROUND = (
    5  # encoder frames on each side whose blanks count, too: a pause, not a gap between sounds
)


class Stitcher:
    """Joins the windows of one recording.

    Where two windows overlap, both have heard the middle with sound on either side of it. They are
    joined there, at the frame around which both are surest that nothing is said.
    """

    def __init__(self) -> None:
        self._rows: Tensor | None = None  # of the last window, from `_start` on
        self._start = 0  # encoder frame

    def add(self, start: int, rows: Tensor, *, last: bool) -> Tensor:
        """Add a window; the log-probabilities that are certain from now on.

        Args:
            start: its first encoder frame, counted from the beginning of the recording.
            rows: (U, V) its log-probabilities.
            last: whether no other will follow.

        Returns:
            (N, V), which follow those that earlier calls returned.
        """
        held = self._rows
        if held is None:
            ready, self._rows, self._start = rows[:0], rows, start
        else:
            overlap = held[start - self._start :]
            cut = best_cut(overlap, rows[: len(overlap)])
            ready = held[: start - self._start + cut]
            self._rows, self._start = rows[cut:], start + cut
        if last:
            ready, self._rows = torch.cat([ready, self._rows]), None
        return ready


def best_cut(before: Tensor, after: Tensor) -> int:
    """Frame from which on the later of two windows counts, in the middle half of their overlap.

    Args:
        before: (O, V) log-probabilities of the overlap, by the window that ends with it.
        after: (O, V) those of the window that begins with it.
    """
    blanks = (before[:, 0] + after[:, 0]).float()
    count = len(blanks)
    if count < 4:
        return count // 2
    around = min(_AROUND, count // 4)
    sums = blanks.unfold(0, 2 * around + 1, 1).sum(1)  # the first is that of the frame `around`
    first, end = max(count // 4, around), count - max(count // 4, around)
    return first + int(sums[first - around : max(end - around, first - around + 1)].argmax())
