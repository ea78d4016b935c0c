"""The acoustic model: subsampling, a deep recurrent stack, and a CTC head."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import Field
from torch import Tensor, nn

from asr.encoder.recurrent import Cell, RecurrentLayer
from asr.encoder.subsampling import Convolution, Stacking, subsampled
from asr.settings import Settings


class EncoderSettings(Settings):
    """The shape of the acoustic model."""

    cell: Cell = "lstm"  # plain (tanh, relu) or gated (gru, lstm)
    layers: int = Field(default=3, ge=1)  # recurrent ones
    hidden: int = Field(default=256, ge=1)  # units a direction
    bidirectional: bool = True  # whether a layer also reads backwards
    projection: int | None = Field(
        default=None, ge=1
    )  # width after each layer; None: no projection
    dropout: float = Field(
        default=0.2, ge=0, lt=1
    )  # after each layer, the same units in all frames
    layer_norm: bool = True  # before each layer and the head
    # frames joined, or strided convolutions
    subsampling: Literal["stacking", "convolution"] = "stacking"
    factor: int = Field(default=4, ge=1, le=8)  # feature frames per encoder frame
    channels: int = Field(default=32, ge=1)  # of the convolution


@dataclass(frozen=True)
class Emissions:
    """What the encoder says: log-probabilities of each token in each frame."""

    log_probs: Tensor  # (B, U, V)
    lengths: Tensor  # (B,)
    early: tuple[Tensor, ...] = ()  # the same from lower layers, where they were asked for


class Encoder(nn.Module):
    """Features to log-probabilities; an utterance's output does not depend on its batch."""

    def __init__(self, settings: EncoderSettings, *, inputs: int, tokens: int) -> None:
        """`inputs` is the feature dimension F, `tokens` the number of tokens V."""
        super().__init__()
        self.settings = settings
        self.subsampling = (
            Stacking(inputs, settings.factor)
            if settings.subsampling == "stacking"
            else Convolution(inputs, settings.factor, settings.channels)
        )
        size = self.subsampling.outputs
        blocks = []
        for _ in range(settings.layers):
            block = _Block(settings, size)
            blocks.append(block)
            size = block.outputs
        self.blocks = nn.ModuleList(blocks)
        self.norm = _norm(settings, size)
        self.head = nn.Linear(size, tokens)

    def forward(self, features: Tensor, lengths: Tensor, early: Collection[int] = ()) -> Emissions:
        """(B, T, F) features and (B,) frames -> (B, U, V) log-probabilities and (B,) frames.

        `early` are recurrent layers, counted from 1, whose outputs go through the same head too.
        """
        hidden, lengths = self.subsampling(features, lengths)
        found = []
        for number, block in enumerate(self.blocks, start=1):
            hidden = block(hidden, lengths)
            if number in early:
                found.append(self.log_probs(hidden))
        return Emissions(self.log_probs(hidden), lengths, tuple(found))

    def stream(self, hidden: Tensor, states: Sequence[Any]) -> tuple[Tensor, list[Any]]:
        """(B, U, D) subsampled frames -> (B, U, D) of the last recurrent layer; one-way only.

        Each layer goes on from its state, which is None at the beginning, and has another then.
        """
        after = []
        for block, state in zip(self.blocks, states, strict=True):
            hidden, new = cast(_Block, block).stream(hidden, state)
            after.append(new)
        return hidden, after

    def log_probs(self, hidden: Tensor) -> Tensor:
        """(B, U, D) of the last recurrent layer -> (B, U, V) log-probabilities."""
        # In float32 whatever the autocast: CTC adds thousands of these numbers.
        logits: Tensor = self.head(self.norm(hidden)).float()
        return logits.log_softmax(dim=2)

    def frames(self, feature_frames: int) -> int:
        """Encoder frames U of T feature frames."""
        return subsampled(feature_frames, self.settings.factor)


class _Block(nn.Module):
    """Normalisation, one recurrent layer, projection, dropout."""

    def __init__(self, settings: EncoderSettings, inputs: int) -> None:
        super().__init__()
        self.norm = _norm(settings, inputs)
        self.recurrent = RecurrentLayer(
            settings.cell, inputs, settings.hidden, bidirectional=settings.bidirectional
        )
        self.outputs = settings.projection or self.recurrent.outputs
        self.projection = (
            nn.Linear(self.recurrent.outputs, self.outputs)
            if settings.projection
            else nn.Identity()
        )
        self.dropout = LockedDropout(settings.dropout)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(B, U, D) -> (B, U, outputs)."""
        return self._project(self.recurrent(self.norm(inputs), lengths))

    def stream(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(B, U, D) that follow the frames of a state -> (B, U, outputs), and the state after."""
        outputs, after = self.recurrent.stream(self.norm(inputs), state)
        return self._project(outputs), after

    def _project(self, outputs: Tensor) -> Tensor:
        projected: Tensor = self.dropout(self.projection(outputs))
        return projected


class LockedDropout(nn.Module):
    """Dropout of the same units in all frames of a sequence (Gal & Ghahramani 2016)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, U, D) -> (B, U, D), unchanged where not training."""
        if not self.training or self.share == 0.0:
            return inputs
        keep = 1 - self.share
        mask = inputs.new_empty(inputs.shape[0], 1, inputs.shape[2]).bernoulli_(keep)
        return inputs * (mask / keep)


def _norm(settings: EncoderSettings, size: int) -> nn.Module:
    return nn.LayerNorm(size) if settings.layer_norm else nn.Identity()
