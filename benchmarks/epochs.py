"""Whole epochs, data included, beside the model's steps alone: what `training.py --epoch` times."""

import random
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch
from steps import FACTOR

from asr.augment.settings import AugmentSettings, NoiseSettings, ReverbSettings
from asr.dataset import Batch, FrontEnd, SpeechDataset
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.features import FeatureExtractor, FeatureSettings
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.checkpoint import Trained
from asr.training.distributed import World
from asr.training.loader import BatchLoader, workers_wanted
from asr.training.measurements import EpochSums
from asr.training.optimizer import build_optimizer
from asr.training.plan import StepPlan
from asr.training.settings import TrainingSettings
from asr.training.step import TrainingStep

RATE, EPOCHS, CACHE = 16000, 3, 2**31
LETTERS = "abcdefghijklmnopqrstuvwxyz"
AUGMENTATIONS = {
    "speed and masks": AugmentSettings(speeds=(1.0,)),
    "noise and rooms, too": AugmentSettings(
        speeds=(1.0,),
        noise=NoiseSettings(probability=1.0),
        reverb=ReverbSettings(probability=1.0),
    ),
}


def write_utterances(folder: Path, count: int) -> list[Utterance]:
    """Noise of 2 to 15 s, with ten random letters a second."""
    chance, noise = random.Random(0), np.random.default_rng(0)
    found = []
    for number in range(count):
        seconds = round(chance.uniform(2, 15), 2)
        path = folder / f"{number}.flac"
        soundfile.write(path, noise.normal(0, 0.1, round(seconds * RATE)).clip(-1, 1), RATE)
        text = "".join(chance.choices(LETTERS, k=round(10 * seconds)))
        found.append(Utterance(str(number), path, seconds, text))
    return found


def print_epochs(
    utterances: list[Utterance], device: torch.device, *, layers: int, hidden: int
) -> None:
    """Print a line for each augmentation and epoch, and how fast the model is by itself."""
    audio = sum(one.duration for one in utterances)
    print(f"{len(utterances)} utterances, {audio / 60:.0f} min, {layers} x {hidden}, {device}")
    print(f"{'':<32} {'x real time':>12} {'waiting':>8} {'of the model':>13}")
    for words, augment in AUGMENTATIONS.items():
        training = Training(utterances, augment, device, layers=layers, hidden=hidden)
        with training.loader:
            sums = [training.epoch(number) for number in range(EPOCHS)]
        alone = training.model_alone()
        for number, one in enumerate(sums, start=1):
            share = one.wait_seconds / one.step_seconds
            print(
                f"{f'{words}, epoch {number}':<32} {audio / one.step_seconds:12.0f} {share:8.0%} "
                f"{alone / one.step_seconds:13.0%}"
            )
        print(f"{'the same steps, data at hand':<32} {audio / alone:12.0f}")


class Training:
    """Steps of one process, as training takes them."""

    def __init__(
        self,
        utterances: list[Utterance],
        augment: AugmentSettings,
        device: torch.device,
        *,
        layers: int,
        hidden: int,
    ) -> None:
        """`augment` is done to the utterances; the model is one of random weights."""
        torch.manual_seed(0)
        features, tokens = FeatureSettings(cmvn="per_utterance"), Characters(LETTERS)
        dataset = SpeechDataset(
            utterances,
            FrontEnd(FeatureExtractor(features), None),
            tokens=tokens,
            normalizer=Normalizer("none"),
            augment=augment,
            cache_bytes=CACHE,
        )
        shape = EncoderSettings(hidden=hidden, layers=layers, factor=FACTOR)
        encoder = Encoder(shape, inputs=features.dimension, tokens=len(tokens)).to(device)
        settings = TrainingSettings()
        trained = Trained(encoder, build_optimizer(encoder, settings.optimizer), None)
        self._take = TrainingStep(trained, settings, World())
        self._plan = StepPlan(dataset, settings.batch, seed=0, world=World())
        self.loader = BatchLoader(
            dataset,
            self._plan.keys(range(EPOCHS), 0),
            workers=workers_wanted(None, device),
            pinned=device.type == "cuda",
        )
        self._last: list[tuple[list[Batch], int]] = []  # batches and tokens of the last epoch

    def epoch(self, number: int) -> EpochSums:
        """Take the steps of an epoch, and time them and the waiting for data."""
        sums, self._last = EpochSums(), []
        for members in self._plan.steps(number):
            batches: list[Batch] = []
            tokens = self._plan.tokens(members, number)
            with sums.timed("step_seconds"):
                self._step(self._wait_for(len(members), sums, batches), tokens)
            self._last.append((batches, tokens))
        return sums

    def model_alone(self) -> float:
        """Seconds of the last epoch's steps, its batches at hand."""
        started = time.monotonic()
        for batches, tokens in self._last:
            self._step(batches, tokens)
        return time.monotonic() - started

    def _wait_for(self, count: int, sums: EpochSums, kept: list[Batch]) -> Iterable[Batch]:
        for _ in range(count):
            with sums.timed("wait_seconds"):
                kept.append(self.loader.next())
            yield kept[-1]

    def _step(self, batches: Iterable[Batch], tokens: int) -> None:
        numbered = ((0, batch) for batch in batches)
        self._take(numbered, tokens=tokens, rate=1e-4, number=1, stop=lambda: False)
