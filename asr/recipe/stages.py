"""The stages of a speech recipe, from the corpus to the word error rate.

Each reads the folders of earlier stages and writes its own; `asr.recipe.engine` decides which run.
Numbers are those of the design.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asr.recipe import acoustic, corpus, evaluation, language
from asr.recipe.config import Recipe
from asr.recipe.initialization import model_fingerprint, start_fingerprint
from asr.recipe.stage import Stage
from data_prep import complete_options, corpus_fingerprint, fingerprint_files

# Training settings that do not change what is learned.
_NO_MATTER = {"tensorboard", "processes", "workers", "cache_gib", "checkpoint_minutes"}


def build_stages(recipe: Recipe, *, corpus_folder: Path | None, device: str) -> list[Stage]:
    """The stages of a recipe.

    Args:
        recipe: its settings.
        corpus_folder: where the corpus lies; None looks where downloads go.
        device: auto, cpu, cuda or mps.
    """
    settings = recipe.model_dump(mode="json")

    def part(*keys: str) -> Mapping[str, Any]:
        return {key: settings[key] for key in keys}

    data = recipe.corpus
    training = {key: one for key, one in settings["training"].items() if key not in _NO_MATTER}
    start = {"initialize_from": recipe.training.initialize_from}
    frames = {
        **part("features"),
        "factor": recipe.encoder.factor,
        "speeds": list(recipe.augment.speeds),
    }

    return [
        Stage(
            number=1,
            name="prepare",
            inputs=(),
            settings={"corpus": data.name, "options": complete_options(data.name, data.options)},
            run=lambda output, _: corpus.prepare(recipe, corpus_folder, output),
            external=lambda: corpus_fingerprint(data.name, data.options, corpus_folder) or None,
        ),
        Stage(
            number=2,
            name="check",
            inputs=("prepare",),
            settings={
                **part("check", "normalizer", "test"),
                **frames,
                "tokens": {"kind": recipe.tokens.kind},  # of characters it judges the lengths
            },
            run=lambda output, folders: corpus.check(recipe, folders, output),
        ),
        Stage(
            number=3,
            name="tokens",
            inputs=("prepare", "check"),
            settings={
                **part("tokens", "normalizer"),
                **frames,
                "check": {"max_bad_fraction": recipe.check.max_bad_fraction},
                **(start if recipe.tokens.kind == "model" else {}),
            },
            run=lambda output, folders: corpus.tokens(recipe, folders, output),
            external=lambda: _tokens_fingerprint(recipe),
        ),
        Stage(
            number=4,
            name="stats",
            inputs=("prepare", "check"),
            settings={**part("features"), **start},
            external=lambda: start_fingerprint(recipe),
            run=lambda output, folders: acoustic.stats(recipe, folders, output),
        ),
        Stage(
            number=5,
            name="lm",
            inputs=("prepare", "check"),
            settings=part("seed", "normalizer", "lm"),
            run=lambda output, folders: language.estimate(recipe, folders, output, device),
            resumable=True,
            external=lambda: _fingerprint(recipe.lm.text if recipe.lm else ()),
        ),
        Stage(
            number=6,
            name="train",
            inputs=("prepare", "check", "tokens", "stats"),
            settings={
                **part("seed", "normalizer", "features", "augment", "encoder"),
                "training": training,
            },
            run=lambda output, folders: acoustic.train_encoder(recipe, folders, output, device),
            external=lambda: _together(
                _fingerprint(recipe.augment.folders), start_fingerprint(recipe)
            ),
            resumable=True,
            distributed=True,
        ),
        Stage(
            number=7,
            name="average",
            inputs=("prepare", "check", "tokens", "stats", "train"),
            settings={
                **part("name", "normalizer", "features", "encoder", "export"),
                "card": recipe.card.to_json(),
            },
            run=lambda output, folders: acoustic.average(recipe, folders, output, device),
            external=lambda: _together(
                *(model_fingerprint(Path(name)) for name in recipe.export.average_with)
            ),
        ),
        Stage(
            number=8,
            name="tune",
            inputs=("prepare", "check", "tokens", "lm", "average"),
            settings={
                **part("normalizer", "export"),
                "search": settings["decoding"]["search"],
                "warps": settings["decoding"]["warps"],
            },
            run=lambda output, folders: language.tune(recipe, folders, output, device),
        ),
        Stage(
            number=9,
            name="decode",
            inputs=("prepare", "tune"),
            settings={**part("test"), "batch": settings["decoding"]["batch"]},
            run=lambda output, folders: evaluation.decode(recipe, folders, output, device),
        ),
        Stage(
            number=10,
            name="score",
            inputs=("prepare", "check", "tune", "decode"),
            settings=part("name", "normalizer", "test", "report"),
            run=lambda output, folders: evaluation.score(recipe, folders, output),
        ),
    ]


def _tokens_fingerprint(recipe: Recipe) -> str | None:
    if recipe.tokens.kind == "model":
        return start_fingerprint(recipe)
    return _fingerprint(filter(None, [recipe.tokens.dictionary]))


def _together(*fingerprints: str | None) -> str | None:
    """One fingerprint of several; None where one of them cannot be told."""
    known = [one for one in fingerprints if one is not None]
    return " ".join(filter(None, known)) if len(known) == len(fingerprints) else None


def _fingerprint(paths: Iterable[str]) -> str | None:
    """Fingerprint of the user's files and folders; None: they are not at hand."""
    named = [Path(path) for path in paths]
    return (fingerprint_files(named) or None) if named else ""
