import random
import time
from itertools import product

import numpy as np
import pytest

from asr.scoring.bootstrap import Bootstrap, Units, percentile_interval, rates


def test_speakers_are_drawn_where_two_are_known() -> None:
    units = Units.choose(["jo", "mo", "jo"])
    assert (units.kind, units.count, units.of.tolist()) == ("speakers", 2, [0, 1, 0])
    assert str(units) == "2 speakers"


@pytest.mark.parametrize("speakers", [[None, None], ["jo", "jo"], ["jo", None]])
def test_utterances_are_drawn_where_no_two_speakers_are_known(speakers: list[str | None]) -> None:
    units = Units.choose(speakers)
    assert (units.kind, units.count, units.of.tolist()) == ("utterances", 2, [0, 1])


def test_an_utterance_without_a_speaker_is_a_unit_of_its_own() -> None:
    assert Units.choose(["jo", None, "mo", None]).of.tolist() == [0, 1, 2, 3]


def test_each_resample_draws_as_many_units_as_there_are() -> None:
    columns = np.ones((7, 1))
    sums = Bootstrap(resamples=50).sums(columns, Units.choose([None] * 7))
    assert sums.shape == (50, 1)
    assert (sums == 7).all()


def test_the_utterances_of_a_speaker_are_drawn_together() -> None:
    columns = np.array([[1.0], [10.0], [100.0]])
    sums = Bootstrap(resamples=200).sums(columns, Units.choose(["jo", "mo", "jo"]))
    assert set(sums[:, 0]) == {20.0, 111.0, 202.0}


def test_all_columns_see_the_same_draws() -> None:
    columns = np.arange(12.0).reshape(6, 2)
    columns[:, 1] = 3 * columns[:, 0]
    sums = Bootstrap().sums(columns, Units.choose([None] * 6))
    assert (sums[:, 1] == 3 * sums[:, 0]).all()


def test_the_seed_alone_decides_the_draws() -> None:
    columns, units = np.arange(9.0)[:, None], Units.choose([None] * 9)
    first = Bootstrap(seed=4).sums(columns, units)
    assert (first == Bootstrap(seed=4).sums(columns, units)).all()
    assert (first != Bootstrap(seed=5).sums(columns, units)).any()


def test_resamples_have_the_distribution_of_all_that_can_be_drawn() -> None:
    """Against every one of the 3^3 draws there are, each as probable as any other."""
    errors, lengths = [0.0, 1.0, 4.0], [5.0, 3.0, 8.0]
    every = [
        sum(errors[one] for one in draw) / sum(lengths[one] for one in draw)
        for draw in product(range(3), repeat=3)
    ]
    columns = np.array([errors, lengths]).T
    sums = Bootstrap(resamples=20_000).sums(columns, Units.choose([None] * 3)).T
    drawn = rates(sums[0], sums[1])
    for value in set(every):
        expected = every.count(value) / len(every)
        assert np.isclose(drawn, value).mean() == pytest.approx(expected, abs=0.015)


def test_the_interval_is_that_of_a_slow_loop() -> None:
    rng = random.Random(7)
    pairs = [(rng.randrange(4), rng.randrange(1, 12)) for _ in range(60)]
    slow = []
    for _ in range(4000):
        draw = rng.choices(pairs, k=len(pairs))
        slow.append(sum(one for one, _ in draw) / sum(two for _, two in draw))
    slow.sort()
    sums = Bootstrap(resamples=4000).sums(np.array(pairs, float), Units.choose([None] * 60)).T
    interval = percentile_interval(rates(sums[0], sums[1]))
    assert interval.low == pytest.approx(slow[100], abs=0.006)
    assert interval.high == pytest.approx(slow[-100], abs=0.006)


def test_percentiles_are_those_of_the_middle() -> None:
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))


def test_nothing_to_draw_from_gives_zeros() -> None:
    sums = Bootstrap(resamples=3).sums(np.zeros((0, 2)), Units.choose([]))
    assert sums.tolist() == [[0.0, 0.0]] * 3


def test_a_hundred_thousand_utterances_are_resampled_in_seconds() -> None:
    columns = np.ones((100_000, 6))
    start = time.process_time()
    Bootstrap(resamples=1000).sums(columns, Units.choose([None] * 100_000))
    assert time.process_time() - start < 20
