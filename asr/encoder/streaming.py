"""A one-way encoder fed piece by piece, its state carried from each piece to the next."""

from typing import Any

import torch
from torch import Tensor

from asr.encoder.encoder import Encoder
from asr.encoder.subsampling import Convolution
from asr.errors import ConfigError

_CHUNK = 10  # encoder frames that are computed at once, however many come


class StreamingEncoder:
    """Gives the log-probabilities that the encoder gives for the whole, up to rounding.

    How many frames are added at a time changes nothing at all: they are computed in chunks of one
    size.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Raises ConfigError where the encoder is bidirectional, and has to know the future."""
        if encoder.settings.bidirectional:
            raise ConfigError(
                "a bidirectional encoder hears backwards from the end: it cannot be fed piece by "
                "piece; train with encoder.bidirectional=false"
            )
        self._encoder = encoder
        self._factor = encoder.settings.factor
        self._ahead = _reach(encoder)
        self._before = -(-self._ahead // self._factor) * self._factor
        self._frames: Tensor | None = None  # not yet computed, after some that were
        self._computed = 0  # feature frames at the beginning of `_frames` that were
        self._states: list[Any] = [None] * len(encoder.blocks)

    @torch.inference_mode()
    def add(self, features: Tensor, *, last: bool) -> Tensor:
        """Add feature frames (B, T, F), normalised.

        Args:
            features: those that follow what was added before.
            last: whether no others will follow.

        Returns:
            (B, U, V) log-probabilities that follow those returned before; as many as are certain.
        """
        held = features if self._frames is None else torch.cat([self._frames, features], dim=1)
        found = []
        size = _CHUNK * self._factor
        while held.shape[1] - self._computed >= size + self._ahead:
            found.append(self._compute(held[:, : self._computed + size + self._ahead], _CHUNK))
            dropped = max(0, self._computed + size - self._before)
            held, self._computed = held[:, dropped:], self._computed + size - dropped
        if last and held.shape[1] > self._computed:
            found.append(self._compute(held, -(-(held.shape[1] - self._computed) // self._factor)))
            held, self._computed = held[:, :0], 0
        self._frames = held
        nothing = features.new_zeros(len(features), 0, self._tokens)
        return torch.cat(found, dim=1) if found else nothing

    @property
    def _tokens(self) -> int:
        return self._encoder.head.out_features

    def _compute(self, frames: Tensor, count: int) -> Tensor:
        """Log-probabilities of `count` encoder frames after those that were computed."""
        lengths = torch.full((len(frames),), frames.shape[1], device=frames.device)
        hidden, _ = self._encoder.subsampling(frames, lengths)
        first = self._computed // self._factor
        hidden = hidden[:, first : first + count]
        hidden, self._states = self._encoder.stream(hidden, self._states)
        return self._encoder.log_probs(hidden)


def _reach(encoder: Encoder) -> int:
    """Feature frames beyond its own that an encoder frame hears, on each side."""
    return encoder.subsampling.reach if isinstance(encoder.subsampling, Convolution) else 0
