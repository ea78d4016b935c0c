"""The optimiser."""

import torch
from pydantic import Field
from torch import nn

from asr.settings import Settings


class OptimizerSettings(Settings):
    """AdamW (Loshchilov & Hutter 2019)."""

    learning_rate: float = Field(default=1e-3, gt=0)  # at the peak
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
