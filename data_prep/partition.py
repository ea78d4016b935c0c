"""Share utterances out to train, dev and test where the corpus does not say how.

What goes where depends on the names and the seed, never on the order of the rows.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEWEST_SPEAKERS = 10  # with fewer, whole speakers are too coarse a measure for 10 % of the corpus


@dataclass(frozen=True)
class Shares:
    """How much of the utterances goes to dev and to test; the rest is for training."""

    dev: float
    test: float
    seed: int

    def wanted(self) -> list[tuple[str, float]]:
        """The held-out splits and their shares, those of 0 left out."""
        return [(name, share) for name, share in (("test", self.test), ("dev", self.dev)) if share]


def by_utterance(ids: Sequence[str], shares: Shares) -> dict[str, str]:
    """Give each utterance a split: id -> "train", "dev" or "test".

    Each id draws its own lot, so utterances that are added later move none of the others. The only
    exceptions are for small corpora: a held-out split gets one utterance at least, and at most
    twice its share.
    """
    lots = sorted((_lot(name, shares.seed), name) for name in ids)
    split = dict.fromkeys(ids, "train")
    start = 0.0
    for held_out, share in shares.wanted():
        drawn = [name for lot, name in lots if start <= lot < start + share]
        start += share
        left = [name for _, name in lots if split[name] == "train"]
        fresh = [name for name in drawn if split[name] == "train"] or left[:1]
        for name in fresh[: math.ceil(2 * share * len(ids))]:
            split[name] = held_out
    return split


def by_speaker(speakers: Mapping[str, str], shares: Shares) -> dict[str, str]:
    """Give each utterance a split so that no speaker is in two of them.

    Args:
        speakers: id -> speaker.
        shares: shares of the utterances, not of the speakers.
    """
    sizes = Counter(speakers.values())
    order = sorted(sizes, key=lambda speaker: _lot(speaker, shares.seed))
    place = dict.fromkeys(sizes, "train")
    for held_out, share in shares.wanted():
        left = [speaker for speaker in order if place[speaker] == "train"]
        for speaker in _fill(left, sizes, share * len(speakers)):
            place[speaker] = held_out
    return {name: place[speaker] for name, speaker in speakers.items()}


def _fill(speakers: list[str], sizes: Mapping[str, int], most: float) -> list[str]:
    """Take speakers in order while they fit; the smallest one where none does."""
    taken: list[str] = []
    total = 0
    for speaker in speakers:
        if total + sizes[speaker] <= most:
            taken.append(speaker)
            total += sizes[speaker]
    return taken or [min(speakers, key=lambda speaker: sizes[speaker])]


def _lot(name: str, seed: int) -> float:
    """A number in [0, 1) that looks random and depends on the name and the seed only."""
    digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
