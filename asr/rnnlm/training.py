"""Training of the recurrent language model; it goes on where it was stopped."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from asr.batching import BatchSettings, plan_batches
from asr.errors import DataError, DivergenceError, Stopped
from asr.lm.counts import BEGIN, Numbers
from asr.rnnlm.model import RecurrentLM
from asr.settings import Settings
from asr.training.checkpoint import Progress as Course
from asr.training.checkpoint import Trained, load_checkpoint, remove_leftovers, save_checkpoint
from asr.training.measurements import ALL, GradientGauge
from asr.training.optimizer import OptimizerSettings, build_optimizer
from asr.training.precision import Precision, uses_bfloat16
from asr.training.schedule import ScheduleSettings, rate_share
from asr.training.signals import stop_requests

# Classes of their own, so that a recipe which says one thing of a section leaves the others as
# they suit language models.


class RnnBatchSettings(BatchSettings):
    """How many sentences a batch may have."""

    max_frames: int = Field(default=4000, ge=1)  # words, padding included
    max_utterances: int = Field(default=256, ge=1)  # sentences
    per_step: int = Field(default=1, ge=1)


class RnnOptimizerSettings(OptimizerSettings):
    """AdamW with short steps."""

    learning_rate: float = Field(default=2e-3, gt=0)
    clip_norm: float = Field(default=1.0, gt=0)


class RnnScheduleSettings(ScheduleSettings):
    """The course of the learning rate, with a short warm-up."""

    warmup_share: float = Field(default=0.05, ge=0, lt=1)


class RnnTrainingSettings(Settings):
    """How long and how fast the language model learns."""

    epochs: int = Field(default=1, ge=1)  # passes over the text
    batch: RnnBatchSettings = RnnBatchSettings()
    optimizer: RnnOptimizerSettings = RnnOptimizerSettings()
    schedule: RnnScheduleSettings = RnnScheduleSettings()
    precision: Precision = "auto"  # of matrix products
    max_bad_steps: int = Field(default=20, ge=1)  # in all, before training is called diverged
    checkpoint_minutes: float = Field(default=5.0, gt=0)  # what a power cut costs at most


class _Text:
    """The sentences of a text as batches."""

    def __init__(self, text: Numbers, batch: BatchSettings) -> None:
        self._text, self._batch = torch.from_numpy(text.astype(np.int64)), batch
        self._starts = np.flatnonzero(text == BEGIN)
        self._lengths = np.diff(self._starts, append=len(text))

    def __len__(self) -> int:
        return len(self._starts)

    def plan(self, seed: int, epoch: int) -> list[list[int]]:
        """Sentence numbers of each batch, a function of (seed, epoch)."""
        return plan_batches(self._lengths.tolist(), self._batch, seed=seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Padded sentences (B, T) and their lengths (B,)."""
        rows = [self._text[self._starts[i] : self._starts[i] + self._lengths[i]] for i in indices]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return padded, torch.from_numpy(self._lengths[list(indices)])


def train_rnn(
    model: RecurrentLM,
    text: Numbers,
    dev: Numbers,
    settings: RnnTrainingSettings,
    *,
    folder: Path,
    seed: int,
    device: torch.device,
) -> float:
    """Train a language model, or go on where a checkpoint in `folder` says.

    Args:
        model: to be trained in place.
        text: (N,) numbers of its words, each sentence from BEGIN to END.
        dev: (N,) the same, of a development set.
        settings: of the training.
        folder: for the checkpoint.
        seed: of the order of sentences and of dropout.
        device: to train on.

    Returns:
        The perplexity of dev, sentence ends and unknown words included.

    Raises:
        DataError: there is no sentence to learn from, or to measure on.
        DivergenceError: too many steps had no finite gradient.
        Stopped: it was asked to stop; the checkpoint is written.
    """
    sentences, measured = _Text(text, settings.batch), _Text(dev, settings.batch)
    if not len(sentences) or not len(measured):
        raise DataError("no sentences for the recurrent language model to learn from or measure on")
    model.to(device)
    training = _Training(model, sentences, measured, settings, folder=folder, seed=seed)
    remove_leftovers(folder)
    with stop_requests() as stop, training.bar:
        while training.course.epoch < settings.epochs:
            training.epoch(stop)
    return math.exp(training.course.history[-1]["dev_loss"])


