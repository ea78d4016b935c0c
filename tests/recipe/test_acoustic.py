"""The average stage: which weights become the model, and what its card says of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic_speech import RATE, write_utterances

from asr.augment.settings import AugmentSettings
from asr.bundle import Bundle, load_bundle, read_description, save_bundle
from asr.encoder.encoder import Encoder
from asr.errors import ConfigError
from asr.manifest import Utterance
from asr.recipe import acoustic
from asr.recipe.config import Recipe
from asr.scoring.error_rate import ErrorCounts
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.checkpoint import save_average, save_epoch
from asr.training.evaluation import Evaluation, Sample
from asr.training.moving_average import MovingAverage
from asr.weights import ExportSettings

TOKENS = Characters(" abc")
RECIPE = Recipe.parse(
    {
        "name": "test",
        "corpus": {"name": "table"},
        "features": {"sample_rate": RATE, "mels": 8, "cmvn": "per_utterance"},
        "encoder": {"hidden": 4, "layers": 1, "factor": 2},
        "training": {"keep": 5},
    },
    "test",
)


@pytest.fixture
def utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Utterance]:
    found = write_utterances(tmp_path / "speech", ["abc", "cab"])
    monkeypatch.setattr(acoustic, "read_learnable", lambda *_: found)
    monkeypatch.setattr(acoustic, "read_tokens", lambda *_: TOKENS)
    return found


def trained(folder: Path, rates: dict[int, tuple[float, float]]) -> Path:
    """A training's folder: epoch -> WER and CER; all weights of epoch N are N."""
    records = []
    for epoch, (wer, cer) in rates.items():
        encoder = Encoder(RECIPE.encoder, inputs=8, tokens=len(TOKENS))
        for weight in encoder.parameters():
            torch.nn.init.constant_(weight, epoch)
        save_epoch(folder, epoch, encoder)
        # The earlier, the lower the loss: it must not count.
        record = {"epoch": epoch, "dev_wer": wer, "dev_cer": cer, "dev_loss": epoch}
        records.append(record | {"seconds": 60.0 * epoch})
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    return folder


def value_of(encoder: Encoder) -> float:
    return round(next(encoder.parameters()).flatten()[0].item(), 5)


def script(monkeypatch: pytest.MonkeyPatch, results: dict[float, tuple[int, int]]) -> None:
    """Word and character errors of 100, by the value of the weights."""

    def evaluate(encoder: Encoder, *_: Any, **__: Any) -> Evaluation:
        value = value_of(encoder)
        words, characters = (
            ErrorCounts(hits=100 - errors, substitutions=errors) for errors in results[value]
        )
        return Evaluation(value, words, characters, 0.5, (Sample("u", "a", "b"),))

    monkeypatch.setattr(acoustic, "evaluate", evaluate)


def average(folder: Path, train: Path, recipe: Recipe = RECIPE) -> tuple[str, float]:
    """What the card says of the weights, and their value."""
    folders = {"train": train, "tokens": folder}
    acoustic.average(recipe, folders, folder / "average", "cpu")
    encoder = load_bundle(folder / "average").encoder
    return (
        read_description(folder / "average")["card"]["weights"],
        value_of(encoder),
    )


RATES = {1: (0.2, 0.1), 2: (0.1, 0.1), 6: (0.1, 0.1)}  # the mean is 3


@pytest.mark.usefixtures("utterances")
@pytest.mark.parametrize(
    ("mean", "single", "expected"),
    [
        ((9, 9), (9, 9), ("mean of the best 3 epochs", 3.0)),
        ((9, 8), (9, 9), ("mean of the best 3 epochs", 3.0)),
        ((9, 9), (9, 8), ("epoch 6", 6.0)),
        ((9, 9), (8, 10), ("epoch 6", 6.0)),
        ((8, 10), (9, 9), ("mean of the best 3 epochs", 3.0)),
    ],
)
def test_the_mean_is_taken_unless_the_best_epoch_alone_is_better(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mean: tuple[int, int],
    single: tuple[int, int],
    expected: tuple[str, float],
) -> None:
    script(monkeypatch, {3.0: mean, 6.0: single})
    assert average(tmp_path, trained(tmp_path / "train", RATES)) == expected


