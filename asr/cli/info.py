"""`asr info`: what a model is."""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A model folder, or its experiment folder; else the model that comes with asr."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole description.")] = False,
) -> None:
    """Show a model's card: what it was trained on, how well it does, what it hears and emits."""
    from asr.bundle import load_bundle, model_folder, read_description, stored_as
    from asr.card import card_rows
    from asr.export import folder_bytes
    from asr.shipped import choose_model

    folder = choose_model(model)
    description = read_description(folder)
    if json:
        print(json_format.dumps(description, ensure_ascii=False, indent=1))
        return
    encoder = load_bundle(folder).encoder
    parameters = sum(weight.numel() for weight in encoder.parameters())
    symbols = description["tokens"]["symbols"]
    weights, size = stored_as(description), folder_bytes(model_folder(folder)) / 1e6
    rows = [
        ("model", str(folder)),
        *card_rows(description.get("card", {}), weights),
        ("size", f"{size:.3g} MB, {parameters:,} weights in {weights}"),
        (
            "written by",
            f"asr {description.get('asr_version', '?')}, format {description['format']}",
        ),
        ("normalizer", description["normalizer"]),
        (
            "tokens",
            f"{len(symbols) + 1}: blank {' '.join(map(_visible, symbols[:60]))}"
            + (" …" if len(symbols) > 60 else ""),
        ),
        ("features", _in_words(description["features"])),
        ("encoder", _in_words(description["encoder"])),
    ]
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        print(f"{key:<{width}}  {value}")


def _visible(symbol: str) -> str:
    return "space" if symbol == " " else symbol


def _in_words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value is not None)
