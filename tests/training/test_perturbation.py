"""Perturbed weights: what is drawn, for which step, and that nothing of it stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.training.perturbation import WeightPerturbation

TinyTraining = Any  # of the conftest, which cannot be imported
Same = Callable[[nn.Module, nn.Module], bool]


def make_encoder(cell: str = "lstm") -> Encoder:
    torch.manual_seed(3)
    settings = EncoderSettings.parse({"cell": cell, "layers": 2, "hidden": 40}, "test")
    return Encoder(settings, inputs=5, tokens=4)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def changed_in(perturbation: WeightPerturbation, model: nn.Module, step: int) -> dict[str, Tensor]:
    """The weights of a step, of those that are others in it."""
    before = weights_of(model)
    with perturbation.step(step):
        inside = weights_of(model)
    assert all(torch.equal(one, before[name]) for name, one in weights_of(model).items())
    return {name: one for name, one in inside.items() if not torch.equal(one, before[name])}


@pytest.mark.parametrize("cell", ["lstm", "gru", "tanh"])
def test_noise_has_its_deviation_and_is_on_recurrent_matrices_alone(cell: str) -> None:
    encoder = make_encoder(cell)
    before = weights_of(encoder)
    found = changed_in(WeightPerturbation(encoder, noise=0.1, dropout=0, seed=1), encoder, 7)
    assert len(found) == 2 * 2 * 2  # layers, directions, input and hidden
    assert all(".recurrent." in name and "weight_" in name for name in found)
    noise = torch.cat([(one - before[name]).flatten() for name, one in found.items()])
    assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0, abs=0.003)


def test_dropout_leaves_out_its_share_of_hidden_to_hidden_weights() -> None:
    encoder = make_encoder()
    before = weights_of(encoder)
    found = changed_in(WeightPerturbation(encoder, noise=0, dropout=0.3, seed=1), encoder, 7)
    assert len(found) == 4
    assert all("weight_hh" in name for name in found)
    for name, one in found.items():
        gone = one == 0
        assert float(gone.float().mean()) == pytest.approx(0.3, abs=0.03)
        assert torch.allclose(one[~gone], before[name][~gone] / 0.7)


def test_the_gradient_is_that_of_the_weights_that_are_kept() -> None:
    """Against autograd through the mask itself."""
    layer = nn.RNN(3, 4, batch_first=True)
    inputs = torch.randn(2, 6, 3)
    with WeightPerturbation(layer, noise=0, dropout=0.5, seed=1).step(1):
        factor = layer.weight_hh_l0.detach().clone()
        layer(inputs)[0].square().sum().backward()
    found = layer.weight_hh_l0.grad
    assert found is not None
    original = layer.weight_hh_l0.detach().clone().requires_grad_()
    mask = torch.where(factor == 0, 0.0, 2.0)
    weights = {**dict(layer.named_parameters()), "weight_hh_l0": original * mask}
    torch.func.functional_call(layer, weights, (inputs,))[0].square().sum().backward()
    assert original.grad is not None
    assert torch.allclose(found, original.grad, atol=1e-5)


def test_what_is_drawn_is_a_function_of_seed_and_step() -> None:
    encoder = make_encoder()

    def drawn(seed: int, step: int) -> Tensor:
        perturbation = WeightPerturbation(encoder, noise=0.1, dropout=0.2, seed=seed)
        found = changed_in(perturbation, encoder, step)
        return torch.cat([one.flatten() for one in found.values()])

    assert torch.equal(drawn(1, 5), drawn(1, 5))
    assert not torch.equal(drawn(1, 5), drawn(1, 6))
    assert not torch.equal(drawn(1, 5), drawn(2, 5))


def test_weights_come_back_where_a_step_fails() -> None:
    encoder = make_encoder()
    before = weights_of(encoder)
    perturbation = WeightPerturbation(encoder, noise=0.1, dropout=0.1, seed=1)
    with pytest.raises(KeyboardInterrupt), perturbation.step(1):
        raise KeyboardInterrupt
    assert all(torch.equal(one, before[name]) for name, one in weights_of(encoder).items())


@pytest.mark.parametrize(
    "settings",
    [{"weight_noise": 0.05}, {"weight_dropout": 0.3}, {"label_smoothing": 0.1}, {"mmi": 0.9}],
    ids=str,
)
def test_each_regulariser_changes_what_is_learned(
    tiny: TinyTraining, same_weights: Same, tmp_path: Path, settings: dict[str, Any]
) -> None:
    plain = tiny.train(folder=tmp_path / "plain", epochs=1)
    assert not same_weights(tiny.train(epochs=1, **settings), plain)
