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
        valid = _clear_padding(features, lengths)
        padded = nn.functional.pad(valid, (0, 0, 0, -frames % self.factor))
        stacked = padded.reshape(batch, -1, size * self.factor)
        return stacked, _divide_up(lengths, self.factor)


class Convolution(nn.Module):
    """Strided convolutions over time and frequency, one for each prime of the factor.

    A kernel is 3 x 3, or longer in time where the stride is above 2: it reaches up to the centres
    of its neighbours, so that every frame is heard, the last ones too.
    """

    def __init__(self, inputs: int, factor: int, channels: int) -> None:
        super().__init__()
        self._strides = prime_factors(factor) or [1]
        layers, size = [], inputs
        for number, stride in enumerate(self._strides):
            came = channels if number else 1
            kernel = (max(3, 2 * stride - 1), 3)
            padding = (kernel[0] // 2, 1)
            layers.append(nn.Conv2d(came, channels, kernel, stride=(stride, 2), padding=padding))
            size = subsampled(size, 2)
        self.layers = nn.ModuleList(layers)
        self.outputs = size * channels

    @property
    def reach(self) -> int:
        """Frames on each side of an output's own first one that it hears."""
        reach, stride_before = 0, 1
        for stride in self._strides:
            reach += stride_before * (max(3, 2 * stride - 1) // 2)
            stride_before *= stride
        return reach

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, F) -> (B, U, channels * F'); what lies past a length counts as zeros."""
        maps = features.unsqueeze(1)
        for layer, stride in zip(self.layers, self._strides, strict=True):
            # Each convolution would carry padding into the last valid frames: clear it first.
            maps = _clear_padding(maps.transpose(1, 2), lengths).transpose(1, 2)
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


def _clear_padding(features: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, …) with zeros past each length, whatever stood there (NaN included)."""
    valid = frame_mask(lengths, features.shape[1])
    padding = ~valid.view(*valid.shape, *[1] * (features.dim() - 2))
    return features.masked_fill(padding, 0.0)


def _divide_up(lengths: Tensor, factor: int) -> Tensor:
    return (lengths + factor - 1).div(factor, rounding_mode="floor")
