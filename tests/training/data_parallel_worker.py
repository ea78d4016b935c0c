"""One process of a tiny data parallel training; torchrun starts it with MANIFEST FOLDER PLAN."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import torch
from synthetic_speech import RATE
from torch import Tensor

from asr.batching import BatchSettings
from asr.dataset import Batch, FrontEnd, SpeechDataset
from asr.encoder.encoder import Emissions, Encoder, EncoderSettings
from asr.features import FeatureExtractor, FeatureSettings
from asr.manifest import read_manifest
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training import loop
from asr.training import plan as plan_module
from asr.training import step as step_module
from asr.training.loss import ctc_losses
from asr.training.settings import TrainingData, TrainingSettings


def train_tiny(
    manifest: Path,
    folder: Path,
    plan: list[list[int]],
    *,
    poisoned: bool = True,
    **settings: Any,
) -> None:
    """Train three epochs on the batches of `plan`, without chance, in float32, at one rate.

    Where poisoned, utt-003 has an infinite loss in the very first step.
    """
    steps = itertools.count()

    def losses(emissions: Emissions, batch: Batch) -> Tensor:
        bad = torch.tensor([name == "utt-003" for name in batch.ids])
        factor = torch.where(bad, torch.inf, 1.0) if poisoned and next(steps) == 0 else 1.0
        return ctc_losses(emissions, batch) * factor

    plan_module.plan_batches = lambda *_, **__: plan
    step_module.ctc_losses = losses
    loop.rate_share = lambda *_: 1.0
    torch.manual_seed(1)
    encoder = Encoder(EncoderSettings(hidden=8, layers=1, factor=2, dropout=0), inputs=8, tokens=8)
    tokens, normalizer = Characters(" abcdef"), Normalizer("basic")
    dataset = SpeechDataset(
        read_manifest(manifest),
        FrontEnd(FeatureExtractor(FeatureSettings(sample_rate=RATE, mels=8)), None),
        tokens=tokens,
        normalizer=normalizer,
    )
    loop.train(
        encoder,
        TrainingData(dataset, dataset, tokens, normalizer),
        TrainingSettings(
            epochs=3, precision="float32", batch=BatchSettings(per_step=1), **settings
        ),
        folder=folder,
        seed=1,
        device=torch.device("cpu"),
    )


if __name__ == "__main__":
    train_tiny(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