@pytest.mark.usefixtures("utterances")
@pytest.mark.parametrize(
    ("errors", "expected"),
    [((8, 8), ("moving average", 4.0)), ((9, 9), ("mean of the best 3 epochs", 3.0))],
)
def test_the_moving_average_is_taken_where_it_is_better_than_both(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: tuple[int, int],
    expected: tuple[str, float],
) -> None:
    train = trained(tmp_path / "train", RATES)
    encoder = Encoder(RECIPE.encoder, inputs=8, tokens=len(TOKENS))
    for weight in encoder.parameters():
        torch.nn.init.constant_(weight, 4.0)
    save_average(train, MovingAverage(encoder, 0.9))
    script(monkeypatch, {3.0: (9, 9), 4.0: errors, 6.0: (9, 9)})
    assert average(tmp_path, train) == expected


@pytest.mark.usefixtures("utterances")
def test_averaging_reads_no_recordings_for_augmentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = AugmentSettings.parse({"noise": {"folder": "gone"}}, "test")
    monkeypatch.setattr(acoustic, "train", pytest.fail)
    script(monkeypatch, {3.0: (9, 9), 6.0: (9, 9)})
    folders = {"train": trained(tmp_path / "train", RATES), "tokens": tmp_path}
    recipe = RECIPE.model_copy(update={"augment": noisy})
    with pytest.raises(ConfigError, match="gone does not exist"):
        acoustic.train_encoder(recipe, folders, tmp_path / "again", "cpu")
    acoustic.average(recipe, folders, tmp_path / "average", "cpu")
    assert value_of(load_bundle(tmp_path / "average").encoder) == 3.0


@pytest.mark.usefixtures("utterances")
def test_one_epoch_is_called_an_epoch_not_a_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, {4.0: (1, 1)})
    assert average(tmp_path, trained(tmp_path / "train", {4: (0.1, 0.1)})) == ("epoch 4", 4.0)


@pytest.mark.usefixtures("utterances")
def test_where_targets_compete_the_weights_that_win_best_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedily the mean, of value 3, makes fewer errors."""
    script(monkeypatch, {3.0: (1, 1), 6.0: (9, 9)})
    by_errors = acoustic.evaluate

    def evaluate(encoder: Encoder, *data: Any, denominator: Any, **more: Any) -> Evaluation:
        assert denominator is not None
        return replace(by_errors(encoder, *data, **more), mmi=1 / value_of(encoder))

    monkeypatch.setattr(acoustic, "evaluate", evaluate)
    competing = RECIPE.model_copy(
        update={"training": RECIPE.training.model_copy(update={"mmi": 0.9})}
    )
    assert average(tmp_path, trained(tmp_path / "train", RATES), competing) == ("epoch 6", 6.0)


def other_model(folder: Path, value: float, *, hidden: int = 4, letters: str = " abc") -> Path:
    """A model folder whose weights are all the same."""
    tokens = Characters(letters)
    shape = RECIPE.encoder.model_copy(update={"hidden": hidden})
    encoder = Encoder(shape, inputs=8, tokens=len(tokens))
    for weight in encoder.parameters():
        torch.nn.init.constant_(weight, value)
    save_bundle(folder, Bundle(RECIPE.features, None, encoder, tokens, Normalizer("none"), {}))
    return folder


def averaged_with(*folders: Path) -> Recipe:
    export = ExportSettings(average_with=tuple(map(str, folders)))
    return RECIPE.model_copy(update={"export": export})


@pytest.mark.usefixtures("utterances")
@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (1, ("epoch 4, averaged with 2 other models", 6.0)),
        (5, ("epoch 4", 4.0)),
    ],
    ids=["where it is better", "not where it is only as good"],
)
def test_weights_are_averaged_with_other_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: int, expected: tuple[str, float]
) -> None:
    script(monkeypatch, {4.0: (5, 5), 6.0: (errors, errors)})
    others = [other_model(tmp_path / str(value), value) for value in (5.0, 9.0)]
    train = trained(tmp_path / "train", {4: (0.1, 0.1)})
    assert average(tmp_path, train, averaged_with(*others)) == expected
    card = read_description(tmp_path / "average")["card"]
    said = ", ".join(map(str, others)) if errors == 1 else None
    assert card.get("averaged_with") == said


@pytest.mark.usefixtures("utterances")
@pytest.mark.parametrize(
    ("built", "words"),
    [
        ({"hidden": 5}, "other encoder settings than"),
        ({"letters": " abd"}, "other tokens than"),
        ({"letters": " abcd"}, "other encoder settings and tokens than"),
    ],
)
def test_a_model_that_is_built_otherwise_is_not_averaged(
    tmp_path: Path, built: dict[str, Any], words: str
) -> None:
    other = other_model(tmp_path / "other", 1.0, **built)
    train = trained(tmp_path / "train", {4: (0.1, 0.1)})
    with pytest.raises(ConfigError, match=rf"^export\.average_with: {other} has {words}"):
        average(tmp_path, train, averaged_with(other))
