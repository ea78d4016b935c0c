from itertools import product
from typing import get_args

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.encoder.recurrent import Cell, RecurrentLayer, reversal_index, reverse

CELLS = get_args(Cell)
EVERY_LAYER = pytest.mark.parametrize(
    ("cell", "bidirectional"),
    list(product(CELLS, [False, True])),
    ids=lambda value: value if isinstance(value, str) else ("one-way", "bidirectional")[value],
)
LENGTHS = torch.tensor([7, 11, 1, 4])
INPUTS, HIDDEN, FRAMES = 3, 5, 14  # more frames than the longest sequence has


def make_layer(cell: Cell, bidirectional: bool) -> RecurrentLayer:
    torch.manual_seed(1)
    return RecurrentLayer(cell, INPUTS, HIDDEN, bidirectional=bidirectional).double()


def make_inputs(seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(
        len(LENGTHS), FRAMES, INPUTS, dtype=torch.float64, generator=generator
    )  # padding is garbage


def textbook_weights(direction: nn.RNNBase) -> dict[str, oracles.Array]:
    names = {
        "input": "weight_ih_l0",
        "hidden": "weight_hh_l0",
        "input_bias": "bias_ih_l0",
        "hidden_bias": "bias_hh_l0",
    }
    return {
        ours: direction.get_parameter(theirs).detach().numpy() for ours, theirs in names.items()
    }


def packed_twin(cell: Cell, layer: RecurrentLayer) -> nn.RNNBase:
    """torch's own layer with the same weights, to be run on packed sequences."""
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN, "relu": nn.RNN}
    extra = {"nonlinearity": cell} if kinds[cell] is nn.RNN else {}
    bidirectional = layer.back is not None
    twin = kinds[cell](INPUTS, HIDDEN, batch_first=True, bidirectional=bidirectional, **extra)
    weights = dict(layer.ahead.state_dict())
    if layer.back is not None:
        weights |= {f"{name}_reverse": value for name, value in layer.back.state_dict().items()}
    twin.double().load_state_dict(weights)
    return twin


@EVERY_LAYER
def test_each_sequence_comes_out_as_the_formula_says(cell: Cell, bidirectional: bool) -> None:
    layer, inputs = make_layer(cell, bidirectional), make_inputs()
    outputs = layer(inputs, LENGTHS).detach().numpy()
    ahead = textbook_weights(layer.ahead)
    for row, length in enumerate(LENGTHS.tolist()):
        sequence = inputs[row, :length].numpy()
        if layer.back is None:
            expected = oracles.one_way(cell, ahead, sequence)
        else:
            expected = oracles.both_ways(cell, ahead, textbook_weights(layer.back), sequence)
        np.testing.assert_allclose(outputs[row, :length], expected, rtol=0, atol=1e-12)


@EVERY_LAYER
def test_outputs_and_gradients_equal_those_of_packed_sequences(
    cell: Cell, bidirectional: bool
) -> None:
    layer, inputs = make_layer(cell, bidirectional), make_inputs()
    twin = packed_twin(cell, layer)
    packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    theirs, _ = pad_packed_sequence(twin(packed)[0], batch_first=True, total_length=FRAMES)
    valid = (torch.arange(FRAMES) < LENGTHS[:, None]).unsqueeze(2)
    ours = layer(inputs, LENGTHS) * valid
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    weight = make_weights_of_frames(ours)
    ours.mul(weight).sum().backward()
    theirs.mul(weight).sum().backward()
    of_theirs = {name: parameter.grad for name, parameter in twin.named_parameters()}
    for name, parameter in layer.named_parameters():
        direction, _, weight_name = name.partition(".")
        suffix = "_reverse" if direction == "back" else ""
        torch.testing.assert_close(
            parameter.grad, of_theirs[weight_name + suffix], rtol=0, atol=1e-12
        )


def make_weights_of_frames(outputs: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(outputs.shape, dtype=outputs.dtype, generator=generator)


@EVERY_LAYER
def test_padding_reaches_no_valid_frame(cell: Cell, bidirectional: bool) -> None:
    layer, inputs = make_layer(cell, bidirectional), make_inputs()
    valid = (torch.arange(FRAMES) < LENGTHS[:, None]).unsqueeze(2)
    garbage = torch.where(valid, inputs, torch.tensor(1e6, dtype=torch.float64))
    clean, dirty = layer(inputs, LENGTHS), layer(garbage, LENGTHS)
    assert torch.equal(clean[valid.squeeze(2)], dirty[valid.squeeze(2)])


def test_one_way_layers_do_not_look_ahead_and_bidirectional_ones_do() -> None:
    inputs = make_inputs()
    changed = inputs.clone()
    changed[1, 6] += 1.0
    for bidirectional in (False, True):
        layer = make_layer("lstm", bidirectional)
        difference = (layer(inputs, LENGTHS) - layer(changed, LENGTHS))[1].abs().amax(dim=1)
        assert bool((difference[:6] > 0).all()) is bidirectional
        assert difference[6] > 0


def test_each_sequence_is_reversed_within_its_own_length() -> None:
    index = reversal_index(torch.tensor([3, 5, 0]), 5)
    assert index.tolist() == [[2, 1, 0, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]


def test_reversing_twice_changes_nothing() -> None:
    inputs = make_inputs()
    index = reversal_index(LENGTHS, FRAMES)
    assert torch.equal(reverse(reverse(inputs, index), index), inputs)


def test_the_gradient_of_reversal_is_that_of_finite_differences() -> None:
    inputs = make_inputs().requires_grad_()
    index = reversal_index(LENGTHS, FRAMES)
    assert torch.autograd.gradcheck(lambda values: reverse(values, index), (inputs,))


def test_reversal_and_its_gradient_equal_autograds_own_gather() -> None:
    index = reversal_index(LENGTHS, FRAMES)
    ours, theirs = make_inputs().requires_grad_(), make_inputs().requires_grad_()
    of_ours = reverse(ours, index)
    of_theirs = theirs.gather(1, index.unsqueeze(2).expand(-1, -1, INPUTS))
    assert torch.equal(of_ours, of_theirs)
    weight = make_weights_of_frames(of_ours)
    of_ours.mul(weight).sum().backward()
    of_theirs.mul(weight).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


def test_forget_gates_of_an_lstm_start_open() -> None:
    layer = RecurrentLayer("lstm", 8, 400, bidirectional=True)
    for direction in (layer.ahead, layer.back):
        assert direction is not None
        # torch draws the other bias of the gates evenly around 0.
        bias = direction.get_parameter("bias_ih_l0") + direction.get_parameter("bias_hh_l0")
        means = [float(gate.mean()) for gate in bias.detach().split(400)]
        assert means == pytest.approx([0.0, 1.0, 0.0, 0.0], abs=0.02)
