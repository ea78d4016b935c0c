"""Augmentation: speed perturbation and SpecAugment, each a function of (seed, epoch, utterance)."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from asr.audio import Waveform, resample
from asr.settings import Settings


class AugmentSettings(Settings):
    """How training utterances are varied; the defaults are mild."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        default=(0.9, 1.0, 1.1), min_length=1
    )  # drawn evenly
    frequency_masks: int = Field(default=2, ge=0)
    frequency_mask_share: float = Field(default=0.2, ge=0, le=1)  # widest mask, of the bins
    time_masks_per_second: float = Field(default=0.5, ge=0)
    time_mask_frames: int = Field(default=15, ge=0)  # widest mask


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
