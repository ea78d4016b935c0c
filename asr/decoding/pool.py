"""Decoding in several processes, since a search holds Python's lock from its beginning to its end.

Each process reads the language model for itself. What is decoded depends on neither their number
nor on what else is decoded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.errors import AsrError
from asr.processes import interrupts_later, make_workers

_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer", covariant=True)

_AHEAD = 4  # utterances that wait for each process

_mine: Callable[[Tensor], Any]  # of this process


class DecodingPool(Generic[_Answer]):
    """Processes that each have the same decoder."""

    def __init__(self, load: Callable[[], Callable[[Tensor], _Answer]], processes: int) -> None:
        """`load` makes the decoder, and is sent to the processes by pickle."""
        self._executor = make_workers(processes, _begin, load)
        self._processes, self._window = processes, _AHEAD * processes

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
        self, utterances: Iterable[tuple[_Key, Tensor]], settings: BeamSettings | None = None
    ) -> Iterator[tuple[_Key, _Answer]]:
        """Decode utterances.

        Args:
            utterances: each with its log-probabilities (U, V).
            settings: of the search, where others are wanted than the decoder has.

        Returns:
            The utterances in the same order, each with what the decoder makes of it.

        Raises:
            AsrError: a process was ended before it had done its work.
        """
        try:
            yield from self._decode(utterances, settings)
        except BrokenExecutor:
            raise AsrError(
                f"one of the {self._processes} processes that search was ended from outside, as "
                "systems do where memory runs out, since each holds the language model; make room, "
                "or use fewer: asr transcribe --threads 1"
            ) from None

    def _decode(
        self, utterances: Iterable[tuple[_Key, Tensor]], settings: BeamSettings | None
    ) -> Iterator[tuple[_Key, _Answer]]:
        waiting: deque[tuple[_Key, Future[_Answer]]] = deque()
        for key, rows in utterances:
            # As an array: torch would send tensors by way of shared memory, of which there is
            # little in containers.
            with interrupts_later():
                answer = self._executor.submit(_decode, rows.numpy(), settings)
            waiting.append((key, answer))
            if len(waiting) > self._window:
                first, answer = waiting.popleft()
                yield first, answer.result()
        for key, answer in waiting:
            yield key, answer.result()


def _begin(load: Callable[[], Callable[[Tensor], Any]]) -> None:
    global _mine
    torch.set_num_threads(1)
    _mine = load()


def _decode(rows: Any, settings: BeamSettings | None) -> Any:
    global _mine
    if settings is not None and isinstance(_mine, BeamDecoder) and _mine.settings != settings:
        _mine = _mine.with_settings(settings)
    return _mine(torch.from_numpy(rows))
