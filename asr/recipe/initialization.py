"""The model that a training starts from: what fits, what is taken over, what is new."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from asr.bundle import WEIGHTS, load_bundle, model_folder, read_description, read_text_side
from asr.encoder.encoder import Encoder
from asr.errors import ConfigError, DataError, ModelError
from asr.features import FeatureStats
from asr.files import write_bytes
from asr.recipe.config import Recipe
from asr.tokens import TokenTable, describe_characters

_START = "start.safetensors"
_HEAD = "head."
_KEY = "training.initialize_from"
_FREE = {"dropout"}  # settings of the encoder that no weight depends on
_SHAPE = ("normalizer", "features", "encoder", "tokens")  # of a description: what it is, in short


def start_fingerprint(recipe: Recipe) -> str | None:
    """Hash of the model that the recipe starts from; None: it is not at hand; '': there is none."""
    folder = _start(recipe)
    return "" if folder is None else model_fingerprint(folder)


def model_fingerprint(folder: Path) -> str | None:
    """Hash of a model's weights, and of what they are the weights of; None: it is not at hand."""
    try:
        description = read_description(folder)
        with (model_folder(folder) / WEIGHTS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except (ModelError, OSError):
        return None
    parts = {key: description.get(key) for key in _SHAPE}
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()


def refuse_other_model(recipe: Recipe) -> None:
    """Check that the recipe hears and is built as the model it starts from.

    Raises:
        ConfigError: naming the settings that differ, with what to set.
        ModelError: there is no such model.
    """
    folder = _start(recipe)
    if folder is None:
        if recipe.tokens.kind == "model":
            raise ConfigError(
                f"tokens.kind is model, and {_KEY} names no model to take tokens from; name one, "
                "or choose characters, bpe or phones"
            )
        return
    there, here = read_description(folder), recipe.model_dump(mode="json")
    read_text_side(folder)  # for its errors
    layers: int = here["encoder"]["layers"]
    added = layers - there["encoder"].get("layers", layers)
    wrong = [
        (f"{section}.{key}", there[section].get(key), here[section].get(key))
        for section in ("features", "encoder")
        for key in sorted({*there[section], *here[section]})
        if _matters(section, key, here[section])
        and there[section].get(key) != here[section].get(key)
        and not (section == "encoder" and key == "layers" and added > 0)
    ]
    if recipe.tokens.kind == "model" and there["normalizer"] != recipe.normalizer:
        wrong.append(("normalizer", there["normalizer"], recipe.normalizer))
    if wrong:
        came = ", ".join(f"{key} is {mine!r}, there {its!r}" for key, its, mine in wrong)
        changes = " ".join(f"--set {key}={_yaml(its)}" for key, its, _ in wrong)
        raise ConfigError(
            f"{_KEY}: {folder} is another model than the recipe's: {came}; its weights fit only "
            f"where these are equal: {changes}; or leave them out of the recipe, and they are "
            "those of the model"
        )


def start_stats(recipe: Recipe) -> FeatureStats | None:
    """Feature statistics of the model that the recipe starts from, which its weights are used to.

    None where it starts from none.
    """
    folder = _start(recipe)
    return None if folder is None else load_bundle(folder).stats


def start_tokens(recipe: Recipe, texts: Iterable[str]) -> TokenTable:
    """The token table of the model that the recipe starts from.

    Args:
        recipe: its settings.
        texts: of the training, normalised.

    Raises:
        ConfigError: the recipe starts from none.
        DataError: a text has characters that the model has no token for.
    """
    refuse_other_model(recipe)
    folder = _start(recipe)
    assert folder is not None
    table = read_text_side(folder).tokens
    unknown = table.unknown("".join(texts).replace(" ", ""))
    if unknown:
        raise DataError(
            f"tokens.kind is model, and {folder} has no token for {describe_characters(unknown)} "
            "of the training transcripts; mend the transcripts, or learn tokens anew "
            "(tokens.kind=characters), with a new output layer"
        )
    return table


def initialize(encoder: Encoder, recipe: Recipe, tokens: TokenTable, output: Path | None) -> None:
    """Give an encoder the weights of the model that the recipe starts from, if it does.

    The output layer is taken over where the tokens are the same, and stays as it is otherwise;
    so do layers that the recipe has and the model has not, which come last. Where all is taken
    over, the weights are also kept in the folder `output`, to be measured beside what training
    makes of them. A process without such a folder says and keeps nothing.

    Raises:
        ConfigError: the model does not fit.
    """
    folder = _start(recipe)
    if folder is None:
        return
    refuse_other_model(recipe)
    bundle = load_bundle(folder)
    same = (bundle.tokens.kind, bundle.tokens.symbols) == (tokens.kind, tokens.symbols)
    taken = {
        name: weight
        for name, weight in bundle.encoder.state_dict().items()
        if same or not name.startswith(_HEAD)
    }
    encoder.load_state_dict(encoder.state_dict() | taken)
    if output is None:
        return
    before = bundle.encoder.settings.layers
    added = recipe.encoder.layers - before
    if same and not added:
        write_bytes(
            output / _START, save({name: weight.contiguous() for name, weight in taken.items()})
        )
    words = (
        "its tokens are the same"
        if same
        else (
            f"the output layer is new: it has {len(bundle.tokens)} tokens, this training "
            f"{len(tokens)}, and they are not the same (tokens.kind=model keeps them)"
        )
    )
    if added:
        words += f"; {added} recurrent layer(s) above its {before} begin from nothing"
    print(f"    starting from the weights of {folder}; {words}", file=sys.stderr, flush=True)


def start_weights(folder: Path) -> dict[str, Tensor] | None:
    """The weights that a training of the folder began with, where they were a whole model's."""
    path = folder / _START
    return load_file(path) if path.exists() else None


def _start(recipe: Recipe) -> Path | None:
    named = recipe.training.initialize_from
    return None if named is None else Path(named)


def _matters(section: str, key: str, here: Mapping[str, Any]) -> bool:
    if section == "encoder" and key == "channels" and here["subsampling"] == "stacking":
        return False
    if section == "features" and key == "coefficients" and here["kind"] == "log_mel":
        return False
    return key not in _FREE


def _yaml(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else value
