"""`asr prepare`: one corpus -> manifests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from asr.errors import ConfigError

_USAGE = "usage: asr prepare CORPUS OUTPUT [--corpus DIR] [--set KEY=VALUE ...]"


def prepare(
    corpus: Annotated[str, typer.Argument(help="fsdd, librispeech, synthesize, table or yesno.")],
    output: Annotated[Path, typer.Argument(help="Folder for the manifests.")],
    corpus_folder: Annotated[
        Path | None,
        typer.Option(
            "--corpus",
            metavar="DIR",
            help="Where the corpus lies. Without it: below $ASR_CORPORA or ./corpora, downloaded "
            "if it is missing.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the corpus; value in YAML."),
    ] = None,
) -> None:
    """Turn one corpus into manifests: train, dev and test sets."""
    from data_prep import load_corpus, prepare_corpus

    try:
        load_corpus(corpus)
    except ConfigError as error:
        raise ConfigError(f"{error}; {_USAGE}") from None
    options = _parse_settings(settings or [])
    manifests = prepare_corpus(corpus, options, corpus=corpus_folder, output=output)
    for split, path in manifests.items():
        typer.echo(_describe(split, path))


def _parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` settings, the values as YAML."""
    from asr.recipe.overrides import Override, merge

    options: dict[str, Any] = {}
    for assignment in assignments:
        options = merge(options, Override.parse(assignment))
    return options


def _describe(split: str, path: Path) -> str:
    from asr.manifest import read_manifest

    utterances = read_manifest(path)
    hours = sum(one.duration for one in utterances) / 3600
    speakers = len({one.speaker for one in utterances if one.speaker is not None})
    return (
        f"{split}: {path}  {len(utterances)} utterances  {hours:.2f} hours  "
        f"{speakers or 'unknown'} speaker{'' if speakers == 1 else 's'}"
    )
