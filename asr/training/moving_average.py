"""The exponential moving average of a model's weights (Polyak & Juditsky 1992)."""

import torch
from torch import Tensor, nn


class MovingAverage:
    """Follows the weights of a model, step by step."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """`decay` is the share of the old average that a step keeps."""
        self._decay = decay
        self._weights = {name: weight.detach() for name, weight in model.named_parameters()}
        self.average = {name: weight.clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 1.

        Early on the average forgets faster, (1 + step) / (10 + step), so that the random weights
        of the beginning do not linger.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self._weights.values()), 1 - decay)

    def load(self, average: dict[str, Tensor]) -> None:
        """Go on from an average that was kept. Raises KeyError where a weight is missing."""
        for name, weight in self.average.items():
            weight.copy_(average[name])
