"""Evaluation during training: loss, WER and CER of the development set, greedily decoded."""

from dataclasses import dataclass

import torch
from torch import nn

from asr.batching import BatchSettings, plan_batches
from asr.dataset import Batch, SpeechDataset, collate
from asr.decoding.greedy import greedy_decode
from asr.encoder.encoder import Emissions
from asr.scoring.error_rate import ErrorCounts, character_errors, word_errors
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.loss import ctc_losses


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on a development set."""

    loss: float  # nats per target token
    words: ErrorCounts
    characters: ErrorCounts
    blank_share: float  # of the frames, those where the blank is the best token
    example: tuple[str, str]  # reference and hypothesis of one utterance


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    dataset: SpeechDataset,
    *,
    tokens: TokenTable,
    normalizer: Normalizer,
    batch: BatchSettings,
) -> Evaluation:
    """Decode a development set greedily and count the errors against its raw, normalised text."""
    model.eval()
    device = next(model.parameters()).device
    frames = [dataset.frames(index, 0) for index in range(len(dataset))]
    loss = token_count = blanks = frame_count = 0.0
    hypotheses: dict[str, str] = {}
    for indices in plan_batches(frames, batch, seed=0, epoch=0):
        examples = collate([dataset.example(index, 0) for index in indices])
        emissions: Emissions = model(
            examples.features.to(device), examples.feature_lengths.to(device)
        )
        on_cpu = Emissions(emissions.log_probs.cpu(), emissions.lengths.cpu())
        losses = ctc_losses(on_cpu, examples)
        loss += float(losses[losses.isfinite()].sum())
        token_count += float(examples.target_lengths.sum())
        for identifier, log_probs in zip(examples.ids, _each(on_cpu, examples), strict=True):
            hypotheses[identifier] = greedy_decode(log_probs, tokens).text
            blanks += float((log_probs.argmax(dim=1) == 0).sum())
            frame_count += len(log_probs)
    references = {u.id: normalizer(u.text or "") for u in dataset.utterances}
    pairs = [(reference, hypotheses[name]) for name, reference in references.items()]
    return Evaluation(
        loss=loss / max(1.0, token_count),
        words=sum((word_errors(*pair) for pair in pairs), start=ErrorCounts()),
        characters=sum((character_errors(*pair) for pair in pairs), start=ErrorCounts()),
        blank_share=blanks / max(1.0, frame_count),
        example=pairs[0],
    )


def _each(emissions: Emissions, batch: Batch) -> list[torch.Tensor]:
    return [
        emissions.log_probs[row, : int(emissions.lengths[row])] for row in range(len(batch.ids))
    ]
