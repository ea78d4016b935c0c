"""Chance: what is drawn for an utterance hangs on (seed, epoch, id) and on nothing else."""

import hashlib
from dataclasses import dataclass

import torch

from asr.augment.settings import AugmentSettings


@dataclass(frozen=True)
class Draw:
    """The chances of one utterance in one epoch."""

    speed: float
    silent: bool  # whether noise takes the place of the utterance
    generator: torch.Generator  # of all that is drawn after these


def draw(settings: AugmentSettings, *, seed: int, epoch: int, utterance_id: str) -> Draw:
    """Draw what happens to an utterance; the same arguments always draw the same."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{utterance_id}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
    choice = int(torch.randint(len(settings.speeds), (), generator=generator))
    silent = settings.silence > 0 and uniform((0.0, 1.0), generator) < settings.silence
    return Draw(settings.speeds[choice], silent, generator)


def uniform(ends: tuple[float, float], generator: torch.Generator) -> float:
    """Draw evenly between two ends."""
    low, high = ends
    return low + (high - low) * float(torch.rand((), generator=generator))
