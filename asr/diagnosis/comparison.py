"""Several models on the same utterances: how each one's gradients decay."""

import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from asr.audio import read_info
from asr.bundle import INNER_FOLDERS, Bundle
from asr.diagnosis.decay import ModelGradients, Weights
from asr.diagnosis.gradients import (
    LEAST_REACH,
    GradientSettings,
    count_passes,
    measure_gradients,
)
from asr.encoder.encoder import Encoder
from asr.errors import DataError
from asr.manifest import Utterance


def name_models(folders: Sequence[Path]) -> list[str]:
    """What to call each model: its experiment's name, or its path where two have the same name."""
    names = [
        folder.absolute().parent.name if folder.name in INNER_FOLDERS else folder.absolute().name
        for folder in folders
    ]
    unique = len(set(names)) == len(names)
    return names if unique else [str(folder) for folder in folders]


def choose_utterances(
    utterances: Sequence[Utterance],
    bundles: Sequence[Bundle],
    settings: GradientSettings,
    *,
    where: str,
) -> list[Utterance]:
    """Draw among the utterances in which every model can be followed over the whole distance.

    Where these are too few, the longest ones are taken, and the distance becomes shorter.

    Raises:
        DataError: no utterance is long enough to see a decay in; `where` is the manifest.
        AudioError: a recording whose duration the manifest does not say cannot be read.
    """
    seconds = {one.id: _seconds(one) for one in utterances}
    reach = {
        one.id: min(settings.reach(bundle.encoder_frames(seconds[one.id])) for bundle in bundles)
        for one in utterances
    }
    enough = [one for one in utterances if reach[one.id] == settings.distance]
    if len(enough) >= settings.utterances:
        return random.Random(settings.seed).sample(enough, settings.utterances)
    longest = sorted(utterances, key=lambda one: reach[one.id], reverse=True)
    chosen = [one for one in longest[: settings.utterances] if reach[one.id] >= LEAST_REACH]
    if not chosen:
        raise DataError(
            f"{where}: no utterance is long enough: the longest, '{longest[0].id}', has "
            f"{seconds[longest[0].id]:.2f} s, in which a gradient can be followed over "
            f"{reach[longest[0].id]} encoder frames; expected {LEAST_REACH} at least; "
            "give a manifest with longer utterances"
        )
    return chosen


def compare_models(
    bundles: Mapping[str, Bundle],
    utterances: Sequence[Utterance],
    settings: GradientSettings,
    *,
    untrained: bool = False,
) -> list[ModelGradients]:
    """Measure the gradients of each model, by name, on the same utterances.

    Args:
        bundles: the models, on the device to compute on.
        utterances: what `choose_utterances` chose.
        settings: how much is measured.
        untrained: measure also each model with weights as drawn, before any training.

    Raises:
        AudioError: an utterance cannot be read.
        DataError: a recording is shorter than the manifest says, and too short.
    """
    jobs: list[tuple[str, Weights, Encoder]] = []
    heard = {name: _features(bundle, utterances, settings) for name, bundle in bundles.items()}
    for name, bundle in bundles.items():
        jobs.append((name, "as saved", bundle.encoder))
        if untrained:
            jobs.append((name, "untrained", untrained_encoder(bundle, settings.seed)))
    total = sum(count_passes(encoder, heard[name], settings) for name, _, encoder in jobs)
    results = []
    with _progress_bar() as bar:
        task = bar.add_task("", total=total)
        for name, weights, encoder in jobs:
            seconds = bundles[name].text_side.frame_seconds
            decays = measure_gradients(
                encoder,
                heard[name],
                settings,
                frame_seconds=seconds,
                advance=lambda: bar.advance(task),
            )
            cell = encoder.settings.cell
            results.append(ModelGradients(name, cell, weights, seconds, tuple(decays)))
    return results


def untrained_encoder(bundle: Bundle, seed: int) -> Encoder:
    """The model with weights as they are drawn, by its recipe's seed if its card tells, or `seed`.

    They are what its training began with, unless that went on from another model.
    """
    device = next(bundle.encoder.parameters()).device
    own = bundle.card.get("seed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own if isinstance(own, int) else seed)
        encoder = Encoder(
            bundle.encoder.settings, inputs=bundle.features.dimension, tokens=len(bundle.tokens)
        )
    return encoder.to(device).eval()


def _features(
    bundle: Bundle, utterances: Sequence[Utterance], settings: GradientSettings
) -> list[Tensor]:
    """(T, F) for each utterance, on the model's device."""
    front_end = bundle.front_end
    device = next(bundle.encoder.parameters()).device
    features = []
    for utterance in utterances:
        path = str(utterance.audio_path)
        one = front_end.features(front_end.load(utterance), path)
        reach = settings.reach(bundle.encoder.frames(len(one)))
        if reach < LEAST_REACH:
            raise DataError(
                f"{path}: utterance '{utterance.id}' has {len(one)} feature frames, fewer than its "
                f"{utterance.duration:.2f} s in the manifest; check the manifest (`asr check`)"
            )
        features.append(one.to(device))
    return features


def _seconds(utterance: Utterance) -> float:
    """The file says where the manifest does not (0 s)."""
    if utterance.duration:
        return utterance.duration
    return read_info(utterance.audio_path).duration - utterance.offset


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("measuring gradients"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
