"""Transcribing the user's recordings: sources in, transcripts delivered, trouble reported."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from asr.audio import read_blocks, read_info
from asr.emission_decoder import DecodingOptions
from asr.errors import AsrError
from asr.recognizer import decoding_pool
from asr.sources import STANDARD_INPUT, Source, find_sources, needs_standard_input
from asr.standard_input import standard_input_file
from asr.transcript.delivery import Delivery
from asr.transcript.transcript import Transcript
from asr.transcription.transcriber import Recording, Transcriber

_SEGMENT = 6.0  # seconds, about as long as one is


@dataclass(frozen=True)
class _Job:
    """One transcript to be made."""

    source: Source
    stem: PurePosixPath  # of its outputs
    channel: int | None
    seconds: float = 0.0  # as the file's header says; 0: it cannot be read
    sample_rate: int | None = None  # of the file, Hz


@dataclass
class _Tally:
    """What became of the jobs."""

    heard: float = 0.0  # seconds
    bad: int = 0  # recordings that could not be transcribed
    unwritten: int = 0  # transcripts of which a file could not be written


def transcribe_files(
    files: Sequence[str],
    files_from: str | None,
    *,
    model: Path,
    device: torch.device | str,
    options: DecodingOptions,
    split: bool,
    delivery: Delivery,
    threads: int | None = None,
) -> bool:
    """Transcribe what the user named; whether all of it could be.

    Args:
        files: recordings, folders, patterns, manifests, `-`.
        files_from: a list of more of them.
        model: its folder.
        device: where it computes.
        options: of decoding.
        split: whether channels are transcribed each by itself.
        delivery: where transcripts go.
        threads: processes that search, at most; None: one a core.

    Raises:
        AsrError: nothing can be transcribed at all.
    """
    with ExitStack() as stack:
        piped = None
        if needs_standard_input(files, files_from):
            piped = stack.enter_context(standard_input_file())
        sources = find_sources(files, files_from, standard_input=piped, tell=_tell)
        failed = [source for source in sources if source.problem is not None]
        for source in failed:
            _tell(source.problem)
        good = [source for source in sources if source.problem is None]
        jobs = [job for source in good for job in _jobs(source, split=split)]
        delivery.check([Path(job.stem) for job in jobs], [job.source.path for job in jobs])
        if not jobs:
            return False
        transcriber = Transcriber.load(model, device, options)
        _say_resampling(jobs, transcriber.sample_rate)
        total = sum(job.seconds for job in jobs)
        pool = stack.enter_context(decoding_pool(model, options, int(total / _SEGMENT), threads))
        progress = stack.enter_context(_progress_bar())
        task = progress.add_task("transcribing", total=total or None)
        named = _names(good)
        recordings = [
            _recording(job, transcriber.sample_rate, named[job.source.path]) for job in jobs
        ]
        started = time.monotonic()
        answers = transcriber.transcribe_all(
            recordings, pool, lambda seconds: progress.advance(task, seconds)
        )
        pairs = ((job, answer) for job, (_, answer) in zip(jobs, answers, strict=True))
        tally = _deliver(pairs, delivery, alone=len(jobs) == 1 and not failed)
    bad = tally.bad + len(failed)
    _summarise(tally.heard, time.monotonic() - started)
    if bad and len(jobs) + len(failed) > 1:
        _tell(f"{bad} of {len(jobs) + len(failed)} recordings not transcribed")
    if tally.unwritten and len(jobs) > 1:
        _tell(f"{tally.unwritten} of {len(jobs)} transcripts not written")
    return not bad and not tally.unwritten


def _deliver(
    pairs: Iterable[tuple[_Job, Transcript | AsrError]], delivery: Delivery, *, alone: bool
) -> _Tally:
    """Deliver what can be delivered, and say what cannot."""
    tally = _Tally()
    for job, answer in pairs:
        if isinstance(answer, Transcript):
            tally.heard += answer.duration
            problems = delivery.write(answer, Path(job.stem), alone=alone)
            for problem in problems:
                _tell(problem)
            tally.unwritten += bool(problems)
        else:
            # What came on standard input has a path of its own only while it is kept.
            _tell(str(answer).replace(str(job.source.path), job.source.name))
            tally.bad += 1
    return tally


def _tell(message: object) -> None:
    print(f"asr: {message}", file=sys.stderr)


def _names(sources: Sequence[Source]) -> dict[Path, str]:
    """What a ctm calls each file: its stem, as sclite's references do, or where two share it its
    path."""
    stems = {
        source.path: source.stem.name if source.name == STANDARD_INPUT else source.path.stem
        for source in sources
    }
    count = Counter(stems.values())
    return {path: stem if count[stem] == 1 else str(path) for path, stem in stems.items()}


def _jobs(source: Source, *, split: bool) -> Iterator[_Job]:
    try:
        info = read_info(source.path)
    except AsrError:
        yield _Job(source, source.stem, None)  # what is wrong shows when its turn comes
        return
    seconds = source.duration or max(0.0, info.duration - source.offset)
    if not split or info.channels == 1:
        yield _Job(source, source.stem, None, seconds, info.sample_rate)
        return
    for channel in range(1, info.channels + 1):
        stem = source.stem.with_name(f"{source.stem.name}-{channel}")
        yield _Job(source, stem, channel, seconds, info.sample_rate)


def _recording(job: _Job, sample_rate: int, stem: str) -> Recording:
    source = job.source
    blocks = partial(
        read_blocks,
        source.path,
        sample_rate,
        channel=job.channel,
        offset=source.offset,
        duration=source.duration,
    )
    return Recording(source.name, blocks, job.channel, source.offset, stem)


def _say_resampling(jobs: Sequence[_Job], sample_rate: int) -> None:
    others = {
        job.source.name: job.sample_rate
        for job in jobs
        if job.sample_rate not in (None, sample_rate)
    }
    if others:
        name, rate = next(iter(others.items()))
        more = f" and {len(others) - 1} others" if len(others) > 1 else ""
        _tell(f"{name}{more}: resampled from {rate} Hz to the model's {sample_rate} Hz")


def _summarise(seconds: float, took: float) -> None:
    if seconds:
        took = max(took, 1e-9)
        speed = seconds / took
        _tell(
            f"{seconds:.1f} s of sound in {took:.1f} s, {speed:.{0 if speed >= 10 else 1}f} times "
            f"real time (real-time factor {took / seconds:#.3g})"
        )


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
        # Or transcripts on their way to a file would be printed above the bar instead.
        redirect_stdout=sys.stdout.isatty(),
    )
