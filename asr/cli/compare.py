"""`asr compare EXP...`: experiments side by side."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    experiments: Annotated[
        list[Path], typer.Argument(metavar="EXP...", help="Experiment folders, such as exp/NAME.")
    ],
    json: Annotated[Path | None, typer.Option(help="Also write the table to this file.")] = None,
) -> None:
    """Show the settings in which experiments differ, and what came of them.

    Error rates with 95 % intervals, parameters, training time, real-time factor of decoding dev.
    Whether two of them really differ is for `asr score` to say, with both their hypotheses.
    """
    from dataclasses import replace

    from asr.recipe.experiments import print_experiments, read_experiment, write_json
    from asr.recipe.stages import build_stages

    folders = list(dict.fromkeys(experiments))
    read = [
        read_experiment(
            folder, lambda recipe: build_stages(recipe, corpus_folder=None, device="cpu")
        )
        for folder in folders
    ]
    if len({one.name for one in read}) < len(read):
        read = [replace(one, name=str(folder)) for one, folder in zip(read, folders, strict=True)]
    print_experiments(read)
    if json:
        write_json(json, read)
