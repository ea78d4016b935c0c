"""`asr info`: what a model is."""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    model: Annotated[Path, typer.Argument(help="A model folder, or its experiment folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print the whole description.")] = False,
) -> None:
    """Show what a model hears, how it is built, what it emits and what it was trained on."""
    from asr.bundle import load_bundle, read_description

    description = read_description(model)
    if json:
        print(json_format.dumps(description, ensure_ascii=False, indent=1))
        return
    encoder = load_bundle(model).encoder
    parameters = sum(weight.numel() for weight in encoder.parameters())
    symbols = description["tokens"]["symbols"]
    rows: dict[str, Any] = {
        "model": model,
        "written by": f"asr {description.get('asr_version', '?')}, format {description['format']}",
        "parameters": f"{parameters:,}",
        "normalizer": description["normalizer"],
        "tokens": f"{len(symbols) + 1}: blank {' '.join(map(_visible, symbols[:60]))}"
        + (" …" if len(symbols) > 60 else ""),
        "features": _in_words(description["features"]),
        "encoder": _in_words(description["encoder"]),
    }
    for key, value in description.get("card", {}).items():
        rows[key.replace("_", " ")] = f"{value:.4g}" if isinstance(value, float) else value
    width = max(map(len, rows))
    for key, value in rows.items():
        print(f"{key:<{width}}  {value}")


def _visible(symbol: str) -> str:
    return "space" if symbol == " " else symbol


def _in_words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value is not None)
