"""Weights stored small come back within the bounds of their rounding, or are refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from asr.errors import ModelError
from asr.weights import Storage, as_stored, pack, read_weights, unpack, write_weights

SMALL: list[Storage] = ["bfloat16", "float16", "int8"]


def make_weights() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(1)
    matrix = torch.randn(40, 30, generator=chance) * torch.logspace(-3, 2, 40)[:, None]
    return {
        "matrix": matrix,
        "kernel": torch.randn(6, 4, 3, 3, generator=chance),
        "bias": torch.randn(40, generator=chance),
    }


@pytest.mark.parametrize("storage", ["float32", *SMALL])
def test_a_file_gives_back_what_was_said_it_would(tmp_path: Path, storage: Storage) -> None:
    weights = make_weights()
    write_weights(tmp_path / "a.safetensors", weights, storage)
    found, expected = read_weights(tmp_path / "a.safetensors"), as_stored(weights, storage)
    assert found.keys() == weights.keys()
    for name, weight in found.items():
        assert weight.dtype == torch.float32
        assert weight.shape == weights[name].shape
        assert torch.equal(weight, expected[name])
    if storage == "float32":
        assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_int8_is_off_by_half_a_scale_of_its_row_at_most() -> None:
    weights = make_weights()
    for name in ("matrix", "kernel"):
        rows, found = weights[name].flatten(1), as_stored(weights, "int8")[name].flatten(1)
        scale = rows.abs().max(dim=1).values / 127
        assert ((rows - found).abs() <= 0.5001 * scale[:, None]).all()
        assert ((rows - found).abs().max(dim=1).values > 0.3 * scale).all(), "the bound is met"


@pytest.mark.parametrize(("storage", "bits"), [("bfloat16", 8), ("float16", 11)])
def test_rounded_numbers_are_off_by_half_of_their_last_bit_at_most(
    storage: Storage, bits: int
) -> None:
    weights = make_weights()
    found = as_stored(weights, storage)
    for name in ("matrix", "kernel"):
        large = weights[name].abs() > 1e-4  # smaller ones have fewer bits in float16
        error = (weights[name] - found[name]).abs() / weights[name].abs()
        assert (error[large] <= 2.0**-bits).all()


@pytest.mark.parametrize("storage", SMALL)
def test_vectors_stay_as_they_are(storage: Storage) -> None:
    weights = make_weights()
    assert torch.equal(as_stored(weights, storage)["bias"], weights["bias"])


def test_rows_of_zeros_stay_zeros() -> None:
    weights = {"a": torch.tensor([[0.0, 0.0], [1.0, -0.5]])}
    assert torch.equal(as_stored(weights, "int8")["a"][0], torch.zeros(2))
    assert as_stored(weights, "int8")["a"][1, 0] == pytest.approx(1.0)


def test_int8_takes_a_quarter_of_the_room(tmp_path: Path) -> None:
    weights = {"a": torch.randn(400, 300)}
    sizes = {}
    for storage in ("float32", "bfloat16", "int8"):
        write_weights(tmp_path / storage, weights, storage)  # type: ignore[arg-type]
        sizes[storage] = (tmp_path / storage).stat().st_size
    assert sizes["int8"] < 0.26 * sizes["float32"]
    assert sizes["bfloat16"] < 0.51 * sizes["float32"]


def test_what_float16_cannot_hold_is_refused_when_it_is_stored() -> None:
    with pytest.raises(ModelError, match=r"'a' has numbers that float16 cannot hold"):
        pack({"a": torch.full((2, 2), 1e6)}, "float16")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.pop("matrix.scale"), r"for 'matrix.scale' nothing came"),
        (
            lambda one: one.update({"matrix.scale": torch.ones(3)}),
            r"float32 \(3,\) came; expected float32 \(40,\)",
        ),
        (
            lambda one: one.update({"matrix.scale": torch.ones(40, dtype=torch.float64)}),
            "float64",
        ),
        (lambda one: one.update({"matrix.scale": torch.zeros(40)}), "not above 0"),
        (lambda one: one.update({"matrix.scale": torch.full((40,), torch.nan)}), "not above 0"),
        (lambda one: one.update({"matrix.scale": torch.full((40,), torch.inf)}), "not finite"),
        (lambda one: one.update({"bias": torch.ones(40, dtype=torch.int8)}), "a vector of type"),
        (lambda one: one.update({"bias": torch.full((40,), torch.nan)}), "'bias' .* not finite"),
        (
            lambda one: one.update({"bias": torch.ones(40, dtype=torch.int64)}),
            "'bias' is of type int64; expected float32",
        ),
    ],
)
def test_odd_tensors_are_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], words: str
) -> None:
    path = tmp_path / "a.safetensors"
    write_weights(path, make_weights(), "int8")
    stored = load_file(path)
    change(stored)
    save_file(stored, path)
    with pytest.raises(ModelError, match=rf"a\.safetensors: .*{words}"):
        read_weights(path)


def test_a_scale_of_no_weight_is_left_to_be_refused_by_what_takes_the_weights() -> None:
    assert "a.scale" in unpack({"a": torch.ones(2, 2), "a.scale": torch.ones(2)}, "here")
