"""How far back a gradient reaches, measured: vanishing and exploding gradients.

Of a recurrence h_t = F(h_{t-1}, x_t), the output at frame t depends on the input k frames before
by a product of k recurrent Jacobians and one of the input,

    ∂h_t/∂x_{t-k} = ∂h_t/∂h_{t-1} · ∂h_{t-1}/∂h_{t-2} · … · ∂h_{t-k+1}/∂h_{t-k} · ∂h_{t-k}/∂x_{t-k}

for tanh diag(1-h_t²) W_h · … · diag(1-h_{t-k}²) W_x. It shrinks or grows exponentially in k (Bengio
et al. 1994; Pascanu et al. 2013, equation 5). The last factor keeps it comparable between cells:
∂h_t/∂h_{t-k} alone would miss what an LSTM carries past h_{t-k} in its memory cell, the very path
that it was made for (Hochreiter & Schmidhuber 1997). Both have the same rate in k.

The norm is Frobenius's. With P random orthonormal vectors v_p of H numbers ‖J‖² is the mean of
(H/P) Σ_p ‖v_pᵀ J‖² over the draws, and equal to it in any draw where P = H. One backward pass gives
v_pᵀ J for all k at once.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from asr.diagnosis.decay import GradientDecay, Side, relative
from asr.encoder.encoder import Encoder
from asr.encoder.recurrent import RecurrentLayer
from asr.settings import Settings

LEAST_REACH = 4  # frames; over fewer there is no decay to see


class GradientSettings(Settings):
    """How much is measured."""

    utterances: int = Field(default=8, ge=1)
    frames: int = Field(default=4, ge=1)  # output frames t of each utterance
    projections: int = Field(default=8, ge=1)  # random vectors for each of them
    distance: int = Field(default=200, ge=LEAST_REACH)  # encoder frames, at most
    seed: int = Field(default=1, ge=0)

    def reach(self, frames: int) -> int:
        """The longest distance in an utterance of U encoder frames.

        A third of the frames stay, to choose the output frames among.
        """
        return min(self.distance, 2 * frames // 3)


def measure_gradients(
    encoder: Encoder,
    utterances: Sequence[Tensor],
    settings: GradientSettings,
    *,
    frame_seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[GradientDecay]:
    """Measure each recurrent layer by itself in each direction, then the whole model.

    A layer's input is what the layers below give it. The whole model is measured from its
    log-probabilities at encoder frame t to the normalised features of encoder frames t-k and t+k.
    Norms are averaged geometrically over output frames and utterances.

    Args:
        encoder: on any device; it is not changed.
        utterances: normalised features (T, F); the shortest bounds the distances of all.
        settings: how much is measured, and the seed of what is drawn.
        frame_seconds: the length of an encoder frame.
        advance: called after each of `count_passes` backward passes.

    Returns:
        Layer by layer, the past before the future; the whole model (layer None) last.
    """
    encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(settings.seed)
    reach = min(settings.reach(encoder.frames(len(one))) for one in utterances)
    logarithms: dict[tuple[int | None, Side], list[Tensor]] = {}
    # cuDNN refuses backward passes outside training, and may round to TF32.
    with torch.backends.cudnn.flags(enabled=False):
        for features in utterances:
            spare = encoder.frames(len(features)) - reach
            chosen = reach + torch.randperm(spare, generator=generator)[: settings.frames]
            for part in _parts(encoder, features):
                for frame in chosen.tolist():
                    vectors = orthonormal(settings.projections, part.outputs, generator)
                    norms = part.norms(frame, vectors)[: reach + 1]
                    logarithms.setdefault((part.layer, part.side), []).append(norms.log())
                    advance()
    decays = []
    for (layer, side), rows in logarithms.items():
        mean = torch.stack(rows).mean(dim=0).exp()
        decays.append(GradientDecay(layer, side, *relative(mean.tolist()), frame_seconds))
    return decays


def count_passes(encoder: Encoder, utterances: Sequence[Tensor], settings: GradientSettings) -> int:
    """How many backward passes `measure_gradients` takes."""
    frames = [encoder.frames(len(features)) for features in utterances]
    reach = min(map(settings.reach, frames))
    sides = 2 if encoder.settings.bidirectional else 1
    parts = sides * (encoder.settings.layers + 1)
    return parts * sum(min(settings.frames, one - reach) for one in frames)


def jacobian_norms(
    run: Callable[[Tensor], Tensor], inputs: Tensor, *, frame: int, vectors: Tensor
) -> Tensor:
    """Estimate ‖∂run(x)_t/∂x_τ‖ (Frobenius) for one output frame t and all input frames τ.

    Args:
        run: (P, U, D) -> (P, U, H), each sequence by itself.
        inputs: x, (U, D).
        frame: t.
        vectors: (P, H) orthonormal rows; with P = H the norms are exact.

    Returns:
        (U,) norms in float64, on the CPU.
    """
    count, size = vectors.shape
    copies = inputs.detach().repeat(count, 1, 1).requires_grad_()
    weights = vectors.to(inputs.dtype).to(inputs.device)  # in this order: not all have float64
    (gradient,) = torch.autograd.grad((run(copies)[:, frame] * weights).sum(), copies)
    # Squares of small gradients underflow in float32.
    squares = gradient.cpu().double().square().sum(dim=(0, 2))
    return (squares * (size / count)).sqrt()


def orthonormal(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw (P, H) orthonormal rows evenly from all directions; P is `count`, at most H."""
    normal = torch.randn(size, min(count, size), generator=generator, dtype=torch.float64)
    vectors: Tensor = torch.linalg.qr(normal).Q.T
    return vectors


