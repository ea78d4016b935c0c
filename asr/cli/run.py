"""`asr run RECIPE`: walk the stages of a recipe."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import (
    CorpusOption,
    Device,
    DeviceOption,
    ExpOption,
    RecipeArgument,
    SetOption,
)
from asr.errors import ConfigError, Stopped

if TYPE_CHECKING:
    from asr.recipe.plan import StageStatus
    from asr.recipe.stage import Stage


_Stage = Annotated[
    str | None, typer.Option(metavar="STAGE", help="Start at this stage (number or name).")
]
_StopStage = Annotated[str | None, typer.Option(metavar="STAGE", help="End after this stage.")]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would run and why; run nothing.")
]
_Status = Annotated[
    bool, typer.Option("--status", help="Print how things stand with every stage; run nothing.")
]
_Force = Annotated[bool, typer.Option("--force", help="Also run stages that are up to date.")]


def run(
    recipe: RecipeArgument,
    *,
    corpus: CorpusOption = None,
    exp: ExpOption = None,
    stage: _Stage = None,
    stop_stage: _StopStage = None,
    dry_run: _DryRun = False,
    status: _Status = False,
    force: _Force = False,
    overrides: SetOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Walk a recipe's stages, from the corpus to the word error rate.

    A stage runs only if its settings, its inputs or the corpus changed. After Ctrl-C or a crash
    the same command goes on.
    """
    # Here and not above: these bring torch, and `asr --help` must answer at once.
    from asr.recipe.config import dump_recipe, load_recipe
    from asr.recipe.engine import plan, run_stages
    from asr.recipe.evaluation import print_results
    from asr.recipe.launch import current_launch
    from asr.recipe.lock import hold_lock
    from asr.recipe.stage import select_stages
    from asr.recipe.stages import build_stages

    settings = load_recipe(recipe, overrides or [])
    if corpus is not None and not corpus.exists():
        raise ConfigError(f"--corpus {corpus}: does not exist; check the path")
    folder = exp or Path("exp") / settings.name
    stages = build_stages(settings, corpus_folder=corpus, device=device.value)
    _, selected = select_stages(stages, stage, stop_stage)
    if status:
        _print_status(plan(stages, folder), folder)
    elif dry_run:
        statuses = plan(stages, folder, first=stage, last=stop_stage, force=force)
        _print_plan([found for found in statuses if found.stage in selected])
    elif current_launch().rank > 0:
        with suppress(Stopped):
            run_stages(stages, folder, first=stage, last=stop_stage, force=force)
    else:
        try:
            with hold_lock(folder):
                dump_recipe(settings, folder)
                ran = run_stages(stages, folder, first=stage, last=stop_stage, force=force)
        except Stopped:
            raise typer.Exit from None
        _point_to_curves([done for done in selected if done.name in ran], folder)
        if any(done.name == "score" for done in selected):
            print_results(folder)


def _point_to_curves(ran: "Sequence[Stage]", folder: Path) -> None:
    for done in ran:
        page = folder / done.folder_name / "training.html"
        if page.exists():
            print(f"curves: {page}", file=sys.stderr)


def _print_plan(statuses: "Sequence[StageStatus]") -> None:
    for found in statuses:
        done = ", ".join(filter(None, ["up to date", found.reason]))
        words = done if found.state == "done" else f"would run: {found.reason}"
        print(f"{found.stage.number:>3} {found.stage.name:<10} {words}")


def _print_status(statuses: "Sequence[StageStatus]", folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from asr.recipe.engine import duration_in_words

    styles = {"done": "green", "stale": "yellow", "partial": "yellow", "missing": "dim"}
    table = Table(title=str(folder), title_justify="left")
    table.add_column("stage", justify="right")
    table.add_column("name", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for found in statuses:
        took = "" if found.seconds is None else duration_in_words(found.seconds)
        state = Text(found.state, styles[found.state])
        table.add_row(str(found.stage.number), found.stage.name, state, took, Text(found.reason))
    Console().print(table)
