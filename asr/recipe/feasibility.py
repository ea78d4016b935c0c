"""Whether CTC can emit the tokens of utterances in the frames that their recordings give."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr.doctor.findings import is_borne, least_bound
from asr.encoder.subsampling import subsampled
from asr.errors import DataError
from asr.manifest import Utterance
from asr.recipe.config import Recipe
from asr.text import Normalizer
from asr.tokens import TokenTable, frames_needed


def encoder_frames(recipe: Recipe, split: str) -> Callable[[float], int]:
    """Seconds -> encoder frames that are left when the utterance is played fastest."""
    features = recipe.features
    fastest = max(recipe.augment.speeds) if split == "train" else 1.0  # nobody hurries dev

    def frames(seconds: float) -> int:
        samples = int(seconds / fastest * features.sample_rate)
        # One less: resampling may round a sample away, and a frame with it.
        return subsampled(features.frames(samples) - 1, recipe.encoder.factor)

    return frames


def find_infeasible(
    recipe: Recipe, utterances: Sequence[Utterance], table: TokenTable, split: str
) -> list[dict[str, Any]]:
    """The utterances whose tokens CTC cannot emit in their frames, with both numbers."""
    normalizer, frames = Normalizer(recipe.normalizer), encoder_frames(recipe, split)
    found = []
    for one in utterances:
        text = normalizer(one.text or "")
        # As in training: what dev has beyond the table is not among its targets.
        ids = table.encode(table.without_unknown(text) if split == "dev" else text)
        needed, there = frames_needed(ids), frames(one.duration)
        if needed > there:
            path = str(one.audio_path)
            numbers = {"tokens": len(ids), "frames_needed": needed, "frames": there}
            found.append({"id": one.id, "audio_filepath": path} | numbers)
    return found


def bear_infeasible(
    recipe: Recipe,
    split: str,
    found: Sequence[Mapping[str, Any]],
    before: int,
    total: int,
    listed: Path,
) -> None:
    """Name what does not fit; raise DataError where more is left out than the recipe bears.

    Args:
        recipe: its settings.
        split: train or dev.
        found: what does not fit, as `find_infeasible` gives it.
        before: utterances that the check has left out.
        total: utterances in all.
        listed: the file that lists what does not fit, for the message.
    """
    names = "; ".join(
        f"{one['id']}, {one['audio_filepath']}: {one['tokens']} tokens need "
        f"{one['frames_needed']} encoder frames (one each, and a blank between equal neighbours), "
        f"{one['frames']} are there"
        for one in found[:5]
    )
    more = f"; all of them: {listed}" if len(found) > 5 else ""
    bad, borne = before + len(found), recipe.check.max_bad_fraction
    if is_borne(bad, total, borne):
        words = f"    {split}: {len(found)} left out, too short for their tokens: {names}{more}"
        print(words, file=sys.stderr, flush=True)
        return
    raise DataError(
        f"{split}: {bad} of {total} utterances cannot be used ({100 * bad / total:.1f} %, at most "
        f"{100 * borne:g} % are borne): {before} by the check, {len(found)} too short for their "
        f"tokens; the first: {names}; all of them: {listed}; check that text and audio belong "
        "together, lower encoder.factor, or --set "
        f"check.max_bad_fraction={least_bound(bad, total)}"
    )
