"""`asr export`: a model folder to give away."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Weights(StrEnum):
    """How weights are stored."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


def export(
    model: Annotated[Path, typer.Argument(help="A model folder, or its experiment folder.")],
    output: Annotated[Path, typer.Argument(help="The new folder.")],
    *,
    weights: Annotated[
        Weights, typer.Option(help="How to store them; they are float32 again when they are read.")
    ] = Weights.INT8,
) -> None:
    """Write all that MODEL needs into the folder OUTPUT, its weights made smaller.

    The card keeps the figures that were measured with the weights as they were; `asr tune OUTPUT
    dev.jsonl` measures anew.
    """
    import sys

    from asr.export import export_model

    size = export_model(model, output, weights.value)
    print(f"asr: {size / 1e6:.1f} MB, weights in {weights.value}", file=sys.stderr)
    print(output)
