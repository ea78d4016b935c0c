"""Features: waveforms in, normalised frames of log-mel energies or MFCCs out."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torchaudio
from pydantic import Field, model_validator
from torch import Tensor, nn

from asr.settings import Settings

_FLOOR = 1e-6  # added to mel energies (full scale 1): about the noise of a quiet 16-bit recording
_MIN_STD = 1e-3


class FeatureSettings(Settings):
    """What the model listens to. The sample rate belongs to the model."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"  # energies in mel bands, or their cepstrum
    sample_rate: int = Field(default=16000, ge=4000)  # Hz
    window_seconds: float = Field(default=0.025, gt=0, le=1)  # of each frame
    shift_seconds: float = Field(default=0.010, gt=0, le=1)  # from one frame to the next
    mels: int = Field(default=64, ge=4)  # filters, equally spaced in mel
    coefficients: int = Field(default=20, ge=1)  # of the cepstrum, for mfcc only
    low_hz: float = Field(default=20.0, ge=0)  # where the lowest filter begins
    # How far below an utterance's loudest energy the quietest may be: what is quieter is raised to
    # that. So recordings sound equally noisy in their pauses, however quiet the room. None: as is.
    range_db: float | None = Field(default=None, gt=0)
    # Mean and deviation of the training, or of each utterance by itself
    cmvn: Literal["global", "per_utterance"] = "global"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "mfcc" and self.coefficients > self.mels:
            raise ValueError(f"coefficients ({self.coefficients}) must not exceed mels")
        if self.low_hz >= self.sample_rate / 2:
            raise ValueError(f"low_hz ({self.low_hz}) must lie below half the sample rate")
        if self.window < 2 or self.shift < 1:
            raise ValueError(
                f"window_seconds ({self.window_seconds}) and shift_seconds ({self.shift_seconds}) "
                f"must be at least 2 samples and 1 sample at {self.sample_rate} Hz; raise them"
            )
        empty = int((_mel_filters(self).amax(dim=0) == 0).sum())
        if empty:
            raise ValueError(
                f"mels ({self.mels}) are too many: {empty} of the filters would hear nothing with "
                f"a window of {self.window_seconds} s at {self.sample_rate} Hz; lower mels "
                "or raise window_seconds"
            )
        return self

    @property
    def dimension(self) -> int:
        """Numbers per frame, F."""
        return self.mels if self.kind == "log_mel" else self.coefficients

    @property
    def window(self) -> int:
        """Window length in samples."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def shift(self) -> int:
        """Frame shift in samples."""
        return round(self.shift_seconds * self.sample_rate)

    @property
    def fft_size(self) -> int:
        """The power of two that holds a window."""
        return 1 << math.ceil(math.log2(self.window))

    def frames(self, samples: int) -> int:
        """Number of frames T of N samples; 0 where one frame does not fit in."""
        return max(0, 1 + (samples - self.fft_size) // self.shift)


class FeatureExtractor(nn.Module):
    """Log-mel energies or MFCCs of a batch of waveforms, on the device of the input."""

    def __init__(self, settings: FeatureSettings) -> None:
        super().__init__()
        self.settings = settings
        self._mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=settings.sample_rate,
            n_fft=settings.fft_size,
            win_length=settings.window,
            hop_length=settings.shift,
            f_min=settings.low_hz,
            n_mels=settings.mels,
            center=False,  # frames see only their own samples, so padding cannot reach them
        )
        dct = torchaudio.functional.create_dct(settings.coefficients, settings.mels, norm="ortho")
        self.register_buffer("_dct", dct, persistent=False)

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features.

        Args:
            samples: (B, N), full scale -1 to 1, padded with anything.
            lengths: (B,) samples of each waveform.

        Returns:
            (B, T, F) features, and (B,) frames of each; frames past the length mean nothing.
        """
        self.to(samples.device)
        padded = nn.functional.pad(samples, (0, max(0, self.settings.fft_size - samples.shape[1])))
        mel = self._mel(padded).transpose(1, 2)
        features = torch.log(mel + _FLOOR)
        if self.settings.range_db is not None:
            features = _limit_range(features, self._frames(lengths), self.settings.range_db)
        if self.settings.kind == "mfcc":
            features = features @ self.get_buffer("_dct")
        return features, self._frames(lengths)

    def _frames(self, lengths: Tensor) -> Tensor:
        """(B,) samples -> (B,) frames."""
        frames = 1 + (lengths - self.settings.fft_size).div(
            self.settings.shift, rounding_mode="floor"
        )
        return frames.clamp(min=0)


def _limit_range(features: Tensor, frames: Tensor, decibels: float) -> Tensor:
    """Raise log energies (B, T, F) that are too far below the loudest of their utterance."""
    valid = frame_mask(frames, features.shape[1]).unsqueeze(2)
    loudest = features.masked_fill(~valid, -torch.inf).amax(dim=(1, 2), keepdim=True)
    return torch.maximum(features, loudest - decibels * math.log(10) / 10)


def _mel_filters(settings: FeatureSettings) -> Tensor:
    """(fft_size / 2 + 1, mels) weights, the same as those of the extractor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty filter becomes an error that says what to do
        filters: Tensor = torchaudio.functional.melscale_fbanks(
            n_freqs=settings.fft_size // 2 + 1,
            f_min=settings.low_hz,
            f_max=float(settings.sample_rate // 2),
            n_mels=settings.mels,
            sample_rate=settings.sample_rate,
        )
    return filters


@dataclass(frozen=True)
class FeatureStats:
    """Mean and standard deviation of each feature over a corpus (global CMVN)."""

    mean: Tensor  # (F,)
    std: Tensor  # (F,)

    @classmethod
    def accumulate(cls, features: Iterable[Tensor]) -> Self:
        """Compute statistics over all frames of all utterances, each (T, F)."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for utterance in features:
            exact = utterance.double()
            count += len(exact)
            total = total + exact.sum(0)
            squares = squares + exact.square().sum(0)
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        return cls(mean.float(), variance.sqrt().clamp(min=_MIN_STD).float())


def normalize(features: Tensor, lengths: Tensor, stats: FeatureStats | None) -> Tensor:
    """Cepstral mean and variance normalisation; frames past the length become 0.

    Args:
        features: (B, T, F).
        lengths: (B,) valid frames; only these count.
        stats: statistics of the corpus; None takes those of each utterance.
    """
    valid = frame_mask(lengths, features.shape[1]).unsqueeze(2)
    if stats is not None:
        mean, std = stats.mean.to(features.device), stats.std.to(features.device)
    else:
        count = lengths.clamp(min=1).view(-1, 1, 1)
        features = features.masked_fill(~valid, 0.0)  # whatever stood there, NaN included
        mean = features.sum(1, keepdim=True) / count
        variance = ((features - mean).square() * valid).sum(1, keepdim=True) / count
        std = variance.sqrt().clamp(min=_MIN_STD)
    return torch.where(valid, (features - mean) / std, 0.0)


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """(B,) lengths -> (B, T) mask, true on valid frames."""
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)
