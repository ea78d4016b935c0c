"""What is learned from beside the loss of the output: by its weight, and not reported."""

import pytest
import torch

from asr.dataset import Batch
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.errors import ConfigError
from asr.training.checkpoint import Trained
from asr.training.distributed import World
from asr.training.optimizer import OptimizerSettings, build_optimizer
from asr.training.settings import IntermediateSettings, TrainingSettings, refuse_missing_layers
from asr.training.step import Outcome, TrainingStep


def make_encoder() -> Encoder:
    torch.manual_seed(3)
    return Encoder(EncoderSettings(layers=3, hidden=6, dropout=0.0), inputs=5, tokens=4)


def make_batch() -> Batch:
    chance = torch.Generator().manual_seed(4)
    return Batch(
        ids=("a", "b"),
        features=torch.randn(2, 40, 5, generator=chance),
        feature_lengths=torch.tensor([40, 30]),
        targets=torch.tensor([[1, 2, 3], [2, 1, 0]]),
        target_lengths=torch.tensor([3, 2]),
    )


def step(
    encoder: Encoder, intermediate: IntermediateSettings | None, smoothing: float | None = None
) -> Outcome:
    settings = TrainingSettings(
        precision="float32", intermediate=intermediate, label_smoothing=smoothing
    )
    trained = Trained(encoder, build_optimizer(encoder, OptimizerSettings()), None)
    take = TrainingStep(trained, settings, World())
    return take([(0, make_batch())], tokens=5, rate=0.0, number=1, stop=lambda: False)


def loss_of_layers(encoder: Encoder, layers: int) -> torch.Tensor:
    """By an encoder that ends there."""
    batch = make_batch()
    hidden, lengths = encoder.subsampling(batch.features, batch.feature_lengths)
    for block in list(encoder.blocks)[:layers]:
        hidden = block(hidden, lengths)
    rows = encoder.head(encoder.norm(hidden)).log_softmax(2)
    losses = torch.nn.functional.ctc_loss(
        rows.transpose(0, 1), batch.targets, lengths, batch.target_lengths, reduction="none"
    )
    total: torch.Tensor = losses.sum()
    return total


def test_the_gradient_is_that_of_the_weighted_losses() -> None:
    encoder = make_encoder()
    mean = 0.5 * (loss_of_layers(encoder, 1) + loss_of_layers(encoder, 2))
    ((0.7 * loss_of_layers(encoder, 3) + 0.3 * mean) / 5).backward()
    expected = {name: weight.grad for name, weight in encoder.named_parameters()}
    other = make_encoder()
    step(other, IntermediateSettings(layers=(1, 2), weight=0.3))
    for name, weight in other.named_parameters():
        assert weight.grad is not None
        assert expected[name] is not None
        assert torch.allclose(weight.grad, expected[name], atol=1e-6), name


def test_label_smoothing_is_a_share_of_what_is_learned_from_and_not_reported() -> None:
    encoder, batch = make_encoder(), make_batch()
    emissions = encoder(batch.features, batch.feature_lengths)
    rows = [emissions.log_probs[0], emissions.log_probs[1, : int(emissions.lengths[1])]]
    uniform = [torch.full_like(one, 1 / 4) for one in rows]
    distance = sum(
        torch.nn.functional.kl_div(one, other, reduction="sum")
        for one, other in zip(rows, uniform, strict=True)
    )
    ctc = loss_of_layers(encoder, 3)
    ((0.9 * ctc + 0.1 * distance) / 5).backward()
    other = make_encoder()
    assert step(other, None, smoothing=0.1).loss == pytest.approx(float(ctc.detach()), rel=1e-5)
    expected = dict(encoder.named_parameters())
    for name, weight in other.named_parameters():
        assert weight.grad is not None
        assert expected[name].grad is not None
        assert torch.allclose(weight.grad, expected[name].grad, atol=1e-6), name


def test_the_loss_that_is_reported_is_that_of_the_output() -> None:
    encoder = make_encoder()
    alone = float(loss_of_layers(encoder, 3).detach())
    assert step(encoder, IntermediateSettings(layers=(1,))).loss == pytest.approx(alone, rel=1e-5)
    assert step(make_encoder(), None).loss == pytest.approx(alone, rel=1e-5)


def test_lower_layers_say_something_only_when_asked() -> None:
    encoder, batch = make_encoder(), make_batch()
    assert encoder(batch.features, batch.feature_lengths).early == ()
    assert len(encoder(batch.features, batch.feature_lengths, (2,)).early) == 1


def test_a_layer_that_is_not_below_others_is_refused() -> None:
    settings = TrainingSettings(intermediate=IntermediateSettings(layers=(1, 3)))
    with pytest.raises(ConfigError, match=r"\[1, 3\]; the encoder has 3 layers, of which 1 to 2"):
        refuse_missing_layers(make_encoder(), settings)
