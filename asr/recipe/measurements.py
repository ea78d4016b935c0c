"""What an experiment has measured: the size of its model, its training, its error rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from asr.bundle import read_description
from asr.encoder.encoder import Encoder
from asr.errors import AsrError
from asr.recipe.config import Recipe
from asr.recipe.corpus import read_tokens
from asr.recipe.evaluation import SCORES
from asr.recipe.folder import StageFolder
from asr.recipe.stage import Stage
from asr.scoring.report import read_json
from asr.training.reporting import read_metrics


@dataclass(frozen=True)
class Rates:
    """Error rates of one set, as fractions of 1."""

    wer: float
    cer: float


@dataclass(frozen=True)
class Measurements:
    """What is known of an experiment; None is what is not known (yet)."""

    parameters: int | None = None  # of the encoder
    epochs: int | None = None  # trained, also where the training was not finished
    steps: int | None = None  # of the optimiser
    seconds: float | None = None  # of training, the evaluations on dev included
    frames_per_second: float | None = None  # feature frames learned from in a second of training
    rates: Mapping[str, Rates] = field(default_factory=dict)  # dev first, then the test sets


def measure(
    recipe: Recipe, stages: Sequence[Stage], folder: Path, *, finished: bool
) -> Measurements:
    """Read what an experiment's stages have left.

    Args:
        recipe: its settings.
        stages: its stages; only their folders are used.
        folder: of the experiment.
        finished: all is up to date; otherwise error rates may be of other settings, and only the
            size of the model and a training that was stopped are looked at.
    """
    places = {stage.name: StageFolder(folder, stage) for stage in stages}
    training = places["train"].finished if finished else places["train"].partial
    records = read_metrics(training)
    last: Mapping[str, Any] = records[-1] if records else {}
    speed = last.get("speed")  # seconds of audio in a second of training
    return Measurements(
        parameters=_parameters(recipe, places["tokens"].finished),
        epochs=last.get("epoch"),
        steps=last.get("step"),
        seconds=last.get("seconds"),
        frames_per_second=None if speed is None else speed / recipe.features.shift_seconds,
        rates=_rates(places) if finished else {},
    )


def _parameters(recipe: Recipe, tokens: Path) -> int | None:
    """Count the weights of a model that need not have been trained; None before it has tokens."""
    try:
        count = len(read_tokens(tokens))
    except (OSError, AsrError):
        return None
    with torch.device("meta"):
        encoder = Encoder(recipe.encoder, inputs=recipe.features.dimension, tokens=count)
    return sum(weight.numel() for weight in encoder.parameters())


def _rates(places: Mapping[str, StageFolder]) -> dict[str, Rates]:
    card = read_description(places["average"].finished)["card"]
    scored = read_json(places["score"].finished / SCORES)
    tests = {
        one["name"]: Rates(one["word_error_rate"], one["character_error_rate"]) for one in scored
    }
    return {"dev": Rates(card["dev_wer"], card["dev_cer"])} | tests
