"""What a training is told and given."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from asr.batching import BatchSettings
from asr.dataset import SpeechDataset
from asr.encoder.encoder import Encoder
from asr.errors import ConfigError
from asr.settings import Settings
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.optimizer import OptimizerSettings
from asr.training.precision import Precision
from asr.training.schedule import ScheduleSettings


class IntermediateSettings(Settings):
    """The loss of lower layers, through the same head (Lee & Watanabe 2021)."""

    layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)  # recurrent, from 1
    weight: float = Field(default=0.3, gt=0, lt=1)  # of all of them together


class TrainingSettings(Settings):
    """How long and how fast the model learns."""

    epochs: int = Field(default=30, ge=1)  # passes over the training utterances
    batch: BatchSettings = BatchSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    patience: int | None = Field(default=None, ge=1)  # epochs with nothing better on dev, then end
    # A model folder, an experiment, or the name of a model that comes with asr: training goes on
    # from its weights, and what the recipe leaves open of normalizer, features, encoder, tokens and
    # decoding.warps is as it is there; encoder.layers may be more. None: from random ones.
    initialize_from: str | None = Field(default=None, min_length=1)
    intermediate: IntermediateSettings | None = None  # None: the loss is that of the output alone
    # How much the target must win against all other sequences of tokens, as probable as trigrams of
    # the training make them (maximum mutual information, Xiang & Ou 2019); None: CTC alone.
    mmi: float | None = Field(default=None, gt=0, le=1)
    # Share of the loss that asks for equally probable tokens (Kim et al. 2018); None: nothing.
    label_smoothing: float | None = Field(default=None, gt=0, lt=1)
    # Standard deviation of the noise on recurrent layers' matrices (Graves et al. 2013).
    weight_noise: float | None = Field(default=None, gt=0)
    # Share of the hidden-to-hidden weights that a step goes without (Merity et al. 2018).
    weight_dropout: float | None = Field(default=None, gt=0, lt=1)
    moving_average: float | None = Field(default=None, gt=0, lt=1)  # decay a step; None: none
    precision: Precision = "auto"  # of matrix products: bfloat16 where the hardware has it
    keep: int = Field(default=3, ge=1)  # best epochs, whose weights are averaged at the end
    # What a CPU trains with, at most per_step of them; None: as many as there are cores.
    processes: int | None = Field(default=None, ge=1)
    # Processes that make batches ahead of the model; None: none for a CPU, up to 8 for a GPU.
    workers: int | None = Field(default=None, ge=0)
    cache_gib: float = Field(default=2.0, ge=0)  # of features in memory, in each process
    max_bad_steps: int = Field(default=20, ge=1)  # in all, before training is called diverged
    tensorboard: bool = False  # whether to write events for it, too
    checkpoint_minutes: float = Field(default=5.0, gt=0)  # what a power cut costs at most


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what is measured on."""

    train: SpeechDataset
    dev: SpeechDataset
    tokens: TokenTable
    normalizer: Normalizer


def refuse_missing_layers(encoder: Encoder, settings: TrainingSettings) -> None:
    """Raise ConfigError where an intermediate loss is asked of a layer that is not below others."""
    layers = settings.intermediate.layers if settings.intermediate else ()
    below = encoder.settings.layers - 1
    if any(layer > below for layer in layers):
        raise ConfigError(
            f"training.intermediate.layers is {list(layers)}; the encoder has {below + 1} layers, "
            f"of which 1 to {below} are below the last"
        )
