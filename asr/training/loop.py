"""The training loop: CTC, AdamW, checkpoints, best epochs.

What happens in a step depends on the settings, the seed and the number of the step alone: batches
and augmentation are functions of (seed, epoch), dropout is seeded anew for each batch. So a
training that was killed goes on from its checkpoint exactly as if it had never stopped, and several
processes, which share the batches of a step, learn what one would.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from asr.batching import refuse_too_long
from asr.dataset import Batch
from asr.encoder.encoder import Encoder
from asr.errors import DivergenceError, Stopped
from asr.training.bad_steps import blame
from asr.training.checkpoint import (
    Progress,
    Trained,
    drop_epochs_except,
    load_checkpoint,
    remove_leftovers,
    save_average,
    save_checkpoint,
    save_epoch,
)
from asr.training.denominator import competing
from asr.training.distributed import World, join_world, refuse_other_steps
from asr.training.evaluation import Evaluation, evaluate
from asr.training.loader import BatchLoader, workers_wanted
from asr.training.loss import refuse_infeasible
from asr.training.measurements import EpochSums
from asr.training.moving_average import MovingAverage
from asr.training.optimizer import build_optimizer
from asr.training.plan import Step, StepPlan
from asr.training.reporting import Reporter, best_first
from asr.training.schedule import badness, ended_early, rate_share
from asr.training.settings import TrainingData, TrainingSettings, refuse_missing_layers
from asr.training.signals import stop_requests
from asr.training.step import Outcome, TrainingStep
from asr.training.watch import Watch, run_settings


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
        ConfigError: a training utterance is longer than a batch may be, an intermediate loss is
            of no layer there is, or TensorBoard is asked for and not installed.
        DataError: a training target does not fit into its frames.
        DivergenceError: the gradients stay infinite.
        ModelError: the checkpoint there is of another model, or not all processes see it.
        Stopped: it was asked to stop; the checkpoint is written.
    """
    refuse_missing_layers(encoder, settings)
    refuse_infeasible(data.train, encoder)
    slowest = {one.id: data.train.most_frames(i) for i, one in enumerate(data.train.utterances)}
    refuse_too_long(slowest, settings.batch)
    encoder.to(device)
    with join_world(device) as world, stop_requests() as stop:
        run = _Run(encoder, data, settings, folder=folder, seed=seed, world=world)
        with run.loader, run.reporter:
            while not run.done:
                run.epoch(stop)
        if stop():  # it came after the last step
            raise Stopped


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
        self._data, self._settings = data, settings
        self._folder, self._seed, self._world = folder, seed, world
        device = next(encoder.parameters()).device
        decay = settings.moving_average
        self._trained = Trained(
            encoder,
            build_optimizer(encoder, settings.optimizer),
            MovingAverage(encoder, decay) if decay else None,
        )
        self.progress = load_checkpoint(folder, self._trained) or Progress()
        refuse_other_steps(folder, self.progress.step, world)
        if world.writes:
            remove_leftovers(folder)
        self._denominator = competing(data, settings, device)
        self._take = TrainingStep(
            self._trained, settings, world, seed=seed, denominator=self._denominator
        )
        self._plan = StepPlan(data.train, settings.batch, seed=seed, world=world)
        to_come = self._plan.keys(
            range(self.progress.epoch, settings.epochs), self.progress.batches_in_epoch
        )
        self.loader = BatchLoader(
            data.train,
            to_come,
            workers=workers_wanted(settings.workers, device),
            pinned=device.type == "cuda",
        )
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
        if self._plan.per_step > settings.batch.per_step:
            self.reporter.say(
                f"a step has {self._plan.per_step} batches, one for each process "
                f"(training.batch.per_step is {settings.batch.per_step})"
            )
        self._saved = self._clock = time.monotonic()

    @property
    def done(self) -> bool:
        """Whether all epochs are done, or the last ones have brought nothing."""
        return self._ended_early or self.progress.epoch >= self._settings.epochs

    @property
    def _ended_early(self) -> bool:
        rates = [badness(one) for one in self.progress.history]
        return ended_early(rates, self._settings.patience)

    def epoch(self, stop: Callable[[], bool]) -> None:
        """Take the steps that are left of the epoch at hand, then measure on dev."""
        progress = self.progress
        total = len(self._plan.batches(progress.epoch))
        # Counted in batches, since a checkpoint may come from another number of processes.
        for step in self._plan.steps(progress.epoch, progress.batches_in_epoch):
            done = progress.epoch + progress.batches_in_epoch / total
            with progress.sums.timed("step_seconds"):
                stopping = self._step(step, done, stop)
            progress.step += 1
            progress.batches_in_epoch += len(step)
            share = progress.batches_in_epoch / total
            self.reporter.step(progress.epoch + share, progress.loss)
            self._save_or_stop(stopping)
        self._finish_epoch()

    def _step(self, step: Step, epochs: float, stop: Callable[[], bool]) -> bool:
        """One optimiser step after so many epochs; whether any process was asked to stop."""
        progress, tokens = self.progress, self._plan.tokens(step, self.progress.epoch)
        outcome = self._take(
            self._batches(step),
            tokens=tokens,
            rate=self._rate(epochs),
            number=progress.step + 1,
            stop=stop,
        )
        if outcome.taken:
            progress.sums.take(outcome.norms, self._settings.optimizer.clip_norm)
            progress.loss_sum += outcome.loss
            progress.token_sum += tokens
        else:
            self._skip(outcome)
        return outcome.stop

    def _batches(self, step: Step) -> Iterator[tuple[int, Batch]]:
        """This process's batches of a step, each with the seed of its dropout."""
        for position in self._plan.own(step):
            with self.progress.sums.timed("wait_seconds"):
                batch = self.loader.next()
            yield hash((self._seed, self.progress.step, position)) & 0x7FFFFFFFFFFFFFFF, batch

    def _rate(self, epochs: float) -> float:
        losses = [one.get("dev_mmi", one["dev_loss"]) for one in self.progress.history]
        share = rate_share(self._settings.schedule, epochs / self._settings.epochs, losses)
        return self._settings.optimizer.learning_rate * share

    def _skip(self, outcome: Outcome) -> None:
        """Leave out a step whose gradient is not finite, and say of which utterances."""
        progress, most = self.progress, self._settings.max_bad_steps
        infinite, words = blame(
            outcome.own_losses,
            outcome.own_ids,
            dataset=self._data.train,
            epoch=progress.epoch,
            world=self._world,
        )
        self.reporter.say(f"step {progress.step}: gradient not finite, step left out ({words})")
        progress.sums.skip(infinite)
        progress.bad_steps += 1
        if progress.bad_steps >= most:
            raise DivergenceError(
                f"training diverged: {most} steps (training.max_bad_steps) without a finite "
                "gradient; lower training.optimizer.learning_rate or clip_norm, and look at the "
                "utterances that are named above"
            )

    def _save_or_stop(self, stopping: bool) -> None:
        if stopping or time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes:
            self._save()
        if stopping:
            self.reporter.say("stopped; the checkpoint is written: run the same command to go on")
            raise Stopped

    def _save(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = self._saved = now
        if self._world.writes:
            save_checkpoint(self._folder, self.progress, self._trained)

    def _finish_epoch(self) -> None:
        progress = self.progress
        evaluation = evaluate(
            self._trained.model,
            self._data.dev,
            tokens=self._data.tokens,
            normalizer=self._data.normalizer,
            batch=self._settings.batch,
            world=self._world,
            denominator=self._denominator,
        )
        progress.epoch += 1
        record = self._record(evaluation, time.monotonic() - self._clock + progress.seconds)
        self._keep_best(record)
        progress.batches_in_epoch, progress.loss_sum, progress.token_sum = 0, 0.0, 0
        progress.sums = EpochSums()
        self.reporter.epoch(record)
        self._save()
        self._drop_others()
        if self._ended_early:
            patience = self._settings.patience
            self.reporter.say(
                f"ended: nothing better on dev for {patience} epochs (training.patience)"
            )
        self._world.wait()

    def _record(self, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
        progress = self.progress
        audio = sum(utterance.duration for utterance in self._data.train.utterances)
        epochs_per_second = progress.epoch / max(1e-9, seconds)
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "loss": progress.loss,
            **evaluation.record(),
            "learning_rate": self._rate(progress.epoch),
            "seconds": round(seconds, 1),
            "speed": audio * epochs_per_second,
            "padding_share": self._plan.padding(progress.epoch - 1),
            **progress.sums.record(audio),
        }

    def _keep_best(self, record: dict[str, Any]) -> None:
        """Keep the weights of the best epochs."""
        kept = ("epoch", "dev_wer", "dev_cer", "dev_loss", "dev_mmi")
        entry = {key: record[key] for key in kept if key in record}
        self.progress.history.append(entry)
        if self._world.writes:
            save_epoch(self._folder, self.progress.epoch, self._trained.model)
            if self._trained.average:
                save_average(self._folder, self._trained.average)

    def _drop_others(self) -> None:
        """Remove the weights of all epochs but the best that the checkpoint knows of.

        So it comes after the checkpoint: a kill in between must not cost one of the best.
        """
        if self._world.writes:
            best = best_first(self.progress.history)[: self._settings.keep]
            drop_epochs_except(self._folder, [one["epoch"] for one in best])
