"""Hearing live: the log-probabilities of sound of which more is still to come.

A one-way model with global CMVN carries its state on: its log-probabilities are certain as they
come. Any other has to hear the future, or the whole utterance: it hears what is not final yet
again each time, with a little of what was before, and is less sure of the last words.
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.audio import Waveform
from asr.bundle import Bundle
from asr.encoder.streaming import StreamingEncoder
from asr.recognizer import Recognizer
from asr.voices import agreed, as_voices

Samples = NDArray[np.float32]

_BEFORE = 2.0  # seconds before what is not final yet, that are heard with it


class Hearing(Protocol):
    """What has been heard since some encoder frame."""

    def add(self, samples: Samples) -> None:
        """Take samples (N,) at the model's rate."""

    def rows(self, *, last: bool) -> Tensor:
        """Log-probabilities (U, V) of all that was not forgotten."""

    def forget(self, frames: int) -> None:
        """Let go of so many encoder frames at the beginning."""


def can_carry(bundle: Bundle) -> bool:
    """Whether a model can be fed piece by piece, exactly."""
    features = bundle.features
    one_way = not bundle.encoder.settings.bidirectional
    return one_way and features.cmvn == "global" and features.range_db is None


class CarriedHearing:
    """Hears each sample once."""

    def __init__(self, bundle: Bundle) -> None:
        """The model must be one that can carry."""
        self._front_end, self._features = bundle.front_end, bundle.features
        self._warps = bundle.warps
        self._encoder = StreamingEncoder(bundle.encoder)
        self._device = next(bundle.encoder.parameters()).device
        self._samples: Samples = np.zeros(0, np.float32)
        self._rows = torch.zeros(0, len(bundle.tokens))

    def add(self, samples: Samples) -> None:
        """Take samples (N,) at the model's rate."""
        self._samples = np.concatenate([self._samples, samples])
        self._hear(last=False)

    def rows(self, *, last: bool) -> Tensor:
        """Log-probabilities (U, V) of all that was not forgotten."""
        if last:
            self._hear(last=True)
        return self._rows

    def forget(self, frames: int) -> None:
        """Let go of so many encoder frames at the beginning."""
        self._rows = self._rows[frames:]

    def _hear(self, *, last: bool) -> None:
        frames = self._features.frames(len(self._samples))
        features = torch.zeros(0, self._features.dimension)
        if frames:
            waveform = Waveform(self._samples, self._features.sample_rate)
            features = self._front_end.features(waveform, "stream")
            self._samples = self._samples[frames * self._features.shift :]
        voices = as_voices(features.unsqueeze(0).to(self._device), self._warps)
        rows = agreed(self._encoder.add(voices, last=last), self._warps)[0]
        self._rows = torch.cat([self._rows, rows.cpu()])


class RepeatedHearing:
    """Hears what is not forgotten anew each time."""

    def __init__(self, bundle: Bundle) -> None:
        """Any model."""
        self._recognizer = Recognizer(bundle)
        self._front_end, self._features = bundle.front_end, bundle.features
        self._frame = bundle.encoder.settings.factor * bundle.features.shift  # samples
        self._before = round(_BEFORE * bundle.features.sample_rate / self._frame)
        self._tokens = len(bundle.tokens)
        self._samples: Samples = np.zeros(0, np.float32)
        self._forgotten = 0  # encoder frames at the beginning of the samples held

    def add(self, samples: Samples) -> None:
        """Take samples (N,) at the model's rate."""
        self._samples = np.concatenate([self._samples, samples])

    def rows(self, *, last: bool) -> Tensor:
        """Log-probabilities (U, V) of all that was not forgotten."""
        if self._features.frames(len(self._samples)) == 0:
            return torch.zeros(0, self._tokens)
        waveform = Waveform(self._samples, self._features.sample_rate)
        features = self._front_end.features(waveform, "stream")
        return self._recognizer.log_probs([features])[0][self._forgotten :]

    def forget(self, frames: int) -> None:
        """Let go of so many encoder frames at the beginning."""
        self._forgotten += frames
        dropped = max(0, self._forgotten - self._before)
        self._samples = self._samples[dropped * self._frame :]
        self._forgotten -= dropped
