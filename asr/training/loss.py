"""The CTC loss, per utterance, and how many frames a target needs."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from asr.dataset import Batch
from asr.encoder.encoder import Emissions


def ctc_losses(emissions: Emissions, batch: Batch) -> Tensor:
    """Negative log-likelihood of each target (Graves et al. 2006, eq. 8).

    Returns:
        (B,) in nats; infinite where the target does not fit into its frames.
    """
    return torch.nn.functional.ctc_loss(
        emissions.log_probs.transpose(0, 1),
        batch.targets,
        emissions.lengths,
        batch.target_lengths,
        blank=0,
        reduction="none",
    )


def frames_needed(targets: Sequence[int]) -> int:
    """Encoder frames a target needs: one a token, and a blank between equal neighbours."""
    repeats = sum(a == b for a, b in itertools.pairwise(targets))
    return len(targets) + repeats
