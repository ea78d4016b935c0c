"""`asr sweep RECIPE`: one recipe with every combination of some settings' values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import CorpusOption, Device, DeviceOption, RecipeArgument, SetOption
from asr.errors import AsrError, ConfigError, Stopped

if TYPE_CHECKING:
    from asr.recipe.sweep_table import Row

_Over = Annotated[
    list[str],
    typer.Option(
        "--over",
        metavar="KEY=VALUE,VALUE,…",
        help="Sweep a setting over these values: encoder.layers=1,2,4. Several options give "
        "every combination.",
    ),
]
_Exp = Annotated[
    Path | None, typer.Option(help="Folder of the sweep; else exp/<recipe name>_sweep.")
]


def sweep(
    recipe: RecipeArgument,
    *,
    over: _Over,
    corpus: CorpusOption = None,
    exp: _Exp = None,
    overrides: SetOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Train a recipe with every combination of some settings' values, and compare the results.

    Each combination is an experiment of its own, all with the recipe's number of epochs. What
    several would make alike, such as the manifests, is made once. After Ctrl-C or a crash the same
    command goes on. A training that diverges is a result, noted in the table; so is any other
    failure, but then the exit status is 2.
    """
    # Here and not above: these bring torch, and `asr --help` must answer at once.
    from asr.recipe.stages import build_stages
    from asr.recipe.sweep import Sweep, load_trials
    from asr.recipe.sweep_table import print_table

    if corpus is not None and not corpus.exists():
        raise ConfigError(f"--corpus {corpus}: does not exist; check the path")
    folder, trials = load_trials(
        recipe,
        over,
        overrides=overrides or [],
        folder=exp,
        build=lambda one: build_stages(one, corpus_folder=corpus, device=device.value),
    )
    try:
        rows = Sweep(folder, trials).run()
    except Stopped:
        raise typer.Exit from None
    print_table(rows)
    for path in sorted(folder.glob("sweep.*")):
        print(path)
    _refuse_failures(rows)


def _refuse_failures(rows: "Sequence[Row]") -> None:
    failed = [row for row in rows if row.outcome == "failed"]
    if failed:
        raise AsrError(
            f"{len(failed)} of {len(rows)} combinations failed, first {failed[0].combination.name}"
            f": {failed[0].reason}; mend what they name, and the same command goes on"
        )
