"""Decoding in several processes, since a search holds Python's lock from its beginning to its end.

Each process reads the language model for itself. What is decoded depends on neither their number
nor on what else is decoded.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.hypothesis import Hypothesis

Decoder = Callable[[Tensor], Sequence[Hypothesis]]

_AHEAD = 4  # utterances that wait for each process

_mine: Decoder  # of this process


class DecodingPool:
    """Processes that each have the same decoder."""

    def __init__(self, load: Callable[[], Decoder], processes: int) -> None:
        """`load` makes the decoder, and is sent to the processes by pickle."""
        self._executor = ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(load,)
        )
        self._window = _AHEAD * processes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown(cancel_futures=True)

    def decode(
        self, log_probs: Iterable[Tensor], settings: BeamSettings | None = None
    ) -> Iterator[Sequence[Hypothesis]]:
        """Decode utterances (U, V), in order; with other settings of the search, if given."""
        waiting: deque[Future[Sequence[Hypothesis]]] = deque()
        for rows in log_probs:
            # As an array: torch would send tensors by way of shared memory, of which there is
            # little in containers.
            waiting.append(self._executor.submit(_decode, rows.numpy(), settings))
            if len(waiting) > self._window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _begin(load: Callable[[], Decoder]) -> None:
    global _mine
    # Ctrl-C goes to all processes; the one that waits for the answers decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _mine = load()


def _decode(rows: Any, settings: BeamSettings | None) -> Sequence[Hypothesis]:
    global _mine
    if settings is not None and isinstance(_mine, BeamDecoder) and _mine.settings != settings:
        _mine = _mine.with_settings(settings)
    return _mine(torch.from_numpy(rows))
