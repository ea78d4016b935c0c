"""The optimiser and its learning-rate schedule."""

import math

import torch
from pydantic import Field
from torch import nn

from asr.settings import Settings

_START_SHARE = 0.04  # of the peak: where the warm-up begins
_END_SHARE = 0.001  # of the peak: where the schedule ends


class OptimizerSettings(Settings):
    """AdamW (Loshchilov & Hutter 2019) under a one-cycle schedule (Smith & Topin 2018)."""

    learning_rate: float = Field(default=1e-3, gt=0)  # at the peak
    warmup_share: float = Field(default=0.15, ge=0, lt=1)  # of all steps
    weight_decay: float = Field(default=0.01, ge=0)  # on matrices, not on biases and norms
    clip_norm: float = Field(default=5.0, gt=0)  # of the whole gradient


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))


def learning_rate(settings: OptimizerSettings, done: float) -> float:
    """The rate when a share `done` (0 to 1) of the training is done.

    Linear up to the peak, then half a cosine down; a pure function, so resuming needs no state.
    """
    if done < settings.warmup_share:
        share = _START_SHARE + (1 - _START_SHARE) * done / settings.warmup_share
    else:
        cooling = (done - settings.warmup_share) / (1 - settings.warmup_share)
        cosine = (1 + math.cos(math.pi * min(1.0, cooling))) / 2
        share = _END_SHARE + (1 - _END_SHARE) * cosine
    return settings.learning_rate * share
