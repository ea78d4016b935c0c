"""The training loop: CTC, AdamW, checkpoints, best epochs.

What happens in a step depends on the settings, the seed and the number of the step alone: batches
and augmentation are functions of (seed, epoch), dropout is seeded anew at each step. So a training
that was killed goes on from its checkpoint exactly as if it had never stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from asr.batching import BatchSettings, padding_share, plan_batches, refuse_too_long
from asr.dataset import SpeechDataset, collate
from asr.encoder.encoder import Encoder
from asr.errors import ModelError
from asr.settings import Settings
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.bad_steps import blame
from asr.training.checkpoint import (
    Progress,
    drop_epochs_except,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    save_epoch,
)
from asr.training.distributed import World, join_world
from asr.training.evaluation import Evaluation, evaluate
from asr.training.loss import ctc_losses, refuse_infeasible
from asr.training.measurements import EpochSums, GradientGauge
from asr.training.optimizer import OptimizerSettings, build_optimizer, learning_rate
from asr.training.precision import Precision, uses_bfloat16
from asr.training.reporting import Reporter, best_first
from asr.training.signals import stop_requests
from asr.training.watch import Watch, run_settings


class TrainingSettings(Settings):
    """How long and how fast the model learns."""

    epochs: int = Field(default=30, ge=1)
    batch: BatchSettings = BatchSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    precision: Precision = "auto"  # of matrix products: bfloat16 where the hardware has it
    keep: int = Field(default=3, ge=1)  # best epochs, whose weights are averaged at the end
    cache_gib: float = Field(default=2.0, ge=0)  # of features in memory, in each process
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    max_bad_steps: int = Field(default=10, ge=1)  # in a row, before training is called diverged
    tensorboard: bool = False  # whether to write events for it, too


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what is measured on."""

    train: SpeechDataset
    dev: SpeechDataset
    tokens: TokenTable
    normalizer: Normalizer


def train(
    encoder: Encoder,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    folder: Path,
    seed: int,
    device: torch.device,
) -> None:
    """Train an encoder, or go on where a checkpoint in `folder` says.

    Leaves `epoch-*.safetensors` of the best epochs, `metrics.jsonl` and `training.html` in the
    folder.

    Raises:
        ConfigError: a training utterance is longer than a batch may be, or TensorBoard is asked
            for and not installed.
        DataError: a training target does not fit into its frames.
        ModelError: training diverged, the checkpoint there is of another model, or not all
            processes see it.
        KeyboardInterrupt: it was asked to stop; the checkpoint is written.
    """
    refuse_infeasible(data.train, encoder)
    slowest = {one.id: data.train.most_frames(i) for i, one in enumerate(data.train.utterances)}
    refuse_too_long(slowest, settings.batch)
    encoder.to(device)
    with join_world(device) as world, stop_requests() as stop:
        run = _Run(encoder, data, settings, folder=folder, seed=seed, world=world)
        with run.reporter:
            while run.progress.epoch < settings.epochs:
                run.epoch(stop)
        if stop():  # it came after the last step
            raise KeyboardInterrupt


def _refuse_other_steps(folder: Path, progress: Progress, world: World) -> None:
    """Raise ModelError where the processes have not loaded the same checkpoint."""
    steps = world.gather([str(progress.step)])
    if len(set(steps)) > 1:
        raise ModelError(
            f"{folder}: the training processes go on from different steps ({', '.join(steps)}); "
            "the experiment folder must be shared by all machines, its checkpoint.pt visible to all"
        )