@dataclass(frozen=True)
class _Part:
    """What is measured: a recurrence in one direction, or the whole model to one side."""

    layer: int | None
    side: Side
    run: Callable[[Tensor], Tensor]  # (P, U, D) -> (P, U, H)
    inputs: Tensor  # (U, D)
    outputs: int  # H

    def norms(self, frame: int, vectors: Tensor) -> Tensor:
        """Norms by distance from an output frame, which for the future counts from the end."""
        if self.side == "future":
            frame = len(self.inputs) - 1 - frame
        norms = jacobian_norms(self.run, self.inputs, frame=frame, vectors=vectors)
        return norms[frame:] if self.side == "future" else norms[: frame + 1].flip(0)


def _parts(encoder: Encoder, features: Tensor) -> Iterator[_Part]:
    layers = [module for module in encoder.modules() if isinstance(module, RecurrentLayer)]
    inputs = _layer_inputs(encoder, layers, features)
    for number, (layer, heard) in enumerate(zip(layers, inputs, strict=True), start=1):
        yield _Part(number, "past", _forward(layer.ahead), heard, layer.ahead.hidden_size)
        if layer.back is not None:
            yield _Part(number, "future", _backward(layer.back), heard, layer.back.hidden_size)
    # The features of an encoder frame in one row, so that both count time alike.
    count, size = features.shape
    factor = encoder.settings.factor
    rows = nn.functional.pad(features, (0, 0, 0, -count % factor)).reshape(-1, factor * size)
    sides: tuple[Side, ...] = ("past", "future") if encoder.settings.bidirectional else ("past",)
    for side in sides:
        yield _Part(None, side, _whole(encoder, count, size), rows, encoder.head.out_features)


def _layer_inputs(
    encoder: Encoder, layers: Sequence[RecurrentLayer], features: Tensor
) -> list[Tensor]:
    """(T, F) -> (U, D) for each layer."""
    inputs: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0][0]))
        for layer in layers
    ]
    with torch.no_grad():
        encoder(features.unsqueeze(0), torch.tensor([len(features)], device=features.device))
    for hook in hooks:
        hook.remove()
    return inputs


def _forward(recurrence: nn.RNNBase) -> Callable[[Tensor], Tensor]:
    return lambda inputs: recurrence(inputs)[0]


def _backward(recurrence: nn.RNNBase) -> Callable[[Tensor], Tensor]:
    """None of the sequences is padded, so each is reversed whole."""
    return lambda inputs: recurrence(inputs.flip(1))[0].flip(1)


def _whole(encoder: Encoder, count: int, size: int) -> Callable[[Tensor], Tensor]:
    def run(rows: Tensor) -> Tensor:
        features = rows.reshape(len(rows), -1, size)
        lengths = torch.full((len(rows),), count, device=rows.device)
        log_probs: Tensor = encoder(features, lengths).log_probs
        return log_probs

    return run
