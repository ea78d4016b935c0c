"""`asr settings`: what a recipe can say."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.recipe.reference import Setting


def settings(
    section: Annotated[
        str | None, typer.Argument(help="Only this section: training, training.optimizer, …")
    ] = None,
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, as in docs/settings.md.")
    ] = False,
) -> None:
    """Print every setting of a recipe with its type, its default and what it is."""
    from asr.recipe.reference import choose_settings, to_markdown

    chosen = choose_settings(section)
    if markdown:
        typer.echo(to_markdown(chosen), nl=False)
    else:
        _print(chosen)


def _print(sections: "Mapping[str, Sequence[Setting]]") -> None:
    from rich.console import Console
    from rich.table import Table

    # Into a file or a pipe, rich would squeeze the table into 80 columns.
    width = None if sys.stdout.isatty() else 160
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for heading, found in sections.items():
        table = Table(title=heading, title_justify="left")
        table.add_column("setting", no_wrap=True)
        for column in ("type", "default", ""):
            table.add_column(column, overflow="fold")
        for one in found:
            table.add_row(one.key, one.type, one.default, one.note)
        console.print(table)
