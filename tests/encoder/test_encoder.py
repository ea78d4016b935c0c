from itertools import product
from typing import Any, get_args

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor

from asr.encoder.encoder import Encoder, EncoderSettings, LockedDropout
from asr.encoder.recurrent import Cell
from asr.errors import ConfigError
from asr.training.precision import cpu_runs_bfloat16

FEATURES, TOKENS = 6, 5
LENGTHS = [23, 9, 40, 1, 16]
CELLS = get_args(Cell)
FACTORS = range(1, 9)
SUBSAMPLINGS = ("stacking", "convolution")
EVERY_ENCODER = pytest.mark.parametrize(
    ("cell", "bidirectional", "subsampling"),
    list(product(CELLS, [False, True], SUBSAMPLINGS)),
)


def make(**settings: Any) -> Encoder:
    torch.manual_seed(1)
    small: dict[str, Any] = {"layers": 2, "hidden": 5, "channels": 3, "dropout": 0.0}
    parsed = EncoderSettings.parse(small | settings, "test")
    return Encoder(parsed, inputs=FEATURES, tokens=TOKENS)


def make_utterances(lengths: list[int] = LENGTHS) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, FEATURES, generator=generator) for length in lengths]


def log_probs_of(
    encoder: Encoder, utterances: list[Tensor], *, padding: float = 0.0, extra: int = 0
) -> list[Tensor]:
    """The valid log-probabilities (U, V) of each utterance of one padded batch."""
    frames = max(map(len, utterances)) + extra
    features = torch.full((len(utterances), frames, FEATURES), padding)
    for row, utterance in enumerate(utterances):
        features[row, : len(utterance)] = utterance
    emissions = encoder(features, torch.tensor([len(utterance) for utterance in utterances]))
    return [
        log_probs[:length]
        for log_probs, length in zip(emissions.log_probs, emissions.lengths.tolist(), strict=True)
    ]


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@EVERY_ENCODER
@pytest.mark.parametrize("factor", FACTORS)
def test_the_batch_changes_no_log_probability(
    cell: Cell, bidirectional: bool, subsampling: str, factor: int
) -> None:
    encoder = make(
        cell=cell, bidirectional=bidirectional, subsampling=subsampling, factor=factor
    ).eval()
    utterances = make_utterances()
    with torch.no_grad():
        alone = [log_probs_of(encoder, [utterance])[0] for utterance in utterances]
        assert_same(log_probs_of(encoder, utterances), alone)
        assert_same(log_probs_of(encoder, utterances, extra=13), alone)
        assert_same(log_probs_of(encoder, utterances[::-1])[::-1], alone)
        assert_same(log_probs_of(encoder, utterances, padding=1e4, extra=3), alone)
        nan = log_probs_of(encoder, utterances, padding=float("nan"), extra=3)
        assert_same(nan, alone)


@EVERY_ENCODER
@pytest.mark.parametrize("factor", [1, 3, 4])
def test_the_gradient_of_a_batch_is_the_sum_of_the_gradients_alone(
    cell: Cell, bidirectional: bool, subsampling: str, factor: int
) -> None:
    # Dropout is off by its share, not by eval(): the promise is one for training too.
    encoder = make(
        cell=cell, bidirectional=bidirectional, subsampling=subsampling, factor=factor
    ).train()
    utterances = make_utterances()

    def gradients(batches: list[list[Tensor]], padding: float) -> list[Tensor]:
        encoder.zero_grad()
        for batch in batches:
            for log_probs in log_probs_of(encoder, batch, padding=padding, extra=5):
                # A number that depends on each log-probability in its own way.
                weight = torch.linspace(-1, 1, log_probs.numel()).view_as(log_probs)
                (weight * log_probs).sum().backward(retain_graph=True)
        return [parameter.grad.clone() for parameter in encoder.parameters()]

    together = gradients([utterances], padding=1e3)
    alone = gradients([[utterance] for utterance in utterances], padding=0.0)
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("cell", "bidirectional"), list(product(CELLS, [False, True])))
def test_the_plain_stack_is_the_textbooks(cell: Cell, bidirectional: bool) -> None:
    encoder = make(cell=cell, bidirectional=bidirectional, factor=1, layer_norm=False)
    utterances = make_utterances()
    found = log_probs_of(encoder, utterances, padding=7.0)
    weights = {name: value.double().numpy() for name, value in encoder.state_dict().items()}

    def of_direction(prefix: str) -> dict[str, oracles.Array]:
        names = {"input": "weight_ih", "hidden": "weight_hh"}
        names |= {"input_bias": "bias_ih", "hidden_bias": "bias_hh"}
        return {name: weights[f"{prefix}.{key}_l0"] for name, key in names.items()}

    for log_probs, utterance in zip(found, utterances, strict=True):
        hidden = utterance.double().numpy()
        for number in range(2):
            layer = f"blocks.{number}.recurrent"
            ahead = of_direction(f"{layer}.ahead")
            if bidirectional:
                hidden = oracles.both_ways(cell, ahead, of_direction(f"{layer}.back"), hidden)
            else:
                hidden = oracles.one_way(cell, ahead, hidden)
        logits = hidden @ weights["head.weight"].T + weights["head.bias"]
        expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(log_probs.detach().numpy(), expected, rtol=0, atol=1e-5)


