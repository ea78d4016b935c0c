"""The CTC loss, per utterance, and the targets it cannot be computed for."""

import math

import torch
from torch import Tensor

from asr.dataset import Batch, SpeechDataset
from asr.encoder.encoder import Emissions, Encoder
from asr.errors import DataError
from asr.features import frame_mask
from asr.tokens import frames_needed


def ctc_losses(emissions: Emissions, batch: Batch) -> Tensor:
    """Negative log-likelihood of each target (Graves et al. 2006, eq. 8).

    Returns:
        (B,) in nats; infinite where the target does not fit into its frames.
    """
    there = emissions.log_probs.device
    # torch has no CTC for mps: the loss is computed on the CPU, the gradient finds its way back.
    here = torch.device("cpu") if there.type == "mps" else there
    losses = torch.nn.functional.ctc_loss(
        emissions.log_probs.to(here).transpose(0, 1),
        batch.targets,
        emissions.lengths.to(here),
        batch.target_lengths,
        blank=0,
        reduction="none",
    )
    return losses.to(there)


def smoothing_losses(emissions: Emissions) -> Tensor:
    """How far each frame is from holding all tokens equally probable: label smoothing for CTC.

    The sum over an utterance's frames u of KL(uniform || p_u) = -log V - 1/V sum_v log p_u(v), as
    Kim et al. 2018 (arXiv 1711.02212) add it to CTC: (1 - a) CTC + a KL.

    Returns:
        (B,) in nats; 0 where all tokens are equally probable in every frame.
    """
    log_probs = emissions.log_probs
    distance = -math.log(log_probs.shape[2]) - log_probs.mean(dim=2)
    valid = frame_mask(emissions.lengths, log_probs.shape[1])
    return distance.masked_fill(~valid, 0.0).sum(dim=1)


def refuse_infeasible(dataset: SpeechDataset, encoder: Encoder) -> None:
    """Raise DataError where a target does not fit into the frames of its fastest rendering."""
    infeasible = [
        f"{utterance.id} ({utterance.audio_path}: {needed} frames needed, {frames} there)"
        for index, utterance in enumerate(dataset.utterances)
        if (frames := encoder.frames(dataset.fewest_frames(index)))
        < (needed := frames_needed(dataset.targets(index).tolist()))
    ]
    if infeasible:
        raise DataError(
            f"{len(infeasible)} utterances have more tokens than encoder frames, so CTC cannot "
            f"emit them: {', '.join(infeasible[:5])}; check that text and audio belong together, "
            "leave them out, or lower encoder.factor"
        )
