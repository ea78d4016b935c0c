"""The moving average against its formula."""

import pytest
import torch
from torch import nn

from asr.training.moving_average import MovingAverage


def test_the_average_keeps_the_decay_of_itself_and_takes_the_rest_of_the_weight() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 4.0)
    average = MovingAverage(model, 0.9)
    expected = 4.0
    for step, weight in enumerate([3.0, 7.0, -2.0, 5.0] * 30, start=1):
        with torch.no_grad():
            model.weight.fill_(weight)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert average.average["weight"].item() == pytest.approx(expected, rel=1e-5)
    assert model.weight.item() == 5.0, "the model itself is left alone"


def test_an_average_goes_on_where_another_was_kept() -> None:
    model = nn.Linear(2, 2)
    first, second = MovingAverage(model, 0.5), MovingAverage(model, 0.5)
    nn.init.zeros_(model.weight)
    first.update(1)
    second.load(first.average)
    for one in (first, second):
        one.update(2)
    assert torch.equal(first.average["weight"], second.average["weight"])


def test_the_average_has_every_weight_that_the_model_has() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    assert MovingAverage(model, 0.5).average.keys() == model.state_dict().keys()