@EVERY_ENCODER
def test_probabilities_sum_to_one_in_training_and_in_use(
    cell: Cell, bidirectional: bool, subsampling: str
) -> None:
    encoder = make(cell=cell, bidirectional=bidirectional, subsampling=subsampling, dropout=0.3)
    for mode in (True, False):
        for log_probs in log_probs_of(encoder.train(mode), make_utterances()):
            sums = log_probs.exp().sum(dim=1)
            torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.skipif(not cpu_runs_bfloat16(), reason="this processor has no bfloat16")
def test_log_probabilities_are_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        log_probs = log_probs_of(make(), make_utterances())[0]
    assert log_probs.dtype == torch.float32
    # Sums of rounded probabilities would be off by parts in a hundred.
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(len(log_probs)))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("factor", FACTORS)
def test_frames_is_the_true_number_of_encoder_frames(subsampling: str, factor: int) -> None:
    encoder = make(subsampling=subsampling, factor=factor, layers=1, hidden=2).eval()
    for frames in (*range(1, 30), 100, 101):
        emissions = encoder(torch.zeros(2, frames, FEATURES), torch.tensor([frames, 1]))
        assert emissions.lengths.tolist() == [encoder.frames(frames), 1]
        assert emissions.log_probs.shape == (2, encoder.frames(frames), TOKENS)


def test_dropout_is_off_in_use_and_on_in_training() -> None:
    encoder, utterances = make(dropout=0.5), make_utterances()
    encoder.eval()
    assert_same(log_probs_of(encoder, utterances), log_probs_of(encoder, utterances))
    encoder.train()
    first, second = log_probs_of(encoder, utterances)[0], log_probs_of(encoder, utterances)[0]
    assert float((first - second).detach().abs().max()) > 1e-3


def test_dropout_drops_the_same_units_in_all_frames() -> None:
    torch.manual_seed(1)
    dropped = LockedDropout(0.25).train()(torch.ones(8, 30, 500))
    assert torch.equal(dropped, dropped[:, :1].expand(8, 30, 500))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert not torch.equal(dropped[0], dropped[1])  # each utterance has its own


def test_a_projection_sets_the_width_between_layers() -> None:
    encoder = make(projection=3, layer_norm=False, factor=2)
    assert encoder.blocks[1].recurrent.ahead.input_size == 3
    assert encoder.head.in_features == 3
    utterances = make_utterances()
    alone = [log_probs_of(encoder, [utterance])[0] for utterance in utterances]
    assert_same(log_probs_of(encoder, utterances, padding=1e4), alone)


# Model folders and checkpoints name weights by these keys: a change makes them unreadable.
KEYS_OF_ONE_BLOCK = {
    "blocks.0.norm.weight",
    "blocks.0.norm.bias",
    *(
        f"blocks.0.recurrent.{direction}.{name}_{which}_l0"
        for direction, name, which in product(("ahead", "back"), ("weight", "bias"), ("ih", "hh"))
    ),
    "blocks.0.projection.weight",
    "blocks.0.projection.bias",
    "norm.weight",
    "norm.bias",
    "head.weight",
    "head.bias",
}


@pytest.mark.parametrize("cell", CELLS)
def test_weights_keep_their_names(cell: Cell) -> None:
    stacking = make(cell=cell, layers=1, projection=3)
    assert set(stacking.state_dict()) == KEYS_OF_ONE_BLOCK
    convolution = make(cell=cell, layers=1, projection=3, subsampling="convolution", factor=4)
    assert set(convolution.state_dict()) == KEYS_OF_ONE_BLOCK | {
        f"subsampling.layers.{number}.{kind}" for number in (0, 1) for kind in ("weight", "bias")
    }


def test_one_way_plain_encoders_have_no_weights_to_spare() -> None:
    plain = make(layers=1, bidirectional=False, layer_norm=False)
    names = {
        f"blocks.0.recurrent.ahead.{k}_{w}_l0" for k in ("weight", "bias") for w in ("ih", "hh")
    }
    assert set(plain.state_dict()) == names | {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cell", "mamba"),
        ("layers", 0),
        ("hidden", 0),
        ("projection", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("factor", 0),
        ("factor", 9),
        ("subsampling", "pooling"),
        ("channels", 0),
        ("bidirectional", "perhaps"),
    ],
)
def test_settings_out_of_range_are_named(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"r\.yaml: encoder: key '{key}': .*came: {value!r}"):
        EncoderSettings.parse({key: value}, "r.yaml: encoder")


def test_an_unknown_setting_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'bidirectionnal'.*'bidirectional'"):
        EncoderSettings.parse({"bidirectionnal": True}, "r.yaml: encoder")
