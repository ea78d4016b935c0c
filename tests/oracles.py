"""Recurrent networks as the textbooks write them: one frame at a time, in plain loops.

Written from the formulas (Elman 1990; Hochreiter & Schmidhuber 1997 with the forget gate of Gers
et al. 2000; Cho et al. 2014 with the reset gate after the matrix, as torch has it), in float64.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def one_way(cell: str, weights: Mapping[str, Array], inputs: Array) -> Array:
    """Run one cell over a sequence from its first frame to its last.

    Args:
        cell: tanh, relu, gru or lstm.
        weights: `input` (G, D), `hidden` (G, H), `input_bias` (G,) and `hidden_bias` (G,), where
            G is H times the number of the cell's gates.
        inputs: (T, D).

    Returns:
        (T, H) hidden states, from the state 0.
    """
    hidden = np.zeros(weights["hidden"].shape[1])
    memory = np.zeros_like(hidden)
    outputs = []
    for frame in inputs:
        of_input = weights["input"] @ frame + weights["input_bias"]
        of_hidden = weights["hidden"] @ hidden + weights["hidden_bias"]
        if cell == "lstm":
            hidden, memory = _lstm_step(of_input + of_hidden, memory)
        elif cell == "gru":
            hidden = _gru_step(of_input, of_hidden, hidden)
        else:
            # h_t = f(W_h h_{t-1} + W_x x_t + b)
            hidden = _NONLINEARITIES[cell](of_hidden + of_input)
        outputs.append(hidden)
    return np.array(outputs).reshape(len(inputs), len(hidden))


def both_ways(
    cell: str, ahead: Mapping[str, Array], back: Mapping[str, Array], inputs: Array
) -> Array:
    """(T, D) -> (T, 2H): what came before each frame, and what comes after it."""
    from_the_start = one_way(cell, ahead, inputs)
    from_the_end = one_way(cell, back, inputs[::-1])[::-1]
    return np.concatenate([from_the_start, from_the_end], axis=1)


def _lstm_step(gates: Array, memory: Array) -> tuple[Array, Array]:
    input_gate, forget_gate, candidate, output_gate = np.split(gates, 4)
    memory = _sigmoid(forget_gate) * memory + _sigmoid(input_gate) * np.tanh(candidate)
    return _sigmoid(output_gate) * np.tanh(memory), memory


def _gru_step(of_input: Array, of_hidden: Array, hidden: Array) -> Array:
    reset_in, update_in, new_in = np.split(of_input, 3)
    reset_hidden, update_hidden, new_hidden = np.split(of_hidden, 3)
    reset = _sigmoid(reset_in + reset_hidden)
    update = _sigmoid(update_in + update_hidden)
    new = np.tanh(new_in + reset * new_hidden)
    return (1 - update) * new + update * hidden


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def _relu(values: Array) -> Array:
    return np.maximum(values, 0.0)


_NONLINEARITIES: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "relu": _relu}
