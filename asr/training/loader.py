"""Batches in the order of the plan, made ahead of the model by worker processes."""

import os
import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from asr.dataset import Batch, Example, SpeechDataset, collate
from asr.errors import AsrError
from asr.training.distributed import usable_cores

_MOST_WORKERS = 8
_AHEAD = 4  # batches that each worker has ready
_GRACE = 60  # seconds in which a training that was asked to stop can finish its step

Key = tuple[int, int]  # utterance, epoch


def workers_wanted(setting: int | None, device: torch.device) -> int:
    """How many processes make batches for one that trains, unless the settings say it."""
    if setting is not None:
        return setting
    if device.type == "cpu":
        return 0  # they would take the cores that the model needs
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of torchrun on this machine
    return min(_MOST_WORKERS, max(1, usable_cores() // beside - 1))


class BatchLoader:
    """Makes batches of a dataset, within a `with` block: its processes end with the block.

    What is in a batch depends on its keys alone, whichever process makes it.
    """

    def __init__(
        self,
        dataset: SpeechDataset,
        plan: Iterable[list[Key]],
        *,
        workers: int,
        pinned: bool = False,
    ) -> None:
        """`plan` gives the keys of each batch to come; without workers it is made on demand.

        Where `pinned`, batches lie in memory that a CUDA device reads by itself.
        """
        self._loader: DataLoader[Any] = DataLoader(
            _Examples(dataset),
            batch_sampler=plan,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=_begin,
            prefetch_factor=_AHEAD if workers else None,
            pin_memory=pinned,
            generator=torch.Generator(),  # the training's own chance is left alone
        )
        self._batches: Iterator[Batch | AsrError] = iter(())

    def __enter__(self) -> Self:
        self._batches = iter(self._loader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._batches = iter(())  # torch ends the processes of an iterator that nobody holds

    def next(self) -> Batch:
        """The next batch of the plan. Raises what reading it raised."""
        batch = next(self._batches)
        if isinstance(batch, AsrError):
            raise batch
        return batch


class _Examples(Dataset[Example | AsrError]):
    def __init__(self, dataset: SpeechDataset) -> None:
        self.speech = dataset

    def __getitem__(self, key: Key) -> Example | AsrError:
        try:
            return self.speech.example(*key)
        except AsrError as error:
            return error  # torch would wrap a worker's traceback around the message


def _collate(examples: list[Example | AsrError]) -> Batch | AsrError:
    errors = [one for one in examples if isinstance(one, AsrError)]
    return errors[0] if errors else collate([one for one in examples if isinstance(one, Example)])


def _begin(_: int) -> None:
    # Signals may go to all processes; the one that trains decides what becomes of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)
    here = get_worker_info()
    if here is not None and isinstance(here.dataset, _Examples):
        here.dataset.speech.share_cache(here.num_workers)


def _end_later(number: int, frame: FrameType | None) -> None:
    # Never quite deaf: the end of a program waits for all of its processes.
    signal.alarm(_GRACE)
