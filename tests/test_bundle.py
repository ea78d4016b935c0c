"""Model folders: a round trip keeps every log-probability, and opening one runs no code."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import make_bundle

from asr.bundle import Bundle, load_bundle, read_description, save_bundle
from asr.errors import ModelError


def log_probs(bundle: Bundle) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 30, bundle.features.dimension, generator=generator)
    with torch.inference_mode():
        found: torch.Tensor = bundle.encoder(features, torch.tensor([30, 21])).log_probs
    return found


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    save_bundle(folder, make_bundle())
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the model's JSON."""
    path = folder / "model.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    change(description)
    path.write_text(json.dumps(description), encoding="utf-8")


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cmvn": "per_utterance"},
        {"cell": "gru", "projection": 5, "subsampling": "convolution"},
        {"cell": "tanh", "bidirectional": False, "layer_norm": False},
    ],
    ids=str,
)
def test_a_round_trip_keeps_every_log_probability(tmp_path: Path, settings: Any) -> None:
    bundle = make_bundle(**settings)
    save_bundle(tmp_path, bundle)
    assert torch.equal(log_probs(load_bundle(tmp_path)), log_probs(bundle))


def test_a_round_trip_keeps_all_else(saved: Path) -> None:
    bundle, found = make_bundle(), load_bundle(saved)
    assert (found.features, found.encoder.settings) == (bundle.features, bundle.encoder.settings)
    assert found.tokens.symbols == bundle.tokens.symbols
    assert found.normalizer.name == bundle.normalizer.name
    assert found.card == bundle.card
    assert found.stats is not None
    assert bundle.stats is not None
    assert torch.equal(found.stats.mean, bundle.stats.mean)
    assert torch.equal(found.stats.std, bundle.stats.std)


def test_a_model_is_opened_for_use_not_for_training(tmp_path: Path) -> None:
    save_bundle(tmp_path, make_bundle(dropout=0.5))
    bundle = load_bundle(tmp_path)
    assert not bundle.encoder.training
    assert torch.equal(log_probs(bundle), log_probs(bundle))


def test_a_folder_holds_json_and_safetensors_only(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model.safetensors"]
    json.loads((saved / "model.json").read_text(encoding="utf-8"))
    content = (saved / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert {"stats.mean", "stats.std", "encoder.head.weight"} < header.keys()


def test_an_experiment_folder_stands_for_its_model(tmp_path: Path) -> None:
    save_bundle(tmp_path / "07_average", make_bundle())
    assert read_description(tmp_path)["card"]["name"] == "tiny"
    assert torch.equal(log_probs(load_bundle(tmp_path)), log_probs(make_bundle()))


class Trap:
    """Pickled, it makes a folder when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    "write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))]
)
def test_a_pickle_in_place_of_the_weights_runs_nothing(
    saved: Path, tmp_path: Path, write: Callable[[Any, Path], Any]
) -> None:
    write({"encoder.head.weight": Trap(tmp_path / "sprung")}, saved / "model.safetensors")
    with pytest.raises(ModelError, match=r"model.safetensors: cannot be read"):
        load_bundle(saved)
    assert not (tmp_path / "sprung").exists()


def test_another_format_version_is_refused_by_number(saved: Path) -> None:
    edit(saved, lambda description: description.update(format=2))
    with pytest.raises(ModelError, match=r"model.json: model format 2 came; .* reads 1; .*train"):
        load_bundle(saved)


@pytest.mark.parametrize("content", ['{"format": 1, ', "\xff\xfe", "", "[]", '"model"'], ids=repr)
def test_damaged_json_is_named(saved: Path, content: str) -> None:
    (saved / "model.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelError, match=r"model.json: "):
        load_bundle(saved)


@pytest.mark.parametrize("name", ["features", "encoder", "tokens", "normalizer"])
@pytest.mark.parametrize("value", [None, "missing", ["a"], {"wrong": 1}, 7], ids=repr)
def test_a_description_with_a_damaged_part_is_named_with_the_part(
    saved: Path, name: str, value: Any
) -> None:
    if value == "missing":
        edit(saved, lambda description: description.pop(name))
    else:
        edit(saved, lambda description: description.update({name: value}))
    with pytest.raises(ModelError, match=r"model.json: ") as raised:
        load_bundle(saved)
    assert "\n" not in str(raised.value)


def test_tokens_that_are_no_strings_are_refused(saved: Path) -> None:
    edit(saved, lambda description: description["tokens"].update(symbols=list(range(7))))
    with pytest.raises(ModelError, match=r"model.json: not a token table"):
        load_bundle(saved)


@pytest.mark.parametrize("keep", [0, 4, 100, -50], ids=str)
def test_cut_off_weights_are_named(saved: Path, keep: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model.safetensors: cannot be read .*copy the model"):
        load_bundle(saved)


def test_a_missing_description_says_what_a_model_folder_is(saved: Path) -> None:
    (saved / "model.json").unlink()
    with pytest.raises(ModelError, match=r"not a model folder: there is no model.json.*asr run"):
        load_bundle(saved)


def test_missing_weights_are_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors: cannot be read"):
        load_bundle(saved)


def test_a_folder_that_is_not_there_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing: not a model folder"):
        load_bundle(tmp_path / "nothing")


def test_weights_of_another_model_are_refused_on_one_line(saved: Path) -> None:
    edit(saved, lambda description: description["encoder"].update(hidden=16, layers=7))
    with pytest.raises(ModelError, match=r"model.safetensors: does not fit .*model.json") as raised:
        load_bundle(saved)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_a_table_of_more_tokens_than_weights_is_refused(saved: Path) -> None:
    edit(saved, lambda description: description["tokens"]["symbols"].append("z"))
    with pytest.raises(ModelError, match="does not fit"):
        load_bundle(saved)


def test_missing_statistics_are_named(saved: Path) -> None:
    edit_weights(saved, lambda weights: weights.pop("stats.std"))
    with pytest.raises(ModelError, match=r"'stats.std' is missing, which global CMVN needs; copy"):
        load_bundle(saved)


def test_statistics_of_other_features_are_refused(saved: Path) -> None:
    edit_weights(saved, lambda weights: weights.update({"stats.mean": torch.zeros(13)}))
    with pytest.raises(ModelError, match=r"model.safetensors: .*stats.mean.*12"):
        load_bundle(saved)


def test_a_description_of_more_than_there_is_takes_no_memory(saved: Path) -> None:
    """41 GB, were it made before it is compared."""
    edit(saved, lambda description: description["encoder"].update(hidden=10_000_000))
    with pytest.raises(ModelError, match="does not fit"):
        load_bundle(saved)


@pytest.mark.parametrize("card", [None, [1], "a card"], ids=repr)
def test_a_card_that_is_no_object_is_refused(saved: Path, card: Any) -> None:
    edit(saved, lambda description: description.update(card=card))
    with pytest.raises(ModelError, match=r"model.json: key 'card'"):
        load_bundle(saved)


def test_json_without_end_is_refused(saved: Path) -> None:
    (saved / "model.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match=r"model.json: cannot be read"):
        load_bundle(saved)
