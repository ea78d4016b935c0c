"""Weights of the recurrent layers, perturbed for one step: noise, and connections left out.

What is drawn depends on the seed and the number of the step alone, so that a training that was
stopped goes on exactly, and several processes learn with the same weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightPerturbation:
    """Perturbs the matrices of a model's recurrent layers while the gradient is computed.

    Noise: w + e with e ~ N(0, noise^2) on input-to-hidden and hidden-to-hidden matrices alike
    (Graves et al. 2013, section 3.4), drawn once a step. Dropout: hidden-to-hidden weights are left
    out with a probability, the others divided by 1 minus it (DropConnect as in Merity et al. 2018);
    what a weight is multiplied by, its gradient is, too.
    """

    def __init__(self, model: nn.Module, *, noise: float, dropout: float, seed: int) -> None:
        self._noise, self._dropout, self._seed = noise, dropout, seed
        layers = [layer for layer in model.modules() if isinstance(layer, nn.RNNBase)]
        named = [pair for layer in layers for pair in layer.named_parameters()]
        self._hidden: list[Tensor] = [
            weight for name, weight in named if name.startswith("weight_hh")
        ]
        self._matrices: list[Tensor] = [
            weight for name, weight in named if name.startswith("weight_")
        ]

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Perturb the weights of step `number` in the block; after it they are what they were."""
        changed = self._matrices if self._noise else self._hidden if self._dropout else []
        if not changed:
            yield
            return
        kept = [weight.detach().clone() for weight in changed]
        try:
            factors = self._perturb(number)
            yield
            for weight, factor in zip(self._hidden, factors, strict=False):
                if weight.grad is not None:
                    weight.grad.mul_(factor)
        finally:
            with torch.no_grad():
                torch._foreach_copy_(changed, kept)

    @torch.no_grad()
    def _perturb(self, number: int) -> list[Tensor]:
        """Draw; the factors of the hidden-to-hidden matrices, none without dropout."""
        generator = torch.Generator(self._hidden[0].device)
        generator.manual_seed(hash((self._seed, number)) & 0x7FFFFFFFFFFFFFFF)
        factors = []
        if self._dropout:
            keep = 1 - self._dropout
            for weight in self._hidden:
                factors.append(
                    torch.empty_like(weight).bernoulli_(keep, generator=generator) / keep
                )
                weight.mul_(factors[-1])
        if self._noise:
            for weight in self._matrices:
                weight.add_(torch.empty_like(weight).normal_(0, self._noise, generator=generator))
        return factors
