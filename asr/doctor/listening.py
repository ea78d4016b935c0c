"""Open all recordings of a manifest, in all cores."""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from asr.doctor.settings import CheckSettings
from asr.doctor.sound import Sound, listen
from asr.manifest import Utterance
from asr.processes import interrupts_later, make_workers

_MANY_SECONDS = 3600.0  # of sound, for which processes are worth their start
_CHUNK = 4  # utterances that go to a process at a time; so many are finished after Ctrl-C


def listen_all(
    utterances: Sequence[Utterance], settings: CheckSettings, processes: int | None = None
) -> list[Sound]:
    """Open the recording of each utterance, in order; what is found is the same in any number.

    Args:
        utterances: the manifest.
        settings: the shortest and the longest that are decoded.
        processes: None: one a core, where there is enough to do.
    """
    hear = partial(listen, settings=settings)
    with progress_bar() as bar:
        sounds = _listen(
            hear, utterances, _processes(utterances) if processes is None else processes
        )
        return list(bar.track(sounds, total=len(utterances), description="opening recordings"))


def progress_bar() -> Progress:
    """A bar on stderr with the time that is left, where somebody can see it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _listen(
    hear: "partial[Sound]", utterances: Sequence[Utterance], processes: int
) -> Iterator[Sound]:
    if processes == 1:
        yield from map(hear, utterances)
        return
    executor = make_workers(processes)
    try:
        with interrupts_later():
            sounds = executor.map(hear, utterances, chunksize=_CHUNK)
        yield from sounds
    finally:
        # After Ctrl-C the recordings still waiting are not opened.
        executor.shutdown(cancel_futures=True)


def _processes(utterances: Sequence[Utterance]) -> int:
    if sum(utterance.duration for utterance in utterances) < _MANY_SECONDS:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
