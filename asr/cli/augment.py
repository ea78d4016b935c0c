"""`asr augment`: what the model hears in training."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import SetOption
from asr.errors import ConfigError

_Recipe = Annotated[
    Path | None,
    typer.Option(help="A recipe, for its augmentation, features and seed; else the defaults."),
]
_Seed = Annotated[int | None, typer.Option(help="Of the training; else the recipe's.")]
_Epoch = Annotated[int, typer.Option(min=1, help="Of the training, counted from 1.")]
_Id = Annotated[
    str | None, typer.Option("--id", help="The utterance's id; else the file's name, no suffix.")
]
_Picture = Annotated[
    Path | None, typer.Option(metavar="PNG", help="Also draw the features, clean above augmented.")
]


def augment(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    recipe: _Recipe = None,
    overrides: SetOption = None,
    seed: _Seed = None,
    epoch: _Epoch = 1,
    utterance_id: _Id = None,
    picture: _Picture = None,
) -> None:
    """Write what the model hears of FILE in training, and say what was drawn for it.

    The masks and the warp are of features, which have no sound: the picture shows them. OUT has
    the model's sample rate and 32-bit float samples: nothing is clipped or wraps around.
    Seed, epoch and id decide what is drawn, as they do in training.
    """
    if out.suffix.lower() != ".wav":
        raise ConfigError(f"{out}: a WAV file is written; expected a name that ends in .wav")

    from asr.dataset import FrontEnd
    from asr.features import FeatureExtractor
    from asr.files import refuse_overlap
    from asr.hearing import draw_picture, hear, write_waveform
    from asr.manifest import Utterance
    from asr.recipe.config import default_recipe, load_recipe

    refuse_overlap([file], [out, picture])
    settings = load_recipe(recipe, overrides or []) if recipe else default_recipe(overrides or [])
    front_end = FrontEnd(FeatureExtractor(settings.features), None)
    heard = hear(
        Utterance(utterance_id or file.stem, file, 0.0),
        front_end,
        settings.augment,
        seed=settings.seed if seed is None else seed,
        epoch=epoch - 1,
    )
    write_waveform(out, heard.waveform)
    if picture is not None:
        draw_picture(picture, heard, front_end)
    width = max(map(len, heard.drawn))
    for name, words in heard.drawn.items():
        print(f"{name:<{width}}  {words}", file=sys.stderr)
    peak = float(abs(heard.waveform.samples).max())
    if peak > 1:
        print(
            f"{out}: its peak is {peak:.2f} times full scale, as the model hears it; "
            "turn it down before you listen",
            file=sys.stderr,
        )
