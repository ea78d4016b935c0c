import random

import pytest

from asr.batching import BatchSettings, padding_share, plan_batches, refuse_too_long
from asr.errors import ConfigError


def random_lengths(count: int = 2000, seed: int = 1) -> list[int]:
    """Lengths in frames like those of read speech: 1 to 17 seconds."""
    chance = random.Random(seed)
    return [min(1700, max(100, round(chance.lognormvariate(6.5, 0.6)))) for _ in range(count)]


SHAPES = [
    BatchSettings(per_step=1),
    BatchSettings(max_frames=1700, spread=0.5, per_step=1),
    BatchSettings(max_utterances=3, per_step=1),
    BatchSettings(max_frames=5000, max_utterances=7, spread=0.0, per_step=1),
    BatchSettings(max_utterances=1, per_step=1),
]
EVERY_SHAPE = pytest.mark.parametrize("settings", SHAPES, ids=str)


@EVERY_SHAPE
def test_every_utterance_is_in_exactly_one_batch(settings: BatchSettings) -> None:
    lengths = random_lengths()
    batches = plan_batches(lengths, settings, seed=1, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@EVERY_SHAPE
def test_no_batch_is_empty_or_larger_than_allowed(settings: BatchSettings) -> None:
    lengths = random_lengths()
    for batch in plan_batches(lengths, settings, seed=1, epoch=0):
        assert 1 <= len(batch) <= settings.max_utterances
        assert max(lengths[index] for index in batch) * len(batch) <= settings.max_frames


def test_batches_are_filled_up_to_the_bound() -> None:
    assert [len(batch) for batch in plan_of_equals(100, 10, max_frames=40)] == [4] * 25
    assert sorted(len(batch) for batch in plan_of_equals(10, 10, max_frames=40)) == [2, 4, 4]


def plan_of_equals(count: int, length: int, *, max_frames: int) -> list[list[int]]:
    return plan_batches([length] * count, BatchSettings(max_frames=max_frames), seed=1, epoch=0)


def test_the_plan_is_a_function_of_seed_and_epoch() -> None:
    lengths = random_lengths()
    first = plan_batches(lengths, BatchSettings(), seed=1, epoch=3)
    random.seed(0)
    plan_batches(lengths, BatchSettings(), seed=1, epoch=4)
    assert plan_batches(lengths, BatchSettings(), seed=1, epoch=3) == first


def test_the_plan_is_the_same_in_every_process() -> None:
    """Written down, since processes of several machines must agree (PYTHONHASHSEED or not)."""
    plan = plan_batches(
        [3, 9, 4, 8, 5, 7], BatchSettings(max_frames=16, per_step=1), seed=1, epoch=0
    )
    assert plan == [[1], [0, 2, 4], [5, 3]]


@pytest.mark.parametrize(("seed", "epoch"), [(1, 1), (2, 0)])
def test_other_epochs_and_seeds_make_other_batches(seed: int, epoch: int) -> None:
    lengths = random_lengths()
    first = plan_batches(lengths, BatchSettings(), seed=1, epoch=0)
    other = plan_batches(lengths, BatchSettings(), seed=seed, epoch=epoch)
    # Not only the order of the batches: other neighbours meet.
    assert not {tuple(sorted(batch)) for batch in first} & {tuple(sorted(batch)) for batch in other}


def test_batches_do_not_come_in_order_of_length() -> None:
    lengths = random_lengths()
    batches = plan_batches(lengths, BatchSettings(), seed=1, epoch=0)
    first_half, second_half = (
        sum(max(lengths[index] for index in batch) for batch in half) / len(half)
        for half in (batches[: len(batches) // 2], batches[len(batches) // 2 :])
    )
    assert 0.6 < first_half / second_half < 1.7


def test_padding_wastes_little() -> None:
    lengths = random_lengths()
    for spread, bound in ((0.0, 0.03), (0.1, 0.12)):
        batches = plan_batches(lengths, BatchSettings(spread=spread), seed=1, epoch=0)
        padded = sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)
        assert 0 < 1 - sum(lengths) / padded < bound


def test_utterances_longer_than_a_batch_are_alone_in_theirs() -> None:
    batches = plan_batches([10, 51, 10, 90, 50], BatchSettings(max_frames=50), seed=1, epoch=0)
    assert sorted(map(sorted, batches)) == [[0, 2], [1], [3], [4]]


def test_utterances_too_long_to_train_on_are_named_with_the_setting() -> None:
    frames = {"a": 10, "b": 51, "c": 50, "d": 90}
    with pytest.raises(ConfigError, match=r"training\.batch\.max_frames is 50") as raised:
        refuse_too_long(frames, BatchSettings(max_frames=50))
    assert "2 training utterances have more" in str(raised.value)
    assert "b (51 frames), d (90 frames); raise it" in str(raised.value)
    refuse_too_long(frames, BatchSettings(max_frames=90))


def test_no_utterances_make_no_batches() -> None:
    assert plan_batches([], BatchSettings(), seed=1, epoch=0) == []


@pytest.mark.parametrize(
    ("key", "value"), [("max_frames", 0), ("max_utterances", 0), ("spread", -0.1)]
)
def test_settings_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"r\.yaml: training\.batch: key '{key}'"):
        BatchSettings.parse({key: value}, "r.yaml: training.batch")


@pytest.mark.parametrize("per_step", [1, 2, 3, 7])
@EVERY_SHAPE
def test_steps_of_several_batches_still_have_every_utterance_once(
    settings: BatchSettings, per_step: int
) -> None:
    lengths = random_lengths()
    shared = settings.model_copy(update={"per_step": per_step})
    batches = plan_batches(lengths, shared, seed=1, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    if per_step == 1:
        assert batches == plan_batches(lengths, settings, seed=1, epoch=0)


def test_the_batches_of_a_step_are_of_like_length() -> None:
    lengths = random_lengths()
    for epoch in range(5):
        batches = plan_batches(lengths, BatchSettings(per_step=2), seed=1, epoch=epoch)
        longest = [max(lengths[index] for index in batch) for batch in batches]
        pairs = list(zip(longest[::2], longest[1::2], strict=False))
        apart = [abs(one - other) / max(one, other) for one, other in pairs]
        assert sum(apart) / len(apart) < 0.1
        alone = BatchSettings(per_step=1)
        by_chance = [
            max(lengths[index] for index in batch)
            for batch in plan_batches(lengths, alone, seed=1, epoch=epoch)
        ]
        chance = zip(by_chance[::2], by_chance[1::2], strict=False)
        assert sum(abs(a - b) / max(a, b) for a, b in chance) / len(apart) > 0.2


def test_the_batches_that_fill_no_step_come_last_and_are_not_always_the_longest() -> None:
    lengths = list(range(100, 1100, 10))
    settings = BatchSettings(max_utterances=3, per_step=5)
    last = [plan_batches(lengths, settings, seed=1, epoch=epoch)[-4:] for epoch in range(30)]
    longest = [max(lengths[index] for batch in rest for index in batch) for rest in last]
    assert len(set(longest)) > 10
    assert min(longest) < 600 < max(longest)


def test_the_padding_share_counts_the_frames_that_are_nobodys() -> None:
    frames = [10, 8, 3, 7]
    # Two batches of 2 x 10 and 2 x 7 frames, of which 28 are utterances'.
    assert padding_share(frames, [[0, 1], [3, 2]]) == pytest.approx(1 - 28 / 34)
    assert padding_share(frames, [[0], [1], [2], [3]]) == 0.0
