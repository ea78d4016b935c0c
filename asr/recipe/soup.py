"""Models whose weights are averaged with those of a training: a soup (Wortsman et al. 2022).

Weights that began as the same and learned different things can be averaged, and err less than
either, as an ensemble does, at the cost of one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from asr.bundle import load_bundle
from asr.encoder.encoder import Encoder
from asr.errors import ConfigError
from asr.recipe.config import Recipe
from asr.tokens import TokenTable

Weights = Mapping[str, Tensor]


def read_others(recipe: Recipe, encoder: Encoder, tokens: TokenTable) -> list[Weights]:
    """The weights of the models that are averaged with a training's.

    Args:
        recipe: that names them.
        encoder: of the training.
        tokens: its table.

    Raises:
        ConfigError: one of them is built otherwise, or has other tokens.
        ModelError: one of them is no model.
    """
    return [_read(Path(named), recipe, encoder, tokens) for named in recipe.export.average_with]


def with_others(candidates: Mapping[str, Weights], others: Sequence[Weights]) -> dict[str, Weights]:
    """Each candidate, by what it is, and each averaged with the others, if there are any."""
    if not others:
        return dict(candidates)
    count = f"{len(others)} other model" + ("s" if len(others) > 1 else "")
    averaged = {
        f"{name}, averaged with {count}": mean_of([weights, *others])
        for name, weights in candidates.items()
    }
    return dict(candidates) | averaged


def mean_of(models: Sequence[Weights]) -> Weights:
    """The mean of each weight."""
    return {
        name: torch.stack([one[name].float() for one in models]).mean(dim=0) for name in models[0]
    }


def _read(folder: Path, recipe: Recipe, encoder: Encoder, tokens: TokenTable) -> Weights:
    bundle = load_bundle(folder)
    weights = bundle.encoder.state_dict()
    shapes = {name: weight.shape for name, weight in encoder.state_dict().items()}
    wrong = [
        what
        for what, same in {
            "encoder settings": {name: weight.shape for name, weight in weights.items()} == shapes,
            "features": bundle.features == recipe.features,
            "tokens": (bundle.tokens.kind, bundle.tokens.symbols) == (tokens.kind, tokens.symbols),
        }.items()
        if not same
    ]
    if wrong:
        raise ConfigError(
            f"export.average_with: {folder} has other {' and '.join(wrong)} than this recipe; "
            "name models that were trained from the same start (training.initialize_from)"
        )
    return weights
