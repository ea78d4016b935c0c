"""What weight decay falls on, and the step."""

import math

import pytest
import torch
from torch import nn

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.training.optimizer import OptimizerSettings, build_optimizer


def test_weights_decay_and_biases_and_norms_do_not() -> None:
    encoder = Encoder(EncoderSettings(hidden=4, layers=2), inputs=8, tokens=5)
    optimizer = build_optimizer(encoder, OptimizerSettings(learning_rate=0.1, weight_decay=0.5))
    before = {name: weight.clone() for name, weight in encoder.named_parameters()}
    for weight in encoder.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, weight in encoder.named_parameters():
        shrinks = "weight" in name and "norm" not in name
        expected = before[name] * (1 - 0.1 * 0.5) if shrinks else before[name]
        torch.testing.assert_close(weight, expected, msg=name)


def test_every_weight_is_optimised_once() -> None:
    encoder = Encoder(EncoderSettings(hidden=4, projection=3), inputs=8, tokens=5)
    optimizer = build_optimizer(encoder, OptimizerSettings())
    there = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(there) == sorted(id(weight) for weight in encoder.parameters())


def test_the_step_is_adamws() -> None:
    """The first step by its formula: m / sqrt(v) is the gradient's sign, after the decay."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = build_optimizer(model, OptimizerSettings(learning_rate=0.1, weight_decay=0.5))
    model.weight.grad = torch.tensor([[0.3]])
    optimizer.step()
    assert model.weight.item() == pytest.approx(2.0 * (1 - 0.05) - 0.1 * 0.3 / (0.3 + 1e-8))
    assert math.isclose(optimizer.param_groups[0]["betas"][1], 0.98)
