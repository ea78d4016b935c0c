"""Stages 4, 6 and 7: feature statistics, training, and the model folder."""

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file, save

from asr.augment.settings import AugmentSettings
from asr.bundle import Bundle, save_bundle
from asr.dataset import FrontEnd, SpeechDataset
from asr.encoder.encoder import Encoder
from asr.features import FeatureExtractor, FeatureStats
from asr.files import write_bytes, write_text
from asr.recipe.config import Recipe
from asr.recipe.corpus import read_learnable, read_tokens, read_usable
from asr.recipe.initialization import initialize, start_stats, start_weights
from asr.recipe.launch import current_launch
from asr.recipe.soup import read_others, with_others
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.checkpoint import (
    CHECKPOINT,
    average_epochs,
    kept_epochs,
    load_average,
    load_epoch,
)
from asr.training.companions import companions, companions_wanted
from asr.training.denominator import competing
from asr.training.distributed import choose_device
from asr.training.evaluation import Evaluation, evaluate
from asr.training.loop import train
from asr.training.reporting import best_first, read_metrics
from asr.training.schedule import badness
from asr.training.settings import TrainingData
from asr.weights import as_stored

_STATS = "stats.safetensors"
_STATS_UTTERANCES = 2000  # evenly spread; more would not move a mean
_GIB = 2**30


def stats(recipe: Recipe, folders: Mapping[str, Path], output: Path) -> None:
    """Stage 4: mean and standard deviation of the training features, for global CMVN.

    A training that starts from another model keeps that one's.
    """
    if recipe.features.cmvn == "per_utterance":
        write_text(output / "README.txt", "CMVN is per utterance: there is nothing to keep.\n")
        return
    known = start_stats(recipe)
    if known is not None:
        _write_stats(output, known)
        return
    utterances = read_usable(folders, "train")
    sample = utterances[:: -(-len(utterances) // _STATS_UTTERANCES)]
    front_end = FrontEnd(FeatureExtractor(recipe.features), None)
    console = Console(stderr=True)
    raw = (
        front_end.raw_features(front_end.load(utterance), str(utterance.audio_path))
        for utterance in track(
            sample,
            "statistics",
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
    )
    _write_stats(output, FeatureStats.accumulate(raw))


def _write_stats(output: Path, stats: FeatureStats) -> None:
    write_bytes(output / _STATS, save({"mean": stats.mean, "std": stats.std}))


def train_encoder(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 6: the acoustic model; goes on where a killed training stopped."""
    count = companions_wanted(recipe.training, choose_device(device))
    with companions(count, _train, recipe, dict(folders), output, device):
        _train(recipe, folders, output, device)


def _train(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    tokens = read_tokens(folders["tokens"])
    # The weights' first values are the seed's, whatever was drawn before.
    torch.manual_seed(recipe.seed)
    encoder = _encoder(recipe, tokens)
    if not (output / CHECKPOINT).exists():  # it has all weights
        initialize(encoder, recipe, tokens, output if _keeps_books() else None)
    data = _training_data(recipe, folders, tokens)
    train(
        encoder,
        data,
        recipe.training,
        folder=output,
        seed=recipe.seed,
        device=choose_device(device),
    )


def _keeps_books() -> bool:
    """Whether this process is the first of those that train together."""
    if torch.distributed.is_initialized():
        return torch.distributed.get_rank() == 0
    return current_launch().rank == 0


def average(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 7: the best on dev of these: best epochs' mean, moving average, best epoch, start.

    And of each averaged with other models, where the recipe names some. Each is measured as it will
    be stored.
    """
    storage = recipe.export.weights
    tokens = read_tokens(folders["tokens"])
    encoder = _encoder(recipe, tokens).to(choose_device(device))
    # Nothing is trained here, so the recordings for augmentation need not be read.
    unvaried = recipe.model_copy(update={"augment": AugmentSettings()})
    data = _training_data(unvaried, folders, tokens)
    records = read_metrics(folders["train"])
    own = _candidates(folders["train"])
    candidates = with_others(own, read_others(recipe, encoder, tokens))
    denominator = competing(data, recipe.training, next(encoder.parameters()).device)
    results: dict[str, Evaluation] = {}
    for name, weights in candidates.items():
        encoder.load_state_dict(as_stored(weights, storage))
        results[name] = evaluate(
            encoder,
            data.dev,
            tokens=tokens,
            normalizer=data.normalizer,
            batch=recipe.training.batch,
            denominator=denominator,
        )
        words, characters = results[name].words.rate, results[name].characters.rate
        mmi = f", MMI {results[name].mmi:.3f}" if denominator else ""
        print(f"    {name}: dev WER {words:.2%}, CER {characters:.2%}{mmi}", file=sys.stderr)
    chosen = min(results, key=lambda name: badness(results[name].record()))
    encoder.load_state_dict(candidates[chosen])
    card = recipe.card.to_json() | {
        "name": recipe.name,
        "weights": chosen,
        "dev_wer": results[chosen].words.rate,
        "dev_cer": results[chosen].characters.rate,
        "training_hours": sum(one.duration for one in data.train.utterances) / 3600,
        "training_utterances": len(data.train),
        "training_minutes": records[-1]["seconds"] / 60,
        "epochs": records[-1]["epoch"],
        "seed": recipe.seed,
    }
    if chosen not in own:
        card["averaged_with"] = ", ".join(recipe.export.average_with)
    if recipe.training.initialize_from is not None:
        card["started_from"] = recipe.training.initialize_from
    stats_ = _read_stats(recipe, folders)
    bundle = Bundle(recipe.features, stats_, encoder.cpu(), tokens, data.normalizer, card)
    save_bundle(output, bundle, storage)


def _candidates(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Weights to choose from, by what they are; the first of equals is chosen."""
    best = best_first(read_metrics(folder))[0]["epoch"]
    averaged, moving = len(kept_epochs(folder)), load_average(folder)
    found = {}
    if averaged > 1:
        found[f"mean of the best {averaged} epochs"] = average_epochs(folder)
    if moving is not None:
        found["moving average"] = moving
    found[f"epoch {best}"] = load_epoch(folder, best)
    start = start_weights(folder)
    return found if start is None else found | {"weights before the training": start}


def _encoder(recipe: Recipe, tokens: TokenTable) -> Encoder:
    return Encoder(recipe.encoder, inputs=recipe.features.dimension, tokens=len(tokens))


def _training_data(recipe: Recipe, folders: Mapping[str, Path], tokens: TokenTable) -> TrainingData:
    front_end = FrontEnd(FeatureExtractor(recipe.features), _read_stats(recipe, folders))
    normalizer = Normalizer(recipe.normalizer)
    cache = int(recipe.training.cache_gib * _GIB)
    dev = SpeechDataset(
        read_learnable(folders, "dev"),
        front_end,
        tokens=tokens,
        normalizer=normalizer,
        cache_bytes=cache // 4,
        lenient=True,
    )
    training = SpeechDataset(
        read_learnable(folders, "train"),
        front_end,
        tokens=tokens,
        normalizer=normalizer,
        augment=recipe.augment,
        seed=recipe.seed,
        cache_bytes=cache - cache // 4,
    )
    return TrainingData(training, dev, tokens, normalizer)


def _read_stats(recipe: Recipe, folders: Mapping[str, Path]) -> FeatureStats | None:
    if recipe.features.cmvn == "per_utterance":
        return None
    tensors = load_file(folders["stats"] / _STATS)
    return FeatureStats(tensors["mean"], tensors["std"])
