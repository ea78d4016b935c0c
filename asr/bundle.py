"""A model is a folder: weights in safetensors, everything else in JSON; opening one runs no code.

model.json          format, settings, tokens, normaliser, and the card: what it was trained on
model.safetensors   the encoder's weights and the feature statistics, stored as asr.weights says
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from asr import __version__
from asr.dataset import FrontEnd
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.errors import ConfigError, ModelError, one_line
from asr.features import FeatureExtractor, FeatureSettings, FeatureStats
from asr.files import write_text
from asr.shipped import find_model
from asr.text import Normalizer
from asr.tokens import TokenTable, tokens_from_json
from asr.voices import Warps
from asr.weights import Storage, read_weights, write_weights

FORMAT = 1
MODEL_FOLDER = "08_tune"  # where a finished experiment has its model
INNER_FOLDERS = (MODEL_FOLDER, "07_average")  # the second where it was stopped before that
_JSON = "model.json"
WEIGHTS = "model.safetensors"
_ENCODER = "encoder."
_STATS = "stats."


@dataclass(frozen=True)
class ModelText:
    """The side of a model that is turned to the text."""

    tokens: TokenTable
    normalizer: Normalizer
    frame_seconds: float  # from one encoder frame to the next


@dataclass(frozen=True)
class Bundle:
    """All that is needed to transcribe."""

    features: FeatureSettings
    stats: FeatureStats | None
    encoder: Encoder
    tokens: TokenTable
    normalizer: Normalizer
    card: Mapping[str, Any] = field(default_factory=dict)
    warps: Warps = ()  # voices that it hears every recording as (asr.voices)

    @property
    def front_end(self) -> FrontEnd:
        """What happens to a recording before the encoder."""
        return FrontEnd(FeatureExtractor(self.features), self.stats)

    @property
    def text_side(self) -> ModelText:
        """What decoding has to know of it."""
        seconds = frame_seconds(self.features, self.encoder.settings)
        return ModelText(self.tokens, self.normalizer, seconds)

    def encoder_frames(self, seconds: float) -> int:
        """Encoder frames U of so many seconds of audio."""
        samples = round(seconds * self.features.sample_rate)
        return self.encoder.frames(self.features.frames(samples))


def save_bundle(folder: Path, bundle: Bundle, storage: Storage = "float32") -> None:
    """Write a model folder, its weights stored as they are or smaller."""
    weights = {_ENCODER + name: tensor for name, tensor in bundle.encoder.state_dict().items()}
    if bundle.stats is not None:
        weights |= {_STATS + "mean": bundle.stats.mean, _STATS + "std": bundle.stats.std}
    description = {
        "format": FORMAT,
        "asr_version": __version__,
        "normalizer": bundle.normalizer.name,
        "features": bundle.features.model_dump(mode="json"),
        "encoder": bundle.encoder.settings.model_dump(mode="json"),
        "tokens": bundle.tokens.to_json(),
        "weights": storage,
        "warps": list(bundle.warps),
        "card": dict(bundle.card),
    }
    write_weights(folder / WEIGHTS, weights, storage)
    _write_description(folder, description)


def update_model(folder: Path, card: Mapping[str, Any], warps: Warps) -> None:
    """Write into a model folder how its model hears, and for its card what was measured so."""
    description = read_description(folder)
    card = description.get("card", {}) | dict(card)
    changed = {"warps": list(warps), "card": card}
    _write_description(model_folder(folder), description | changed)


def stored_as(description: Mapping[str, Any]) -> str:
    """How a model's weights are stored, by its description."""
    return str(description.get("weights", "float32"))


def load_bundle(folder: Path, device: torch.device | str = "cpu") -> Bundle:
    """Open a model folder.

    Raises:
        ModelError: it is not a model folder, it is damaged, or a newer version wrote it.
    """
    description = read_description(folder)
    features, settings, normalizer, tokens = _read_settings(folder, description)
    folder = model_folder(folder)
    where = str(folder / _JSON)
    weights = read_weights(folder / WEIGHTS)
    with torch.device("meta"):  # what has no memory can be compared, however large it says it is
        encoder = Encoder(settings, inputs=features.dimension, tokens=len(tokens))
    inside = {
        name.removeprefix(_ENCODER): weight
        for name, weight in weights.items()
        if name.startswith(_ENCODER)
    }
    try:
        encoder.load_state_dict(inside, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"{folder / WEIGHTS}: does not fit {where} ({one_line(error)}); copy the model again"
        ) from None
    stats = None
    if features.cmvn == "global":
        stats = _stats(weights, features.dimension, folder / WEIGHTS)
    encoder.to(device).eval()
    warps = _warps(description, features, where)
    return Bundle(features, stats, encoder, tokens, normalizer, description.get("card", {}), warps)


