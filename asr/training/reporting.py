"""What a training tells while it runs: a progress bar, a line an epoch, metrics.jsonl."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asr.files import write_text
from asr.training.schedule import badness
from asr.training.watch import Watch

METRICS = "metrics.jsonl"


class Reporter:
    """Shows progress on stderr and keeps one record an epoch in metrics.jsonl."""

    def __init__(
        self,
        folder: Path,
        epochs: int,
        *,
        epochs_done: int,
        quiet: bool = False,
        watch: Watch | None = None,
    ) -> None:
        """Records of epochs after `epochs_done` come from a run that was cut off: they go.

        `watch` is told of every epoch, and closed with the reporter.
        """
        self._watch = watch
        self._path = folder / METRICS
        self._epochs = epochs
        self._quiet = quiet
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=float(epochs), completed=epochs_done)
        self._records = [r for r in read_metrics(folder) if r["epoch"] <= epochs_done]
        self._dev = f"dev WER {self._records[-1]['dev_wer']:.1%}" if self._records else ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self._watch is not None:
            self._watch.close()

    def step(self, done: float, loss: float) -> None:
        """Show how many epochs (a fraction) are done, and the loss so far."""
        text = f"epoch {int(done) + 1}/{self._epochs} loss {loss:.3f} {self._dev}"
        self._bar.update(self._task, completed=done, description=text)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Keep and show the record of one epoch."""
        self._records.append(dict(record))
        self._dev = f"dev WER {record['dev_wer']:.1%}"
        if self._quiet:
            return
        write_text(self._path, "".join(f"{_dump(one)}\n" for one in self._records))
        seconds = record["seconds"] / max(1, len(self._records))
        left = (self._epochs - record["epoch"]) * seconds
        competing = f"MMI {record['dev_mmi']:.3f}  " if "dev_mmi" in record else ""
        self.say(
            f"epoch {record['epoch']:3d}/{self._epochs}  loss {record['loss']:.3f}  "
            f"dev loss {record['dev_loss']:.3f}  {competing}WER {record['dev_wer']:6.1%}  "
            f"CER {record['dev_cer']:6.1%}  {record['speed']:.0f} x real time "
            f"({record['data_wait']:.0%} waiting)  "
            f"{left / 60:.0f} min left"
        )
        if self._watch is not None:
            self._watch.epoch(self._records, self.say)

    def say(self, text: str) -> None:
        """Print a line on stderr, above the progress bar."""
        if self._quiet:
            return
        if self._bar.disable:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(text, markup=False, highlight=False)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The records of a training's epochs; none where there is no metrics.jsonl yet."""
    path = folder / METRICS
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        {key: math.nan if value is None else value for key, value in one.items()} for one in records
    ]


def _dump(record: dict[str, Any]) -> str:
    """A record as JSON, which has no NaN: null stands for it."""
    finite = {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in record.items()
    }
    return json.dumps(finite, allow_nan=False)


def best_first(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order epochs by how bad they are, the later one first where they are equal.

    As the learning rate falls, later weights are the steadier ones.
    """
    return sorted(records, key=lambda one: (*badness(one), -one["epoch"]))
