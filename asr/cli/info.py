"""`asr info`: what a model is."""

import json as json_format
from collections.abc import Iterator, Sequence
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
    bundle = load_bundle(folder)
    parameters = sum(weight.numel() for weight in bundle.encoder.parameters())
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
        *_voices_rows(bundle.warps),
        ("encoder", _in_words(description["encoder"])),
        *_decoding_rows(model_folder(folder)),
    ]
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        print(f"{key:<{width}}  {value}")


def _voices_rows(warps: Sequence[float]) -> Iterator[tuple[str, str]]:
    if warps:
        factors = ", ".join(f"{warp:g}" for warp in warps)
        yield "voices", f"{len(warps)}: frequencies warped by {factors}, log-probabilities averaged"


def _decoding_rows(folder: Path) -> Iterator[tuple[str, str]]:
    """How a model folder decodes, and with what."""
    from asr.decoding.folder import WORDS, read_decoder
    from asr.decoding.language_model import LANGUAGE_MODEL
    from asr.decoding.lexicon import read_words
    from asr.lm.packed import count_packed
    from asr.lm.text import SPECIAL
    from asr.rnnlm.model import has_rnn, load_rnn

    described = read_decoder(folder)
    search = described.settings if described else None
    has_ngrams, has_lexicon = (folder / LANGUAGE_MODEL).exists(), (folder / WORDS).exists()
    words = ["greedy"] if search is None else [f"beam {search.beam}"]
    if search is not None and has_ngrams:
        words.append(f"weight of the language model {search.lm_weight:g}")
    if search is not None and has_lexicon:
        words.append(f"bonus {search.word_bonus:g} a word")
    if search is not None and search.blank_penalty:
        words.append(f"blank penalty {search.blank_penalty:g}")
    if described is not None and described.spelling_penalty is not None:
        words.append(f"other words where {described.spelling_penalty:g} nats more probable")
    yield "decoding", ", ".join(words)
    if has_ngrams:
        singles, *longer = count_packed(folder / LANGUAGE_MODEL)
        unit = "words" if has_lexicon else "characters"
        counts = [f"{count:,} {order}-grams" for order, count in enumerate(longer, start=2)]
        order = len(counts) + 1
        yield (
            "language model",
            ", ".join([f"order {order}", f"{singles - len(SPECIAL):,} {unit}", *counts]),
        )
    if has_lexicon:
        yield "lexicon", f"{len(read_words(folder / WORDS)):,} words"
    if has_rnn(folder):
        rnn = load_rnn(folder)
        shape = f"LSTM {rnn.settings.layers} x {rnn.settings.hidden}, {len(rnn.words):,} words"
        weights = described.rescoring if described else None
        used = "unused" if weights is None else _in_words(weights.model_dump())
        yield "recurrent model", f"{shape}; {used}"


def _visible(symbol: str) -> str:
    return "space" if symbol == " " else symbol


def _in_words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value is not None)
