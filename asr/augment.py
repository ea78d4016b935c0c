"""Augmentation: speed, noise, warp and masks, each a function of (seed, epoch, utterance)."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from asr.audio import Waveform, resample
from asr.settings import Settings

_KNEE = 0.8  # of the frequency axis, up to which a warp is a plain stretch


class AugmentSettings(Settings):
    """How training utterances are varied; the defaults are mild."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        default=(0.9, 1.0, 1.1), min_length=1
    )  # drawn evenly
    noise_snr: tuple[float, float] | None = None  # dB, from the noisiest on; None: no noise
    frequency_warp: float = Field(default=0.0, ge=0, le=0.5)  # the most an axis is stretched
    frequency_masks: int = Field(default=2, ge=0)
    frequency_mask_share: float = Field(default=0.2, ge=0, le=1)  # widest mask, of the bins
    time_masks_per_second: float = Field(default=0.5, ge=0)
    time_mask_frames: int = Field(default=15, ge=0)  # widest mask

    @model_validator(mode="after")
    def _order_range(self) -> Self:
        if self.noise_snr and self.noise_snr[0] > self.noise_snr[1]:
            low, high = self.noise_snr
            raise ValueError(f"noise_snr ({low} to {high}) must rise")
        return self


@dataclass(frozen=True)
class Draw:
    """The chances of one utterance in one epoch."""

    speed: float
    generator: torch.Generator


def draw(settings: AugmentSettings, *, seed: int, epoch: int, utterance_id: str) -> Draw:
    """Draw what happens to an utterance; the same arguments always draw the same."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{utterance_id}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
    choice = int(torch.randint(len(settings.speeds), (), generator=generator))
    return Draw(settings.speeds[choice], generator)


def perturb_speed(waveform: Waveform, speed: float) -> Waveform:
    """Play a recording `speed` times as fast, pitch included (Ko et al. 2015)."""
    if speed == 1.0:
        return waveform
    faster = Waveform(waveform.samples, round(waveform.sample_rate * speed))
    return Waveform(resample(faster, waveform.sample_rate).samples, waveform.sample_rate)


def add_noise(waveform: Waveform, snr: tuple[float, float], generator: torch.Generator) -> Waveform:
    """Add noise of a random colour, white to brown, at a random signal-to-noise ratio.

    Args:
        waveform: what is heard through the noise.
        snr: the lowest and the highest ratio, in dB, of the mean powers over the whole recording.
        generator: the source of chance.
    """
    low, high = snr
    ratio, colour = torch.rand(2, generator=generator).tolist()
    count = len(waveform.samples)
    spectrum = torch.fft.rfft(torch.randn(count, generator=generator))
    # Power falls with the frequency to the power of 0 (white) to 2 (brown).
    spectrum *= torch.arange(len(spectrum)).clamp(min=1) ** -colour
    spectrum[0] = 0.0
    noise = torch.fft.irfft(spectrum, n=count)
    clean = torch.from_numpy(waveform.samples)
    wanted = clean.square().mean() / 10 ** ((low + ratio * (high - low)) / 10)
    scale = (wanted / noise.square().mean().clamp(min=1e-20)).sqrt()
    return Waveform((clean + scale * noise).numpy(), waveform.sample_rate)


def warp_frequencies(features: Tensor, stretch: float) -> Tensor:
    """Perturb the length of the vocal tract (Jaitly & Hinton 2013), and so whose voice it is.

    The lower bins move by the factor, the upper ones fill what is left up to the last bin, which
    stays. The warp is linear in bins, that is in mel, not in Hz.

    Args:
        features: (T, F), log-mel energies.
        stretch: below 1 the voice gets higher, above 1 lower.

    Returns:
        (T, F), a new tensor.
    """
    top = features.shape[1] - 1
    knee = _KNEE * top * min(1.0, 1 / stretch)
    to = torch.arange(top + 1, dtype=features.dtype)
    beyond = stretch * knee + (to - knee) * (top - stretch * knee) / (top - knee)
    came = torch.where(to <= knee, stretch * to, beyond).clamp(0, top)
    below = came.long().clamp(max=max(0, top - 1))
    share = came - below
    above = (below + 1).clamp(max=top)
    return features[:, below] * (1 - share) + features[:, above] * share


def spec_augment(
    features: Tensor,
    settings: AugmentSettings,
    *,
    frames_per_second: float,
    generator: torch.Generator,
) -> Tensor:
    """Mask bands of frequency and stretches of time (Park et al. 2019, without time warping).

    Args:
        features: (T, F), normalised, so that the mask value 0 is the mean.
        settings: how many masks, and how wide.
        frames_per_second: of the features; long utterances get more time masks.
        generator: the source of chance.

    Returns:
        (T, F), a masked copy.
    """
    frames, bins = features.shape
    masked = features.clone()
    if settings.frequency_warp:
        drawn = 2 * float(torch.rand((), generator=generator)) - 1
        masked = warp_frequencies(features, 1 + settings.frequency_warp * drawn)
    for _ in range(settings.frequency_masks):
        start, stop = _span(bins, int(settings.frequency_mask_share * bins), generator)
        masked[:, start:stop] = 0.0
    for _ in range(round(settings.time_masks_per_second * frames / frames_per_second)):
        start, stop = _span(frames, settings.time_mask_frames, generator)
        masked[start:stop] = 0.0
    return masked


def _span(size: int, widest: int, generator: torch.Generator) -> tuple[int, int]:
    """A random stretch of 0 to `widest` of `size` positions."""
    width = int(torch.randint(min(widest, size) + 1, (), generator=generator))
    start = int(torch.randint(size - width + 1, (), generator=generator))
    return start, start + width
