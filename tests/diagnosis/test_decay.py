import json
import math

import pytest

from asr.diagnosis.decay import GradientDecay, in_time, relative


def make_decay(norms: list[float], *, seconds: float = 0.04) -> GradientDecay:
    first, shares = relative(norms)
    return GradientDecay(1, "past", first, shares, seconds)


@pytest.mark.parametrize("factor", [0.5, 0.7, 0.99])
def test_an_exponential_has_the_half_life_of_the_formula(factor: float) -> None:
    decay = make_decay([3 * factor**k for k in range(600)])
    assert decay.falls_to(0.5) == pytest.approx(math.log(0.5) / math.log(factor))
    assert decay.falls_to(0.01) == pytest.approx(math.log(0.01) / math.log(factor))
    assert decay.factor == pytest.approx(factor)
    assert decay.verdict == "vanishes"
    assert decay.first == 3


def test_the_factor_leaves_out_distance_0() -> None:
    assert make_decay([50.0, *(0.9**k for k in range(9))]).factor == pytest.approx(0.9)


def test_what_has_not_fallen_within_reach_lasts() -> None:
    decay = make_decay([0.99**k for k in range(51)])
    assert decay.falls_to(0.5) is None
    assert decay.verdict == "lasts"
    assert decay.explanation == "lasts: 60.5 % after 2.00 s"


def test_the_first_fall_counts_even_where_the_norm_rises_before_it() -> None:
    decay = make_decay([1.0, 4.0, 1.0, 0.25, 8.0])
    assert decay.falls_to(0.5) == pytest.approx(2.5)


def test_a_fall_to_nothing_counts_from_the_frame_before() -> None:
    decay = make_decay([1.0, 1.0, 0.0, 0.0])
    assert decay.falls_to(0.5) == 1.0
    assert decay.factor is None
    assert decay.verdict == "vanishes"


def test_growth_beyond_twice_the_start_is_an_explosion() -> None:
    decay = make_decay([1.1**k for k in range(21)])
    assert decay.verdict == "explodes"
    assert decay.explanation == "explodes: 6.73 times after 800 ms"
    assert make_decay([1.01**k for k in range(21)]).verdict == "lasts"


def test_norms_beyond_all_numbers_are_an_explosion_and_valid_json() -> None:
    decay = make_decay([1.0, 1e30, math.inf])
    assert decay.verdict == "explodes"
    assert decay.explanation == "explodes: beyond all numbers after 80 ms"
    assert json.loads(json.dumps(decay.to_json(), allow_nan=False))["norms"] == [1.0, 1e30, None]


def test_no_gradient_at_distance_0_is_no_gradient() -> None:
    decay = make_decay([0.0, 0.0, 0.0])
    assert decay.verdict == "no gradient"
    assert decay.factor is None


def test_the_json_says_the_numbers_in_frames_and_seconds() -> None:
    data = make_decay([0.5**k for k in range(9)]).to_json()
    assert data["half_life_frames"] == pytest.approx(1)
    assert data["half_life_seconds"] == pytest.approx(0.04)
    assert data["one_percent_seconds"] == pytest.approx(0.04 * math.log(100) / math.log(2))
    assert data["factor_per_frame"] == pytest.approx(0.5)
    assert data["reach_frames"] == 8


def test_short_times_are_in_milliseconds() -> None:
    assert [in_time(0.1283), in_time(2.5)] == ["128 ms", "2.50 s"]
