"""Measured norms against formulas in numpy, finite differences, and layers built to decay."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor, nn

from asr.diagnosis.gradients import (
    GradientSettings,
    count_passes,
    jacobian_norms,
    measure_gradients,
    orthonormal,
)
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.encoder.recurrent import Cell

INPUTS, HIDDEN, FRAMES, TOKENS = 3, 5, 12, 4
CELLS = get_args(Cell)


def make_encoder(**settings: Any) -> Encoder:
    torch.manual_seed(1)
    small = {"hidden": HIDDEN, "layers": 2, "factor": 1, "dropout": 0.5, "channels": 2}
    parsed = EncoderSettings.parse(small | settings, "test")
    return Encoder(parsed, inputs=INPUTS, tokens=TOKENS).double()


def make_features(frames: int = FRAMES, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(frames, INPUTS, generator=generator, dtype=torch.float64)


def all_vectors(size: int) -> Tensor:
    return orthonormal(size, size, torch.Generator().manual_seed(3))


def weights_of(recurrence: nn.RNNBase) -> dict[str, oracles.Array]:
    names = ("input=weight_ih", "hidden=weight_hh", "input_bias=bias_ih", "hidden_bias=bias_hh")
    pairs = (name.split("=") for name in names)
    return {
        ours: recurrence.get_parameter(f"{theirs}_l0").detach().numpy() for ours, theirs in pairs
    }


def make_recurrence(cell: Cell) -> nn.RNNBase:
    torch.manual_seed(4)
    kinds: dict[str, Callable[[], nn.RNNBase]] = {
        "lstm": lambda: nn.LSTM(INPUTS, HIDDEN, batch_first=True),
        "gru": lambda: nn.GRU(INPUTS, HIDDEN, batch_first=True),
    }
    plain = lambda: nn.RNN(INPUTS, HIDDEN, nonlinearity=cell, batch_first=True)  # noqa: E731
    return kinds.get(cell, plain)().double()


def run_of(recurrence: nn.RNNBase) -> Callable[[Tensor], Tensor]:
    return lambda inputs: recurrence(inputs)[0]


def differences(
    function: Callable[[oracles.Array], oracles.Array], inputs: oracles.Array
) -> oracles.Array:
    """Frobenius norms (U,) of the Jacobian of `function` by each input frame, by differences."""
    step, squares = 1e-6, np.zeros(len(inputs))
    for place in np.ndindex(inputs.shape):
        change = np.zeros_like(inputs)
        change[place] = step
        slope = (function(inputs + change) - function(inputs - change)) / (2 * step)
        squares[place[0]] += (slope**2).sum()
    return np.sqrt(squares)


def test_a_tanh_layer_has_the_norms_of_the_textbooks_product_of_jacobians() -> None:
    recurrence, inputs = make_recurrence("tanh"), make_features()
    weights = weights_of(recurrence)
    states = oracles.one_way("tanh", weights, inputs.numpy())
    frame = 9
    product, expected = np.eye(HIDDEN), []
    for earlier in range(frame, -1, -1):
        slopes = np.diag(1 - states[earlier] ** 2)
        expected.append(np.linalg.norm(product @ slopes @ weights["input"]))
        product = product @ slopes @ weights["hidden"]
    norms = jacobian_norms(run_of(recurrence), inputs, frame=frame, vectors=all_vectors(HIDDEN))
    np.testing.assert_allclose(norms[: frame + 1].flip(0), expected, rtol=1e-12)
    assert (norms[frame + 1 :] == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_norms_of_every_cell_are_those_of_finite_differences(cell: Cell) -> None:
    recurrence, inputs, frame = make_recurrence(cell), make_features(), 8
    weights = weights_of(recurrence)
    expected = differences(
        lambda values: oracles.one_way(cell, weights, values)[frame], inputs.numpy()
    )
    norms = jacobian_norms(run_of(recurrence), inputs, frame=frame, vectors=all_vectors(HIDDEN))
    np.testing.assert_allclose(norms, expected, rtol=1e-6, atol=1e-9)


def test_few_projections_estimate_the_square_of_the_norm_without_bias() -> None:
    recurrence, inputs, frame = make_recurrence("lstm"), make_features(), 9
    run = run_of(recurrence)
    exact = jacobian_norms(run, inputs, frame=frame, vectors=all_vectors(HIDDEN))[: frame + 1]
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack(
        [
            jacobian_norms(
                run, inputs, frame=frame, vectors=orthonormal(2, HIDDEN, generator)
            ).square()
            for _ in range(800)
        ]
    )[:, : frame + 1]
    error = draws.std(dim=0) / len(draws) ** 0.5
    assert ((draws.mean(dim=0) - exact.square()).abs() < 4 * error).all()
    assert (draws.std(dim=0) > 0).all()


def test_projections_are_orthonormal_and_at_most_as_many_as_there_are_units() -> None:
    vectors = orthonormal(8, HIDDEN, torch.Generator())
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(HIDDEN, dtype=torch.float64))
    assert orthonormal(2, HIDDEN, torch.Generator()).shape == (2, HIDDEN)


def make_scaled_relu(scale: float, *, bidirectional: bool = False) -> Encoder:
    """All units stay positive, and W_h = s I: each frame multiplies the Jacobian by s."""
    encoder = make_encoder(cell="relu", layers=1, layer_norm=False, bidirectional=bidirectional)
    recurrences = [module for module in encoder.modules() if isinstance(module, nn.RNNBase)]
    with torch.no_grad():
        for recurrence in recurrences:
            recurrence.get_parameter("weight_hh_l0").copy_(
                scale * torch.eye(HIDDEN, dtype=torch.float64)
            )
            recurrence.get_parameter("weight_ih_l0").abs_()
            recurrence.get_parameter("bias_ih_l0").fill_(1.0)
    return encoder


@pytest.mark.parametrize(
    ("scale", "verdict"), [(0.8, "vanishes"), (1.0, "lasts"), (1.25, "explodes")]
)
def test_a_relu_layer_with_a_scaled_identity_decays_by_that_scale_a_frame(
    scale: float, verdict: str
) -> None:
    encoder = make_scaled_relu(scale, bidirectional=True)
    features = [make_features(45).abs(), make_features(40, seed=9).abs()]
    settings = GradientSettings(projections=2)
    decays = measure_gradients(encoder, features, settings, frame_seconds=0.01)
    # The whole model has both directions in distance 0, and one in all others.
    for decay in decays[:2]:
        np.testing.assert_allclose(decay.norms, scale ** np.arange(27), rtol=1e-9)
        assert decay.factor == pytest.approx(scale)
        assert decay.verdict == verdict


def test_an_lstm_whose_forget_gate_is_open_keeps_the_gradient_as_long_as_it_lives() -> None:
    """The constant error carousel of Hochreiter & Schmidhuber (1997)."""
    factors = {}
    for forget in (50.0, 0.0):
        encoder = make_encoder(cell="lstm", layers=1, layer_norm=False, bidirectional=False)
        (recurrence,) = (module for module in encoder.modules() if isinstance(module, nn.RNNBase))
        with torch.no_grad():
            recurrence.get_parameter("weight_hh_l0").zero_()
            recurrence.get_parameter("bias_ih_l0").zero_()
            # The gates of input and candidate hear the input; forget and output gates stand still.
            for gate in (1, 3):
                recurrence.get_parameter("weight_ih_l0")[
                    gate * HIDDEN : (gate + 1) * HIDDEN
                ].zero_()
            recurrence.get_parameter("bias_hh_l0")[HIDDEN : 2 * HIDDEN] = forget
        settings = GradientSettings(projections=HIDDEN, frames=10, distance=60)
        layer, _ = measure_gradients(encoder, [make_features(150)], settings, frame_seconds=0.01)
        factors[forget] = layer.factor
    # Without it the memory cell loses sigmoid(0) = half of itself in each frame.
    assert factors[50.0] == pytest.approx(1.0, abs=0.005)
    assert factors[0.0] == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("subsampling", ["stacking", "convolution"])
@pytest.mark.parametrize("factor", [1, 3])
def test_norms_of_the_whole_model_are_those_of_finite_differences(
    subsampling: str, factor: int
) -> None:
    encoder = make_encoder(subsampling=subsampling, factor=factor, projection=3)
    features = make_features(11)
    # All output frames, each in all directions: nothing is left to chance.
    settings = GradientSettings(frames=99, projections=TOKENS, distance=4)
    decays = measure_gradients(encoder, [features], settings, frame_seconds=0.01)
    whole = {decay.side: decay for decay in decays if decay.layer is None}
    encoder.eval()
    frames = encoder.frames(11)
    reach = settings.reach(frames)

    logits: list[Tensor] = []  # before the encoder makes float32 of them
    encoder.head.register_forward_hook(lambda *arguments: logits.append(arguments[2]))

    def log_probs(values: oracles.Array) -> oracles.Array:
        with torch.no_grad():
            encoder(torch.from_numpy(values).unsqueeze(0), torch.tensor([11]))
        scores = logits.pop()[0].numpy()
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    past, future = [], []
    for frame in range(frames):
        by_feature_frame = differences(
            lambda values, frame=frame: log_probs(values)[frame], features.numpy()
        )
        padded = np.pad(by_feature_frame, (0, frames * factor - 11))
        norms = np.sqrt((padded.reshape(frames, factor) ** 2).sum(axis=1))
        if frame >= reach:
            past.append(norms[frame - reach : frame + 1][::-1])
        if frame < frames - reach:
            future.append(norms[frame : frame + reach + 1])
    for side, rows in {"past": past, "future": future}.items():
        expected = np.exp(np.mean(np.log(rows), axis=0))
        assert whole[side].first == pytest.approx(expected[0], rel=1e-5)
        np.testing.assert_allclose(whole[side].norms, expected / expected[0], rtol=1e-5)


@pytest.mark.parametrize("subsampling", ["stacking", "convolution"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_layer_and_direction_and_the_whole_model_are_measured(
    subsampling: str, cell: Cell
) -> None:
    encoder = make_encoder(cell=cell, subsampling=subsampling, factor=2, projection=4)
    decays = measure_gradients(encoder, [make_features(30)], GradientSettings(), frame_seconds=0.02)
    places = [(decay.layer, decay.side) for decay in decays]
    sides = ("past", "future")
    assert places == [(layer, side) for layer in (1, 2, None) for side in sides]
    assert all(decay.norms[0] == 1 and decay.reach == 10 for decay in decays)
    assert all(norm > 0 for decay in decays for norm in decay.norms) or cell == "relu"


@pytest.mark.parametrize("subsampling", ["stacking", "convolution"])
def test_a_one_way_model_has_no_gradient_from_the_future_and_no_curve_for_it(
    subsampling: str,
) -> None:
    frame, vectors = 5, all_vectors(TOKENS)

    def norms(bidirectional: bool) -> Tensor:
        encoder = make_encoder(
            subsampling=subsampling, factor=1, bidirectional=bidirectional
        ).eval()
        return jacobian_norms(
            lambda inputs: encoder(inputs, torch.full((len(inputs),), FRAMES)).log_probs,
            make_features(),
            frame=frame,
            vectors=vectors,
        )

    # A convolution of three frames sees one frame ahead.
    first = frame + (2 if subsampling == "convolution" else 1)
    assert (norms(False)[first:] == 0).all()
    assert (norms(True) > 0).all()
    one_way = make_encoder(subsampling=subsampling, bidirectional=False)
    decays = measure_gradients(one_way, [make_features()], GradientSettings(), frame_seconds=0.01)
    assert [(decay.layer, decay.side) for decay in decays] == [
        (1, "past"),
        (2, "past"),
        (None, "past"),
    ]


def test_the_backward_direction_is_the_forward_one_on_mirrored_time() -> None:
    encoder = make_encoder(layers=1)
    forward, backward = (m for m in encoder.modules() if isinstance(m, nn.RNNBase))
    backward.load_state_dict(forward.state_dict())
    settings = GradientSettings(projections=HIDDEN, frames=3)
    features = make_features(20)
    straight = measure_gradients(encoder, [features], settings, frame_seconds=0.01)
    mirrored = measure_gradients(encoder, [features.flip(0)], settings, frame_seconds=0.01)
    assert straight[0].side == mirrored[0].side == "past"
    np.testing.assert_allclose(straight[0].norms, mirrored[1].norms, rtol=1e-10)
    np.testing.assert_allclose(straight[1].norms, mirrored[0].norms, rtol=1e-10)
    assert straight[0].norms != pytest.approx(straight[1].norms)


def test_norms_are_averaged_geometrically_over_utterances() -> None:
    encoder = make_encoder(layers=1)
    settings = GradientSettings(projections=HIDDEN, frames=99)
    both = [make_features(20), make_features(20, seed=7)]
    one, other, mean = (
        np.array(measure_gradients(encoder, part, settings, frame_seconds=0.01)[0].norms)
        for part in (both[:1], both[1:], both)
    )
    np.testing.assert_allclose(mean, np.sqrt(one * other), rtol=1e-10)


def test_the_same_seed_gives_the_same_curves_and_another_one_others() -> None:
    encoder, features = make_encoder().float(), [make_features(30).float()]

    def curves(seed: int) -> list[tuple[float, ...]]:
        settings = GradientSettings(projections=2, seed=seed)
        decays = measure_gradients(encoder, features, settings, frame_seconds=0.01)
        return [decay.norms for decay in decays]

    torch.manual_seed(0)
    first = curves(1)
    torch.manual_seed(1)
    assert curves(1) == first
    assert curves(2) != first


def test_measuring_leaves_the_model_as_it_was() -> None:
    encoder = make_encoder()
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    measure_gradients(encoder, [make_features()], GradientSettings(), frame_seconds=0.01)
    assert encoder.training
    assert all(weight.requires_grad and weight.grad is None for weight in encoder.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in encoder.state_dict().items())
    assert not any(module._forward_pre_hooks for module in encoder.modules())


def test_each_backward_pass_is_announced() -> None:
    encoder, calls = make_encoder(), []
    features = [make_features(12), make_features(30)]
    settings = GradientSettings(frames=5)
    measure_gradients(
        encoder, features, settings, frame_seconds=0.01, advance=lambda: calls.append(1)
    )
    # 12 frames leave 4 output frames beyond a reach of 8; 3 parts, 2 sides.
    assert len(calls) == (4 + 5) * 6 == count_passes(encoder, features, settings)


def test_a_layer_whose_units_are_all_off_has_no_gradient() -> None:
    encoder = make_scaled_relu(1.0)
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, nn.RNNBase):
                module.get_parameter("bias_ih_l0").fill_(-100.0)
    layer, whole = measure_gradients(
        encoder, [make_features(30)], GradientSettings(), frame_seconds=0.01
    )
    assert layer.verdict == whole.verdict == "no gradient"
    assert set(layer.norms) == {0.0}
