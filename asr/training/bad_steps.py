"""Steps whose gradient is not finite: which utterances are to blame."""

from collections.abc import Sequence

from torch import Tensor

from asr.dataset import SpeechDataset
from asr.training.distributed import World

_MOST_NAMED = 10


def blame(
    losses: Tensor, names: Sequence[str], *, dataset: SpeechDataset, epoch: int, world: World
) -> tuple[list[str], str]:
    """Find the utterances, in all processes' batches, that spoil a step.

    Args:
        losses: (B,) of this process's part of the step.
        names: their ids.
        dataset: that the batches come from.
        epoch: the one at hand, which decides how many frames an utterance has.
        world: the processes; all of them have to call.

    Returns:
        The ids of those whose loss is not finite; and words for the log, which name the largest
        losses where all are finite.
    """
    finite = losses.isfinite().tolist()
    bad = [name for name, good in zip(names, finite, strict=True) if not good]
    infinite = list(dict.fromkeys(world.gather(bad)))
    if infinite:
        return infinite, f"utterances with infinite loss: {_describe(infinite, dataset, epoch)}"
    largest = list(dict.fromkeys(world.gather([names[int(losses.argmax())]] if names else [])))
    return [], (
        "all losses are finite, so the gradient has overflowed on its way back; largest loss: "
        f"{_describe(largest, dataset, epoch)}"
    )


def _describe(names: list[str], dataset: SpeechDataset, epoch: int) -> str:
    """Name utterances with file, frames and number of target tokens; ten of them at most."""
    where = {utterance.id: index for index, utterance in enumerate(dataset.utterances)}
    words = []
    for name in names[:_MOST_NAMED]:
        index = where[name]
        path, tokens = dataset.utterances[index].audio_path, len(dataset.targets(index))
        words.append(f"{name} ({path}: {dataset.frames(index, epoch)} frames, {tokens} tokens)")
    more = len(names) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")
