"""What is measured at every step, against plain loops over the gradient."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.training.measurements import EpochSums, GradientGauge, layer_of


def make_encoder(**settings: Any) -> Encoder:
    torch.manual_seed(1)
    shape: dict[str, Any] = {"hidden": 6, "layers": 2, "projection": 5, "channels": 3}
    return Encoder(EncoderSettings.parse(shape | settings, "test"), inputs=8, tokens=7)


def backward(encoder: Encoder, scale: float) -> None:
    """Give the encoder a gradient."""
    encoder.zero_grad()
    emissions = encoder(torch.randn(2, 24, 8), torch.tensor([24, 20]))
    (scale * emissions.log_probs.square().sum()).backward()


def norm_of(weights: list[nn.Parameter]) -> float:
    """Root of the sum of all squares, one number after the other."""
    numbers = [number for one in weights for number in one.grad.flatten().tolist()]  # type: ignore[union-attr]
    return math.sqrt(math.fsum(number * number for number in numbers))


@pytest.mark.parametrize("subsampling", ["stacking", "convolution"])
def test_norms_by_layer_are_those_of_a_plain_loop(subsampling: str) -> None:
    encoder, sums = make_encoder(subsampling=subsampling), EpochSums()
    gauge = GradientGauge(encoder, clip_norm=1e9)
    expected: dict[str, list[float]] = {}
    for scale in (1e-3, 4e-3, 2e-3):
        backward(encoder, scale)
        groups = {
            "all": [*encoder.parameters()],
            "layer 1 norm": [*encoder.blocks[0].norm.parameters()],  # type: ignore[union-attr]
            "layer 1 ahead": [*encoder.blocks[0].recurrent.ahead.parameters()],  # type: ignore[union-attr]
            "layer 1 back": [*encoder.blocks[0].recurrent.back.parameters()],  # type: ignore[union-attr]
            "layer 1 projection": [*encoder.blocks[0].projection.parameters()],  # type: ignore[union-attr]
            "layer 2 norm": [*encoder.blocks[1].norm.parameters()],  # type: ignore[union-attr]
            "layer 2 ahead": [*encoder.blocks[1].recurrent.ahead.parameters()],  # type: ignore[union-attr]
            "layer 2 back": [*encoder.blocks[1].recurrent.back.parameters()],  # type: ignore[union-attr]
            "layer 2 projection": [*encoder.blocks[1].projection.parameters()],  # type: ignore[union-attr]
            "norm": [*encoder.norm.parameters()],
            "head": [*encoder.head.parameters()],
        }
        if subsampling == "convolution":
            groups["subsampling"] = [*encoder.subsampling.parameters()]
        for layer, weights in groups.items():
            expected.setdefault(layer, []).append(norm_of(weights))
        norms, numbers = gauge.clip(torch.tensor([2.5, scale]))
        assert numbers == pytest.approx([2.5, scale])
        sums.take(norms, 1e9)
    found = sums.record(speech_seconds=0)["gradient_norm"]
    assert found.keys() == expected.keys()
    for layer, norms in expected.items():
        assert found[layer]["mean"] == pytest.approx(sum(norms) / 3, rel=1e-5), layer
        assert found[layer]["max"] == pytest.approx(max(norms), rel=1e-5), layer


@pytest.mark.parametrize("clip_norm", [1e-3, 1e9])
def test_the_gradient_is_clipped_bit_for_bit_as_torch_does_it(clip_norm: float) -> None:
    ours, theirs = make_encoder(), make_encoder()
    for encoder in (ours, theirs):
        torch.manual_seed(5)
        backward(encoder, 1.0)
    norms, _ = GradientGauge(ours, clip_norm).clip(torch.zeros(0))
    total = nn.utils.clip_grad_norm_(theirs.parameters(), clip_norm)
    assert norms["all"] == float(total)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_gradient_that_is_not_finite_shows_in_its_layer_and_in_all(bad: float) -> None:
    encoder = make_encoder()
    backward(encoder, 1.0)
    encoder.head.bias.grad[3] = bad  # type: ignore[index]
    norms, _ = GradientGauge(encoder, 5.0).clip(torch.zeros(0))
    assert [layer for layer, norm in norms.items() if not math.isfinite(norm)] == ["all", "head"]


def test_the_gauge_reads_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, read = make_encoder(), []
    backward(encoder, 1.0)
    tolist, item = torch.Tensor.tolist, torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "tolist", lambda one: read.append(1) or tolist(one))
    monkeypatch.setattr(torch.Tensor, "item", lambda one: read.append(1) or item(one))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda one: read.append(1) or bool(item(one)))
    GradientGauge(encoder, 5.0).clip(torch.zeros(2))
    assert len(read) == 1


def test_parameters_are_called_after_their_layers() -> None:
    assert layer_of("blocks.0.recurrent.back.bias_hh_l0") == "layer 1 back"
    assert layer_of("blocks.11.recurrent.ahead.weight_ih_l0") == "layer 12 ahead"
    assert layer_of("subsampling.layers.0.weight") == "subsampling"


def test_shares_are_of_the_steps_that_were_taken() -> None:
    sums = EpochSums()
    for norm in (4.0, 6.0, 8.0, 2.0):
        sums.take({"all": norm}, clip_norm=5.0)
    sums.skip(["a", "b"])
    sums.skip(["a"])
    sums.step_seconds, sums.wait_seconds = 20.0, 5.0
    assert sums.record(speech_seconds=600) == {
        "gradient_norm": {"all": {"mean": 5.0, "max": 8.0}},
        "clipped_share": 0.5,
        "skipped_steps": 2,
        "infinite_losses": {"a": 2, "b": 1},
        "data_wait": 0.25,
        "throughput": 30.0,
    }


def test_time_is_added_up_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 11.5, 13.0, 20.0, 20.25])
    monkeypatch.setattr("asr.training.measurements.time.monotonic", lambda: next(clock))
    sums = EpochSums()
    with sums.timed("step_seconds"), sums.timed("wait_seconds"):
        pass
    with sums.timed("wait_seconds"):
        pass
    assert (sums.step_seconds, sums.wait_seconds) == (3.0, 0.75)
