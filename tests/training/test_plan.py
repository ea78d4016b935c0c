"""The steps of a training, shared among processes."""

from typing import Any

import pytest

from asr.batching import BatchSettings
from asr.training.distributed import World
from asr.training.plan import StepPlan

TinyTraining = Any  # of the conftest, which cannot be imported


def plan(tiny: TinyTraining, world: World, **settings: int) -> StepPlan:
    batch = BatchSettings(**{"max_utterances": 1} | settings)
    return StepPlan(tiny.data().train, batch, seed=1, world=world)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("per_step", [1, 3, 4, 5])
def test_the_processes_read_all_batches_of_an_epoch_between_them(
    tiny: TinyTraining, size: int, per_step: int
) -> None:
    plans = [plan(tiny, World(rank, size), per_step=per_step) for rank in range(size)]
    for steps in zip(*(one.steps(3) for one in plans), strict=True):
        assert all(step == steps[0] for step in steps), "all see the same step"
        own = [position for one in plans for position in one.own(steps[0])]
        assert sorted(own) == list(range(len(steps[0])))
    read = [key for one in plans for keys in one.keys(range(3, 4), 0) for key in keys]
    assert sorted(read) == [(index, 3) for index in range(12)]


def test_reading_goes_on_from_any_batch_into_the_next_epochs(tiny: TinyTraining) -> None:
    one = plan(tiny, World())
    everything = list(one.keys(range(3), 0))
    assert len(everything) == 36
    assert list(one.keys(range(1, 3), 7)) == everything[12 + 7 :]


def test_a_step_has_a_batch_for_each_process_at_least(tiny: TinyTraining) -> None:
    assert [len(step) for step in plan(tiny, World(0, 5)).steps(0)] == [5, 5, 2]
    assert [len(step) for step in plan(tiny, World(0, 2), per_step=5).steps(0)] == [5, 5, 2]


def test_the_tokens_of_a_step_are_those_of_all_processes(tiny: TinyTraining) -> None:
    one = plan(tiny, World(1, 2), per_step=12)
    (step,) = one.steps(0)
    assert one.tokens(step, 0) == sum(len(utterance.text) for utterance in tiny.utterances)
