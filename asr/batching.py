"""Batches: utterances of like length, bounded by padded frames, a function of (seed, epoch)."""

import random
from collections.abc import Mapping, Sequence

from pydantic import Field

from asr.errors import ConfigError
from asr.settings import Settings


class BatchSettings(Settings):
    """How large a batch may be."""

    max_frames: int = Field(default=12000, ge=1)  # feature frames, padding included
    max_utterances: int = Field(default=64, ge=1)
    spread: float = Field(default=0.1, ge=0)  # lengths are jittered by this share before sorting
    # Batches whose gradients make one optimiser step. Two processes of one thread that take one
    # each keep their speed beside other programs, where two threads of one process do not.
    per_step: int = Field(default=2, ge=1)


def plan_batches(
    frames: Sequence[int], settings: BatchSettings, *, seed: int, epoch: int
) -> list[list[int]]:
    """Cut utterances of the given lengths into batches of like length, in random order.

    Every utterance is in exactly one batch; one that is longer than a batch may be is alone in
    its own. Jitter of the lengths makes other neighbours meet in each epoch; the order of the
    steps is shuffled. The batches of one step stand together and are of like length too, so that
    processes that share a step take equally long; the last step may have fewer.
    """
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
    return _shuffle_steps(batches, settings.per_step, chance)


def _shuffle_steps(
    batches: list[list[int]], per_step: int, chance: random.Random
) -> list[list[int]]:
    left = len(batches) % per_step
    # Those that fill no step come last; which ones they are must not hang on their length.
    cut = chance.randrange(len(batches) - left + 1) if left else len(batches)
    rest = batches[cut : cut + left]
    full = batches[:cut] + batches[cut + left :]
    steps = [full[start : start + per_step] for start in range(0, len(full), per_step)]
    chance.shuffle(steps)
    return [batch for step in [*steps, rest] for batch in step]


def padding_share(frames: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of the frames in batches that only fill an utterance up to the longest beside it."""
    padded = sum(max(frames[index] for index in batch) * len(batch) for batch in batches)
    filled = sum(frames[index] for batch in batches for index in batch)
    return 1 - filled / max(1, padded)


def refuse_too_long(frames: Mapping[str, int], settings: BatchSettings) -> None:
    """Refuse to train on utterances (id -> frames at the slowest speed) that exceed a batch.

    Raises:
        ConfigError: naming them; alone in a batch, one could still exhaust the memory.
    """
    long = [
        f"{name} ({count} frames)" for name, count in frames.items() if count > settings.max_frames
    ]
    if long:
        raise ConfigError(
            f"training.batch.max_frames is {settings.max_frames}, but {len(long)} training "
            f"utterances have more, at the slowest speed: {', '.join(long[:5])}; raise it, or "
            "leave long utterances out (check.max_seconds)"
        )
