"""The exact bidirectional recurrent layer, without packing.

h_t = f(W_h h_{t-1} + W_x x_t + b) for the cells `tanh` and `relu` (Elman 1990); LSTM and GRU as
torch defines them. The backward direction is a second one-way pass over each sequence reversed
within its own length, so that padding stays behind every sequence and never reaches a valid frame.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

Cell = Literal["tanh", "relu", "gru", "lstm"]


class RecurrentLayer(nn.Module):
    """One recurrent layer, one-way or bidirectional (Schuster & Paliwal 1997)."""

    def __init__(self, cell: Cell, inputs: int, hidden: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.ahead = _one_way(cell, inputs, hidden)
        self.back = _one_way(cell, inputs, hidden) if bidirectional else None
        self.outputs = 2 * hidden if bidirectional else hidden

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) -> (B, T, H), or (B, T, 2H) with the backward direction second.

        Frames past a sequence's length are computed but mean nothing.
        """
        ahead: Tensor = self.ahead(inputs)[0]
        if self.back is None:
            return ahead
        index = reversal_index(lengths, inputs.shape[1])
        back = reverse(self.back(reverse(inputs, index))[0], index)
        return torch.cat([ahead, back], dim=2)

    def stream(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(B, T, D) that follow the frames of a state -> (B, T, H) and the state; one-way only."""
        outputs, after = self.ahead(inputs, state)
        return outputs, after


def reversal_index(lengths: Tensor, frames: int) -> Tensor:
    """(B,) lengths -> (B, T) positions: length-1 … 0 on valid frames, padding stays in place."""
    position = torch.arange(frames, device=lengths.device).expand(len(lengths), frames)
    last = lengths.unsqueeze(1) - 1
    return torch.where(position <= last, last - position, position)


def reverse(sequences: Tensor, index: Tensor) -> Tensor:
    """Reorder the frames of (B, T, D) by the positions that `reversal_index` gave."""
    reversed_: Tensor = _Reverse.apply(sequences, index)  # type: ignore[no-untyped-call]
    return reversed_


class _Reverse(torch.autograd.Function):
    """A reversal is its own inverse, so its gradient is a reversal too: a copy, not a scatter."""

    @staticmethod
    def forward(context: Any, sequences: Tensor, index: Tensor) -> Tensor:
        context.save_for_backward(index)
        return _take(sequences, index)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = context.saved_tensors
        return _take(gradient, index), None


def _take(sequences: Tensor, index: Tensor) -> Tensor:
    batch, frames, size = sequences.shape
    start = torch.arange(batch, device=index.device).unsqueeze(1) * frames
    rows = sequences.reshape(batch * frames, size)
    return rows.index_select(0, (index + start).flatten()).view(batch, frames, size)


def _one_way(cell: Cell, inputs: int, hidden: int) -> nn.RNNBase:
    if cell == "lstm":
        layer = nn.LSTM(inputs, hidden, batch_first=True)
        # Gates lie in the order input, forget, cell, output. A forget gate that starts open lets
        # gradients live long enough to learn from (Gers et al. 2000).
        with torch.no_grad():
            layer.get_parameter("bias_hh_l0")[hidden : 2 * hidden].fill_(1.0)
        return layer
    if cell == "gru":
        return nn.GRU(inputs, hidden, batch_first=True)
    return nn.RNN(inputs, hidden, nonlinearity=cell, batch_first=True)
