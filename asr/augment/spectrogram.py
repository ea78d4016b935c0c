"""Spectrogram effects: a warp of the frequency axis, masks of frequency and of time."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asr.augment.draw import uniform
from asr.augment.settings import AugmentSettings

_KNEE = 0.8  # of the frequency axis, up to which a warp is a plain stretch


@dataclass(frozen=True)
class Masks:
    """What is drawn for the features of one utterance."""

    stretch: float  # of the frequency axis; 1 is no warp
    bins: tuple[tuple[int, int], ...]  # masked from, and up to before
    frames: tuple[tuple[int, int], ...]


def warp_frequencies(features: Tensor, stretch: float) -> Tensor:
    """Perturb the length of the vocal tract (Jaitly & Hinton 2013), and so whose voice it is.

    The lower bins move by the factor, the upper ones fill what is left up to the last bin, which
    stays. The warp is linear in bins, that is in mel, not in Hz.

    Args:
        features: (…, T, F), log-mel energies.
        stretch: below 1 the voice gets higher, above 1 lower.

    Returns:
        (…, T, F), a new tensor.
    """
    top = features.shape[-1] - 1
    knee = _KNEE * top * min(1.0, 1 / stretch)
    to = torch.arange(top + 1, dtype=features.dtype, device=features.device)
    beyond = stretch * knee + (to - knee) * (top - stretch * knee) / (top - knee)
    came = torch.where(to <= knee, stretch * to, beyond).clamp(0, top)
    below = came.long().clamp(max=max(0, top - 1))
    share = came - below
    above = (below + 1).clamp(max=top)
    return features[..., below] * (1 - share) + features[..., above] * share


def draw_masks(
    features: Tensor,
    settings: AugmentSettings,
    *,
    frames_per_second: float,
    generator: torch.Generator,
) -> Masks:
    """Draw how features (T, F) are warped and masked; long utterances get more time masks."""
    frames, bins = features.shape
    stretch = 1.0
    if settings.frequency_warp:
        stretch = 1 + settings.frequency_warp * uniform((-1.0, 1.0), generator)
    widest = int(settings.frequency_mask_share * bins)
    time_masks = round(settings.time_masks_per_second * frames / frames_per_second)
    return Masks(
        stretch,
        tuple(_span(bins, widest, generator) for _ in range(settings.frequency_masks)),
        tuple(_span(frames, settings.time_mask_frames, generator) for _ in range(time_masks)),
    )


def apply_masks(features: Tensor, masks: Masks) -> Tensor:
    """Warp and mask features (T, F), normalised, so that the mask value 0 is the mean: a copy."""
    warped = masks.stretch != 1.0
    masked = warp_frequencies(features, masks.stretch) if warped else features.clone()
    for start, stop in masks.bins:
        masked[:, start:stop] = 0.0
    for start, stop in masks.frames:
        masked[start:stop] = 0.0
    return masked


def spec_augment(
    features: Tensor,
    settings: AugmentSettings,
    *,
    frames_per_second: float,
    generator: torch.Generator,
) -> Tensor:
    """Mask bands of frequency and stretches of time (Park et al. 2019, without time warping).

    Args:
        features: (T, F), normalised.
        settings: how many masks, and how wide.
        frames_per_second: of the features.
        generator: the source of chance.

    Returns:
        (T, F), a masked copy.
    """
    drawn = draw_masks(features, settings, frames_per_second=frames_per_second, generator=generator)
    return apply_masks(features, drawn)


def _span(size: int, widest: int, generator: torch.Generator) -> tuple[int, int]:
    """A random stretch of 0 to `widest` of `size` positions."""
    width = int(torch.randint(min(widest, size) + 1, (), generator=generator))
    start = int(torch.randint(size - width + 1, (), generator=generator))
    return start, start + width
