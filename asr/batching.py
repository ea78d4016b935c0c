"""Batches: utterances of like length, bounded by padded frames, a function of (seed, epoch)."""

import random
from collections.abc import Sequence

from pydantic import Field

from asr.errors import ConfigError
from asr.settings import Settings


class BatchSettings(Settings):
    """How large a batch may be."""

    max_frames: int = Field(default=24000, ge=1)  # feature frames, padding included
    max_utterances: int = Field(default=64, ge=1)
    spread: float = Field(default=0.1, ge=0)  # lengths are jittered by this share before sorting


def plan_batches(
    frames: Sequence[int], settings: BatchSettings, *, seed: int, epoch: int
) -> list[list[int]]:
    """Cut utterances of the given lengths into batches of like length, in random order.

    Every utterance is in exactly one batch. Jitter of the lengths makes other neighbours meet in
    each epoch; the order of the batches is shuffled.

    Raises:
        ConfigError: one utterance alone is longer than a batch may be.
    """
    longest = max(frames, default=0)
    if longest > settings.max_frames:
        raise ConfigError(
            f"batch.max_frames is {settings.max_frames}, but one utterance has {longest} frames; "
            "raise it, or leave long utterances out (check.max_seconds)"
        )
    chance = random.Random(f"{seed}/{epoch}")
    jittered = [length * (1 + settings.spread * chance.uniform(-1, 1)) for length in frames]
    batches: list[list[int]] = []
    batch: list[int] = []
    widest = 0
    for index in sorted(range(len(frames)), key=jittered.__getitem__):
        widest_with = max(widest, frames[index])
        full = len(batch) == settings.max_utterances
        if batch and (full or widest_with * (len(batch) + 1) > settings.max_frames):
            batches.append(batch)
            batch, widest_with = [], frames[index]
        batch.append(index)
        widest = widest_with
    if batch:
        batches.append(batch)
    chance.shuffle(batches)
    return batches
