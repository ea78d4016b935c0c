"""One optimiser step: the gradient of its batches, of all processes, clipped and applied."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from asr.dataset import Batch
from asr.encoder.encoder import Emissions
from asr.training.checkpoint import Trained
from asr.training.denominator import Denominator
from asr.training.distributed import World
from asr.training.loss import ctc_losses, smoothing_losses
from asr.training.measurements import ALL, GradientGauge
from asr.training.perturbation import WeightPerturbation
from asr.training.precision import uses_bfloat16
from asr.training.settings import TrainingSettings


@dataclass(frozen=True)
class Outcome:
    """What a step has found, whether it was taken or not."""

    loss: float  # nats, summed over the utterances of all processes
    norms: dict[str, float]  # of the gradient before clipping: all of it, and by layer
    stop: bool  # whether any process was asked to stop
    own_losses: Tensor  # (B,) nats, of the utterances of this process
    own_ids: tuple[str, ...]

    @property
    def taken(self) -> bool:
        """Whether the gradient was finite; otherwise no weight has changed."""
        return math.isfinite(self.norms[ALL])


class TrainingStep:
    """Takes steps with what learns."""

    def __init__(
        self,
        trained: Trained,
        settings: TrainingSettings,
        world: World,
        *,
        seed: int = 0,
        denominator: Denominator | None = None,
    ) -> None:
        """Make it ready.

        Args:
            trained: what learns.
            settings: how it learns.
            world: the processes that share a step.
            seed: of the noise on weights, where there is any.
            denominator: what competes with the targets, where the settings ask for it.
        """
        self._trained, self._world = trained, world
        self._parameters = list(trained.model.parameters())
        self._device = self._parameters[0].device
        self._half = uses_bfloat16(settings.precision, self._device)
        intermediate = settings.intermediate
        self._early = intermediate.layers if intermediate else ()
        self._weight = intermediate.weight if intermediate else 0.0
        self._smoothing = settings.label_smoothing or 0.0
        self._competing = settings.mmi or 0.0
        self._denominator = denominator
        self._perturbation = WeightPerturbation(
            trained.model,
            noise=settings.weight_noise or 0.0,
            dropout=settings.weight_dropout or 0.0,
            seed=seed,
        )
        self._gauge = GradientGauge(trained.model, settings.optimizer.clip_norm)

    def __call__(
        self,
        batches: Iterable[tuple[int, Batch]],
        *,
        tokens: int,
        rate: float,
        number: int,
        stop: Callable[[], bool],
    ) -> Outcome:
        """Take a step, unless its gradient is not finite; all processes have to call.

        Args:
            batches: this process's, each with the seed of its dropout; there may be none.
            tokens: target tokens in the batches of all processes, which the gradient is a mean of.
            rate: the learning rate.
            number: of the step, counted from 1.
            stop: whether this process was asked to stop, asked after its batches.
        """
        optimizer = self._trained.optimizer
        optimizer.zero_grad(set_to_none=True)
        with self._perturbation.step(number):
            losses, names = self._backward(batches, tokens)
        numbers = torch.stack([losses.sum(), losses.new_tensor(float(stop()))])
        totals = self._world.sum_gradients(self._parameters, numbers)
        norms, (loss, stops) = self._gauge.clip(totals)
        outcome = Outcome(loss, norms, bool(stops), losses, names)
        if outcome.taken:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            if self._trained.average:
                self._trained.average.update(number)
        return outcome

    def _backward(
        self, batches: Iterable[tuple[int, Batch]], tokens: int
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Add up the gradient of this process's batches; their losses (B,) and ids."""
        found = [torch.zeros(0, device=self._device)]
        names: tuple[str, ...] = ()
        for seed, batch in batches:
            torch.manual_seed(seed)
            losses, learned_from = self._losses(batch)
            torch.autograd.backward(learned_from.sum() / max(1, tokens))
            found.append(losses.detach())
            names += batch.ids
        return torch.cat(found), names

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (B,) of each utterance, and what is learned from: with the lower layers' losses."""
        self._trained.model.train()
        there = batch.features.to(self._device, non_blocking=True)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            emissions = self._trained.model(
                there, batch.feature_lengths.to(self._device), self._early
            )
        losses = ctc_losses(emissions, batch)
        learned_from = losses
        if self._denominator:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                learned_from = losses + self._competing * self._denominator(emissions)
        if emissions.early:
            lower = [
                ctc_losses(Emissions(log_probs, emissions.lengths), batch)
                for log_probs in emissions.early
            ]
            lowest = torch.stack(lower).mean(dim=0)
            learned_from = learned_from + self._weight * (lowest - learned_from)
        if self._smoothing:
            smooth = smoothing_losses(emissions)
            learned_from = learned_from + self._smoothing * (smooth - learned_from)
        return losses, learned_from