class _Training:
    def __init__(
        self,
        model: RecurrentLM,
        sentences: _Text,
        measured: _Text,
        settings: RnnTrainingSettings,
        *,
        folder: Path,
        seed: int,
    ) -> None:
        self._sentences, self._measured, self._settings = sentences, measured, settings
        self._folder, self._seed = folder, seed
        self._model = model
        self._trained = Trained(model, build_optimizer(model, settings.optimizer), None)
        self.course = load_checkpoint(folder, self._trained) or Course()
        self._gauge = GradientGauge(model, settings.optimizer.clip_norm)
        self._device = next(model.parameters()).device
        self._half = uses_bfloat16(settings.precision, self._device)
        self._saved = time.monotonic()
        self._start: tuple[float, float] | None = None  # of this run: when, after how many epochs
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self.bar.add_task("language model", total=float(settings.epochs))

    def epoch(self, stop: Callable[[], bool]) -> None:
        """All steps that are left of an epoch. Raises Stopped when asked to, between two steps."""
        course = self.course
        plan = self._sentences.plan(self._seed, course.epoch)
        while course.batches_in_epoch < len(plan):
            done = course.epoch + course.batches_in_epoch / len(plan)
            self._start = self._start or (time.monotonic(), done)
            self.bar.update(self._task, completed=done, description=f"nats {course.loss:.3f}")
            first, count = course.batches_in_epoch, self._settings.batch.per_step
            batches = plan[first : first + count]
            self._step(batches, done / self._settings.epochs)
            course.step, course.batches_in_epoch = course.step + 1, first + len(batches)
            if time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes:
                self._save()
                self._report(course.epoch + course.batches_in_epoch / len(plan))
            self._stop_if(stop)
        self._finish_epoch()
        self._stop_if(stop)

    def _stop_if(self, asked: Callable[[], bool]) -> None:
        if asked():
            self._save()
            _say("stopped; the checkpoint is written: run the same command to go on")
            raise Stopped

    def _report(self, done: float) -> None:
        """Say how far it is, where no bar does, after so many epochs."""
        if self.bar.disable and self._start is not None:
            started, first = self._start
            epochs = self._settings.epochs
            left = (time.monotonic() - started) * (epochs - done) / (done - first)
            _say(
                f"{done / epochs:.0%}  {self.course.loss:.3f} nats a word  {left / 60:.0f} min left"
            )

    def _finish_epoch(self) -> None:
        course, dev = self.course, _nats(self._model, self._measured)
        course.epoch, course.batches_in_epoch = course.epoch + 1, 0
        course.history.append({"epoch": course.epoch, "dev_loss": dev})
        _say(
            f"epoch {course.epoch}/{self._settings.epochs}  {course.loss:.3f} nats a word  "
            f"dev perplexity {math.exp(dev):.1f}"
        )
        course.loss_sum, course.token_sum = 0.0, 0
        self._save()

    def _step(self, batches: Sequence[Sequence[int]], done: float) -> None:
        """Take a step with the gradient of its batches, unless that is not finite."""
        course, optimizer = self.course, self._trained.optimizer
        read = [self._sentences.batch(indices) for indices in batches]
        words = sum(int((lengths - 1).sum()) for _, lengths in read)
        optimizer.zero_grad(set_to_none=True)
        nats = torch.zeros((), device=self._device)
        for place, (sentences, lengths) in enumerate(read):
            nats += self._backward(sentences, lengths, place, words)
        norms, (total,) = self._gauge.clip(nats[None])
        if not math.isfinite(norms[ALL]):
            self._skip()
            return
        losses = [one["dev_loss"] for one in course.history]
        for group in optimizer.param_groups:
            share = rate_share(self._settings.schedule, done, losses)
            group["lr"] = self._settings.optimizer.learning_rate * share
        optimizer.step()
        course.loss_sum += total
        course.token_sum += words

    def _backward(self, sentences: Tensor, lengths: Tensor, place: int, words: int) -> Tensor:
        """Add up the gradient of a batch of the step's so many words; returns its nats."""
        self._model.train()
        # Dropout is seeded anew for each batch, so that a resumed training draws the same.
        torch.manual_seed(hash((self._seed, self.course.step, place)) & 0x7FFFFFFFFFFFFFFF)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            nats = self._model(sentences.to(self._device), lengths.to(self._device)).sum()
        torch.autograd.backward(nats / words)
        found: Tensor = nats.detach()
        return found

    def _skip(self) -> None:
        """Leave out a step; raises DivergenceError where there have been too many such."""
        course, most = self.course, self._settings.max_bad_steps
        course.bad_steps += 1
        _say(f"step {course.step}: gradient not finite, step left out")
        if course.bad_steps >= most:
            raise DivergenceError(
                f"recurrent language model diverged: {most} steps (lm.rnn.training.max_bad_steps) "
                "without a finite gradient; lower lm.rnn.training.optimizer.learning_rate"
            )

    def _save(self) -> None:
        save_checkpoint(self._folder, self.course, self._trained)
        self._saved = time.monotonic()


@torch.inference_mode()
def _nats(model: RecurrentLM, sentences: _Text) -> float:
    """Nats a word, sentence ends and unknown words included."""
    model.eval()
    there = next(model.parameters()).device
    nats, words = 0.0, 0
    for indices in sentences.plan(0, 0):
        rows, lengths = sentences.batch(indices)
        nats += float(model(rows.to(there), lengths.to(there)).sum())
        words += int((lengths - 1).sum())
    return nats / words


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
