"""Which batches each step takes, and which of them are this process's."""

from collections.abc import Iterator

from asr.batching import BatchSettings, padding_share, plan_batches
from asr.dataset import SpeechDataset
from asr.training.distributed import World
from asr.training.loader import Key

Step = list[list[int]]  # its batches, of utterance numbers


class StepPlan:
    """The course of a training: a function of (seed, epoch), the same in all processes."""

    def __init__(
        self, train: SpeechDataset, settings: BatchSettings, *, seed: int, world: World
    ) -> None:
        self._train, self._settings, self._seed, self._world = train, settings, seed, world
        self.per_step = max(settings.per_step, world.size)  # no process may stand idle
        self._recent: dict[int, list[list[int]]] = {}

    def batches(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch, for all processes together."""
        if epoch not in self._recent:
            frames = self._frames(epoch)
            plan = plan_batches(frames, self._settings, seed=self._seed, epoch=epoch)
            # The one that reads ahead may be an epoch ahead of the one that learns.
            kept = {number: self._recent[number] for number in self._recent if number >= epoch - 1}
            self._recent = kept | {epoch: plan}
        return self._recent[epoch]

    def steps(self, epoch: int, first: int = 0) -> Iterator[Step]:
        """The steps of an epoch, from its batch `first` on."""
        batches = self.batches(epoch)
        for start in range(first, len(batches), self.per_step):
            yield batches[start : start + self.per_step]

    def own(self, step: Step) -> list[int]:
        """Positions of this process's batches in a step; empty in a last step that has too few."""
        return list(range(self._world.rank, len(step), self._world.size))

    def keys(self, epochs: range, first: int) -> Iterator[list[Key]]:
        """What this process reads, batch by batch, from the batch `first` of the first epoch."""
        for epoch in epochs:
            for step in self.steps(epoch, first if epoch == epochs.start else 0):
                for position in self.own(step):
                    yield [(index, epoch) for index in step[position]]

    def padding(self, epoch: int) -> float:
        """Share of an epoch's frames that are padding."""
        return padding_share(self._frames(epoch), self.batches(epoch))

    def tokens(self, step: Step, epoch: int) -> int:
        """Target tokens of a step of an epoch, in all processes."""
        return sum(len(self._train.targets(index, epoch)) for batch in step for index in batch)

    def _frames(self, epoch: int) -> list[int]:
        return [self._train.frames(index, epoch) for index in range(len(self._train))]
