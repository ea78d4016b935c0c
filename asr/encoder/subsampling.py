"""Subsampling: fewer, wider frames for the recurrent layers."""

import torch
from torch import Tensor, nn

from asr.features import frame_mask


def subsampled(frames: int, factor: int) -> int:
    """Encoder frames U of T feature frames: the quotient, rounded up."""
    return -(-frames // factor)


class Stacking(nn.Module):
    """Join each `factor` neighbouring frames into one."""

    def __init__(self, inputs: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.outputs = inputs * factor

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, F) -> (B, U, F * factor); what lies past a length counts as zeros."""
        batch, frames, size = features.shape
        valid = features * frame_mask(lengths, frames).unsqueeze(2)
        padded = nn.functional.pad(valid, (0, 0, 0, -frames % self.factor))
        stacked = padded.reshape(batch, -1, size * self.factor)
        return stacked, _divide_up(lengths, self.factor)


class Convolution(nn.Module):
    """Strided 3 x 3 convolutions over time and frequency, one for each prime of the factor."""

    def __init__(self, inputs: int, factor: int, channels: int) -> None:
        super().__init__()
        self._strides = prime_factors(factor) or [1]
        layers, size = [], inputs
        for number, stride in enumerate(self._strides):
            came = channels if number else 1
            layers.append(nn.Conv2d(came, channels, kernel_size=3, stride=(stride, 2), padding=1))
            size = subsampled(size, 2)
        self.layers = nn.ModuleList(layers)
        self.outputs = size * channels

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, F) -> (B, U, channels * F'); what lies past a length counts as zeros."""
        maps = features.unsqueeze(1)
        for layer, stride in zip(self.layers, self._strides, strict=True):
            # Each convolution would carry padding into the last valid frames: clear it first.
            maps = maps * frame_mask(lengths, maps.shape[2])[:, None, :, None]
            maps = torch.relu(layer(maps))
            lengths = _divide_up(lengths, stride)
        return maps.transpose(1, 2).flatten(2), lengths


def prime_factors(number: int) -> list[int]:
    """12 -> [2, 2, 3]."""
    factors, divisor = [], 2
    while number > 1:
        if number % divisor:
            divisor += 1
        else:
            factors.append(divisor)
            number //= divisor
    return factors


def _divide_up(lengths: Tensor, factor: int) -> Tensor:
    return (lengths + factor - 1).div(factor, rounding_mode="floor")
