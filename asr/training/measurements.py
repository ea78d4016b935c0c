"""What is measured at every step: gradient norms by layer, waiting for data, steps left out."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import torch
from torch import Tensor, nn

ALL = "all"  # of the layers together


@dataclass
class EpochSums:
    """Sums over the steps of the epoch at hand: plain data, so that a checkpoint can hold them."""

    steps: int = 0  # taken
    clipped: int = 0  # of those taken, the ones whose gradient was longer than allowed
    skipped: int = 0  # left out, since their gradient was not finite
    infinite: dict[str, int] = field(default_factory=dict)  # utterance id -> losses not finite
    norms: dict[str, list[float]] = field(default_factory=dict)  # layer -> sum and maximum
    step_seconds: float = 0.0
    wait_seconds: float = 0.0  # of them, spent waiting for a batch

    @contextmanager
    def timed(self, part: Literal["step_seconds", "wait_seconds"]) -> Iterator[None]:
        """Add the time that the block takes."""
        started = time.monotonic()
        yield
        setattr(self, part, getattr(self, part) + time.monotonic() - started)

    def take(self, norms: dict[str, float], clip_norm: float) -> None:
        """Count a step that is taken, by the norms of its gradient before clipping."""
        self.steps += 1
        self.clipped += norms[ALL] > clip_norm
        for layer, norm in norms.items():
            total, most = self.norms.get(layer, (0.0, 0.0))
            self.norms[layer] = [total + norm, max(most, norm)]

    def skip(self, infinite: Sequence[str]) -> None:
        """Count a step that is left out, and the utterances whose loss was not finite."""
        self.skipped += 1
        for name in infinite:
            self.infinite[name] = self.infinite.get(name, 0) + 1

    def record(self, speech_seconds: float) -> dict[str, Any]:
        """The epoch's part of metrics.jsonl, given how much speech the steps went through."""
        taken = max(1, self.steps)
        return {
            "gradient_norm": {
                layer: {"mean": total / taken, "max": most}
                for layer, (total, most) in self.norms.items()
            },
            "clipped_share": self.clipped / taken,
            "skipped_steps": self.skipped,
            "infinite_losses": dict(self.infinite),
            "data_wait": self.wait_seconds / max(1e-9, self.step_seconds),
            "throughput": speech_seconds / max(1e-9, self.step_seconds),
        }


class GradientGauge:
    """Measures a model's gradient, whole and by layer, while it clips it."""

    def __init__(self, model: nn.Module, clip_norm: float) -> None:
        """`clip_norm` bounds the norm of the whole gradient."""
        self._parameters = list(model.parameters())
        self._clip_norm = clip_norm
        grouped = groupby(layer_of(name) for name, _ in model.named_parameters())
        self._sizes = {layer: len(list(group)) for layer, group in grouped}

    def clip(self, numbers: Tensor) -> tuple[dict[str, float], list[float]]:
        """Clip the gradient as `torch.nn.utils.clip_grad_norm_` does.

        The norms of all tensors are taken in one go, and read in one synchronisation with the
        device, together with other numbers (N,) that are wanted of it.

        Returns:
            The norms before clipping, of all and by layer; and the numbers.
        """
        gradients = [
            torch.zeros_like(weight) if weight.grad is None else weight.grad
            for weight in self._parameters
        ]
        by_tensor = torch.stack(torch._foreach_norm(gradients))
        total = torch.linalg.vector_norm(by_tensor)
        nn.utils.clip_grads_with_norm_(self._parameters, self._clip_norm, total)
        by_layer = torch.split(by_tensor, [*self._sizes.values()])
        parts = [torch.linalg.vector_norm(part) for part in by_layer]
        values: list[float] = torch.cat([torch.stack([total, *parts]), numbers]).tolist()
        layers = [ALL, *self._sizes]
        return dict(zip(layers, values, strict=False)), values[len(layers) :]


def layer_of(parameter: str) -> str:
    """The layer that a parameter of the encoder belongs to, in a reader's words.

    'blocks.0.recurrent.back.bias_hh_l0' -> 'layer 1 back', 'head.weight' -> 'head'.
    """
    parts = parameter.split(".")
    if parts[0] != "blocks":
        return parts[0]
    inner = parts[3] if parts[2] == "recurrent" else parts[2]
    return f"layer {int(parts[1]) + 1} {inner}"
