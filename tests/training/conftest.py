"""A training small enough to be run many times: twelve utterances, a thousand weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic_speech import RATE, make_texts, write_utterances

from asr.augment.settings import AugmentSettings
from asr.dataset import FrontEnd, SpeechDataset
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.features import FeatureExtractor, FeatureSettings
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.loop import train
from asr.training.settings import TrainingData, TrainingSettings


@dataclass
class TinyTraining:
    """Trains a tiny encoder on tone-per-letter speech, in `folder`."""

    utterances: list[Utterance]
    folder: Path
    dev: list[Utterance] | None = None  # None: the first three of the training set
    device: str = "cpu"
    settings: dict[str, Any] = field(
        default_factory=lambda: {
            "epochs": 4,
            "batch": {"max_utterances": 4, "per_step": 1},  # three steps an epoch
            "keep": 2,
        }
    )

    def encoder(self, seed: int) -> Encoder:
        torch.manual_seed(seed)
        settings = EncoderSettings(hidden=8, layers=1, factor=2, dropout=0.3)
        return Encoder(settings, inputs=8, tokens=8)

    def data(self) -> TrainingData:
        tokens, normalizer = Characters(" abcdef"), Normalizer("basic")
        extractor = FeatureExtractor(FeatureSettings(sample_rate=RATE, mels=8))

        def dataset(utterances: list[Utterance], augment: AugmentSettings | None) -> SpeechDataset:
            return SpeechDataset(
                utterances,
                FrontEnd(extractor, None),
                tokens=tokens,
                normalizer=normalizer,
                augment=augment,
                seed=1,
                cache_bytes=10**7,
            )

        return TrainingData(
            dataset(self.utterances, AugmentSettings()),
            dataset(self.dev or self.utterances[:3], None),
            tokens,
            normalizer,
        )

    def train(self, *, folder: Path | None = None, init: int = 1, **settings: Any) -> Encoder:
        """Train, or go on; `init` seeds the weights that an encoder has before a checkpoint."""
        encoder = self.encoder(init)
        if "batch" in settings:
            settings["batch"] = {"per_step": 1} | settings["batch"]
        train(
            encoder,
            self.data(),
            TrainingSettings.parse(self.settings | settings, "test"),
            folder=folder or self.folder,
            seed=1,
            device=torch.device(self.device),
        )
        return encoder


@pytest.fixture(scope="session")
def twelve_utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    return write_utterances(tmp_path_factory.mktemp("speech"), make_texts(12, seed=1, words=2))


@pytest.fixture
def tiny(twelve_utterances: list[Utterance], tmp_path: Path) -> TinyTraining:
    return TinyTraining(twelve_utterances, tmp_path / "training")


@pytest.fixture
def same_weights() -> Callable[[torch.nn.Module, torch.nn.Module], bool]:
    """Whether two models have the same weights, bit for bit."""

    def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
        first, second = one.state_dict(), other.state_dict()
        return first.keys() == second.keys() and all(
            torch.equal(first[name], second[name]) for name in first
        )

    return same
