"""A recording heard as several voices: its frequency axis warped, and what is heard averaged.

A model that has learned from few speakers depends on who speaks. Warps make other voices of one, as
in training (`augment.frequency_warp`), and the model errs less where they agree.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from asr.augment.spectrogram import warp_frequencies

# One for each voice; 1 is the recording as it is. None at all: that alone.
Warps = tuple[Annotated[float, Field(ge=0.5, le=1.5)], ...]


def as_voices(features: Tensor, warps: Sequence[float]) -> Tensor:
    """Features (B, T, F), normalised log-mel energies -> (W·B, T, F), of each voice in turn."""
    return torch.cat([warp_frequencies(features, warp) for warp in warps]) if warps else features


def agreed(log_probs: Tensor, warps: Sequence[float]) -> Tensor:
    """Log-probabilities (W·B, U, V) of all voices -> (B, U, V) of what they agree on.

    Probabilities are those of their geometric mean, so that one voice alone is left as it is.
    """
    if len(warps) < 2:
        return log_probs
    each = len(log_probs) // len(warps)
    voices = log_probs.view(len(warps), each, *log_probs.shape[1:])
    return voices.mean(dim=0).log_softmax(dim=2)