def read_text_side(folder: Path) -> ModelText:
    """Read what decoding has to know of a model, without its weights.

    Raises:
        ModelError: it is not a model folder, it is damaged, or a newer version wrote it.
    """
    features, encoder, normalizer, tokens = _read_settings(folder, read_description(folder))
    return ModelText(tokens, normalizer, frame_seconds(features, encoder))


def frame_seconds(features: FeatureSettings, encoder: EncoderSettings) -> float:
    """Seconds from one encoder frame to the next; exactly, since over hours rounding would tell."""
    return encoder.factor * features.shift / features.sample_rate


def _read_settings(
    folder: Path, description: Mapping[str, Any]
) -> tuple[FeatureSettings, EncoderSettings, Normalizer, TokenTable]:
    where = str(model_folder(folder) / _JSON)
    try:
        return (
            FeatureSettings.parse(description["features"], f"{where}: features"),
            EncoderSettings.parse(description["encoder"], f"{where}: encoder"),
            Normalizer(description["normalizer"]),
            tokens_from_json(description["tokens"], where),
        )
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError(
            f"{where}: not a complete model description ({error}); copy the model again, or train "
            "it anew"
        ) from None


def refuse_warps(features: FeatureSettings, warps: Warps) -> None:
    """Raise ConfigError where features have no frequency axis that could be warped."""
    if warps and features.kind != "log_mel":
        raise ConfigError(
            f"warps are of log-mel energies, and the features are {features.kind}: leave the warps "
            "out, or train with features.kind=log_mel"
        )


def _warps(description: Mapping[str, Any], features: FeatureSettings, where: str) -> Warps:
    try:
        warps = TypeAdapter(Warps).validate_python(description.get("warps", ()))
        refuse_warps(features, warps)
    except (ValidationError, ConfigError) as error:
        raise ModelError(f"{where}: warps: {one_line(error)}; copy the model again") from None
    return warps


def read_description(folder: Path) -> dict[str, Any]:
    """Read model.json without loading the weights. Raises ModelError where it cannot be used."""
    path = model_folder(folder) / _JSON
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: not a model folder: there is no {_JSON} in it; "
            "expected an experiment folder, exp/NAME, that `asr run` has finished, or its model"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the model again") from None
    version = description.get("format") if isinstance(description, dict) else None
    if version != FORMAT:
        raise ModelError(
            f"{path}: model format {version!r} came; this version of asr reads {FORMAT}; "
            "use the version that wrote it, or train again"
        )
    if not isinstance(description.get("card", {}), dict):
        raise ModelError(
            f"{path}: key 'card': {description['card']!r} came; expected an object; copy the model "
            "again"
        )
    return dict(description)


def model_folder(folder: Path) -> Path:
    """An experiment folder stands for the model in it, a name for one that comes with asr."""
    folder = find_model(folder)
    places = [folder, *(folder / name for name in INNER_FOLDERS)]
    return next((place for place in places if (place / _JSON).exists()), folder)


def _write_description(folder: Path, description: Mapping[str, Any]) -> None:
    write_text(folder / _JSON, json.dumps(description, ensure_ascii=False, indent=1) + "\n")


def _stats(weights: Mapping[str, Tensor], dimension: int, path: Path) -> FeatureStats:
    for name in (_STATS + "mean", _STATS + "std"):
        if name not in weights:
            raise ModelError(
                f"{path}: '{name}' is missing, which global CMVN needs; copy the model again"
            )
        shape = tuple(weights[name].shape)
        if shape != (dimension,):
            raise ModelError(
                f"{path}: '{name}' has the shape {shape}; expected ({dimension},), "
                "one number a feature; copy the model again"
            )
    return FeatureStats(weights[_STATS + "mean"], weights[_STATS + "std"])
