"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where the computing is done; auto takes the best there is."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


RecipeArgument = Annotated[Path, typer.Argument(help="A recipe's folder, or its YAML file.")]
CorpusOption = Annotated[Path | None, typer.Option(help="Where the corpus lies.")]
ExpOption = Annotated[Path | None, typer.Option(help="Experiment folder; else exp/<recipe name>.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: training.epochs=5."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
ModelOption = Annotated[
    Path, typer.Option(help="A model folder, or the experiment folder it lies in.")
]