class _Run:
    """One process's part in a training."""

    def __init__(
        self,
        encoder: Encoder,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        folder: Path,
        seed: int,
        world: World,
    ) -> None:
        self._encoder, self._data, self._settings = encoder, data, settings
        self._folder, self._seed, self._world = folder, seed, world
        self._device = next(encoder.parameters()).device
        self._optimizer = build_optimizer(encoder, settings.optimizer)
        self.progress = load_checkpoint(folder, encoder, self._optimizer) or Progress()
        _refuse_other_steps(folder, self.progress, world)
        if world.writes:
            remove_leftovers(folder)
        self._half = uses_bfloat16(settings.precision, self._device)
        self._model = world.parallel(encoder)
        self._gauge = GradientGauge(encoder, settings.optimizer.clip_norm)
        done = self.progress.epoch
        shown = run_settings(encoder, settings, train=data.train, seed=seed, world=world)
        self.reporter = Reporter(
            folder,
            settings.epochs,
            epochs_done=done,
            quiet=not world.writes,
            watch=Watch(folder, shown, epochs_done=done) if world.writes else None,
        )
        self._drop_others()
        self._saved = self._clock = time.monotonic()

    def epoch(self, stop: Callable[[], bool]) -> None:
        """Take the steps that are left of the epoch at hand, then measure on dev."""
        progress, size = self.progress, self._world.size
        batches = self._batches(progress.epoch)
        # As many batches a step as there are processes (fewer in the last). Counted in batches,
        # since a checkpoint may come from another number of processes.
        for start in range(progress.batches_in_epoch, len(batches), size):
            done = progress.epoch + start / len(batches)
            with progress.sums.timed("step_seconds"):
                self._step(batches[start : start + size], done / self._settings.epochs)
            progress.step += 1
            progress.batches_in_epoch = min(start + size, len(batches))
            share = progress.batches_in_epoch / len(batches)
            self.reporter.step(progress.epoch + share, progress.loss)
            self._save_or_stop(stop)
        self._finish_epoch()

    def _batches(self, epoch: int) -> list[list[int]]:
        """Batches of an epoch, for all processes together."""
        train = self._data.train
        frames = [train.frames(index, epoch) for index in range(len(train))]
        batches = plan_batches(frames, self._settings.batch, seed=self._seed, epoch=epoch)
        self._padding = padding_share(frames, batches)
        return batches

    def _step(self, batches: list[list[int]], done: float) -> None:
        """One optimiser step, in the share `done` of the whole training."""
        rank, size = self._world.rank, self._world.size
        # A process without a batch of its own in the last step adds a gradient of zero.
        indices = batches[rank] if rank < len(batches) else batches[0]
        counts = float(rank < len(batches))
        torch.manual_seed(hash((self._seed, self.progress.step, rank)) & 0x7FFFFFFFFFFFFFFF)
        losses, tokens, names = self._losses(indices)
        tokens_of_all = self._world.total(torch.tensor(tokens * counts, device=self._device))
        loss = losses.sum() * counts
        self._optimizer.zero_grad(set_to_none=True)
        # The engine averages gradients over processes; the mean is over all their tokens.
        torch.autograd.backward(loss * size / tokens_of_all)
        if not self._gauge.clip(self.progress.sums):
            self._skip(losses.detach(), names)
            return
        self.progress.bad_steps = 0
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._settings.optimizer, done)
        self._optimizer.step()
        self.progress.loss_sum += float(self._world.total(loss.detach()))
        self.progress.token_sum += int(tokens_of_all)

    def _losses(self, indices: list[int]) -> tuple[Tensor, float, tuple[str, ...]]:
        """Losses (B,), number of target tokens and ids of a batch."""
        with self.progress.sums.timed("wait_seconds"):
            batch = collate([self._data.train.example(i, self.progress.epoch) for i in indices])
        self._model.train()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            emissions = self._model(
                batch.features.to(self._device), batch.feature_lengths.to(self._device)
            )
        return ctc_losses(emissions, batch), float(batch.target_lengths.sum()), batch.ids

    def _skip(self, losses: Tensor, names: tuple[str, ...]) -> None:
        """Leave out a step whose gradient is not finite, and say of which utterances."""
        progress, most = self.progress, self._settings.max_bad_steps
        infinite, words = blame(
            losses, names, dataset=self._data.train, epoch=progress.epoch, world=self._world
        )
        self.reporter.say(f"step {progress.step}: gradient not finite, step left out ({words})")
        progress.sums.skip(infinite)
        progress.bad_steps += 1
        if progress.bad_steps >= most:
            raise ModelError(
                f"training diverged: {most} steps in a row (training.max_bad_steps) without a "
                "finite gradient; lower training.optimizer.learning_rate or clip_norm"
            )

    def _save_or_stop(self, stop: Callable[[], bool]) -> None:
        wanted = torch.tensor(float(stop()), device=self._device)
        stopping = bool(self._world.total(wanted))
        due = time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes
        if stopping or due:
            self._save()
        if stopping:
            self.reporter.say("stopped; the checkpoint is written: run the same command to go on")
            raise KeyboardInterrupt

    def _save(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = self._saved = now
        if self._world.writes:
            save_checkpoint(self._folder, self.progress, self._encoder, self._optimizer)

    def _finish_epoch(self) -> None:
        progress = self.progress
        started = time.monotonic()
        seconds_before = progress.seconds
        evaluation = evaluate(
            self._encoder,
            self._data.dev,
            tokens=self._data.tokens,
            normalizer=self._data.normalizer,
            batch=self._settings.batch,
        )
        progress.epoch += 1
        record = self._record(evaluation, started - self._clock + seconds_before)
        self._keep_best(record)
        progress.batches_in_epoch, progress.loss_sum, progress.token_sum = 0, 0.0, 0
        progress.sums = EpochSums()
        self.reporter.epoch(record)
        self._save()
        self._drop_others()
        self._world.wait()

    def _record(self, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
        progress = self.progress
        audio = sum(utterance.duration for utterance in self._data.train.utterances)
        epochs_per_second = progress.epoch / max(1e-9, seconds)
        done = progress.epoch / self._settings.epochs
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "loss": progress.loss,
            **evaluation.record(),
            "learning_rate": learning_rate(self._settings.optimizer, done),
            "seconds": round(seconds, 1),
            "speed": audio * epochs_per_second,
            "padding_share": self._padding,
            **progress.sums.record(audio),
        }

    def _keep_best(self, record: dict[str, Any]) -> None:
        """Keep the weights of the best epochs."""
        entry = {key: record[key] for key in ("epoch", "dev_wer", "dev_cer")}
        self.progress.kept = best_first([*self.progress.kept, entry])[: self._settings.keep]
        if self._world.writes:
            save_epoch(self._folder, self.progress.epoch, self._encoder)

    def _drop_others(self) -> None:
        """Remove the weights of all epochs but the best that the checkpoint knows of.

        So it comes after the checkpoint: a kill in between must not cost one of the best.
        """
        if self._world.writes:
            drop_epochs_except(self._folder, [entry["epoch"] for entry in self.progress.kept])
