import random

import numpy as np
import pytest

from asr.errors import DataError
from asr.scoring.comparison import compare, format_p
from asr.scoring.scored import ScoredSet, score_set
from asr.text import Normalizer


def scored(name: str, wrong: list[int], *, words: int = 10, speakers: bool = False) -> ScoredSet:
    """Utterances of distinct words, the first so many of which are wrong."""
    ids = [f"u{number}" for number in range(len(wrong))]
    text = [f"w{number}" for number in range(words)]
    return score_set(
        name,
        {one: " ".join(text) for one in ids},
        {
            one: " ".join(["x"] * number + text[number:])
            for one, number in zip(ids, wrong, strict=True)
        },
        normalizer=Normalizer("none"),
        speakers={one: f"s{place // 4}" for place, one in enumerate(ids)} if speakers else None,
    )


def random_errors(seed: int, most: int, count: int = 120) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(most + 1) for _ in range(count)]


def test_the_difference_is_that_of_the_rates_and_wins_are_counted() -> None:
    result = compare(scored("A", [2, 1, 0, 1]), scored("B", [0, 1, 1, 0]))
    assert result.difference == pytest.approx(0.05)  # 4 and 2 errors in 40 words
    assert (result.wins, result.ties) == ((1, 2), 1)


def test_a_clear_winner_is_named_with_interval_and_p() -> None:
    result = compare(scored("A", random_errors(1, 6)), scored("B", random_errors(2, 2)))
    assert result.significant
    assert result.interval.low > 0
    low, high = (100 * end for end in result.interval)
    points = 100 * result.difference
    assert result.sentence == (
        f"B is better by {points:.2f} points, 95 % interval {low:.2f} to {high:.2f}, p < 0.001."
    )
    assert result.caution == ""


def test_the_order_of_the_systems_does_not_change_the_verdict() -> None:
    one, two = scored("A", random_errors(1, 6)), scored("B", random_errors(2, 2))
    forth, back = compare(one, two), compare(two, one)
    assert forth.sentence == back.sentence
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert forth.bootstrap_p == back.bootstrap_p


def test_no_winner_is_named_by_chance() -> None:
    result = compare(scored("A", random_errors(3, 3)), scored("B", random_errors(4, 3)))
    assert not result.significant
    assert result.interval.low < 0 < result.interval.high
    assert result.sentence.startswith("No difference is shown")


def test_equal_systems_are_said_to_be_equal() -> None:
    result = compare(scored("A", [1, 0, 2]), scored("B", [1, 0, 2]))
    assert result.bootstrap_p == 1.0
    assert (
        result.sentence == "No difference is shown: both have the same word error rate (p = 1.000)."
    )


def test_the_paired_interval_is_that_of_a_slow_loop() -> None:
    mine, yours = random_errors(5, 4), random_errors(6, 4)
    rng = random.Random(0)
    pairs = list(zip(mine, yours, strict=True))
    slow = sorted(
        sum(one - two for one, two in rng.choices(pairs, k=len(pairs))) / (10 * len(pairs))
        for _ in range(3000)
    )
    interval = compare(scored("A", mine), scored("B", yours)).interval
    assert interval.low == pytest.approx(slow[75], abs=0.006)
    assert interval.high == pytest.approx(slow[-75], abs=0.006)


def test_pairing_narrows_the_interval_of_systems_that_err_together() -> None:
    mine = random_errors(7, 8)
    yours = [max(0, errors - 1) for errors in mine]
    first, second = scored("A", mine), scored("B", yours)
    width = np.ptp(compare(first, second).interval)
    assert width < 0.3 * np.ptp(first.intervals.words)


def test_speakers_are_drawn_where_they_are_known() -> None:
    first = scored("A", [1, 2, 0, 1] * 4, speakers=True)
    result = compare(first, scored("B", [0, 1, 0, 1] * 4, speakers=True))
    assert str(result.units) == "4 speakers"
    # Every speaker has the same two errors fewer, in 40 words.
    assert result.interval == pytest.approx((0.05, 0.05))


def test_few_segments_and_few_units_are_cautioned_about() -> None:
    result = compare(scored("A", [1, 2] * 10), scored("B", [0] * 20))
    assert result.caution.startswith("only 20 segments")
    result = compare(scored("A", [1, 0]), scored("B", [0, 0]))
    assert result.caution.startswith("only 2 utterances to draw from")
    assert "p = 1" in result.sentence


def test_a_system_that_is_always_one_error_better_is_better() -> None:
    result = compare(scored("A", [1] * 30), scored("B", [0] * 30))
    assert result.sentence.startswith("B is better by")


def test_other_utterances_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="A, B: not the same utterances"):
        compare(scored("A", [1, 0]), scored("B", [1]))


def test_p_is_written_to_three_digits() -> None:
    assert [format_p(p) for p in (0.0004, 0.0123, 1.0)] == ["p < 0.001", "p = 0.012", "p = 1.000"]
