import math
import random
from pathlib import Path

import pytest
from sctk_oracle import sc_stats_matched_pairs

from asr.scoring.error_rate import Alignment, align_words
from asr.scoring.mapsswe import matched_pairs, segment_errors


def segments(reference: str, first: str, second: str) -> list[tuple[int, int]]:
    return list(segment_errors(align_words(reference, first), align_words(reference, second)))


def systems(seed: int, count: int, wrong: float) -> tuple[list[Alignment], list[Alignment]]:
    """Two systems of which the second makes half as many errors."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(50)]

    def heard(text: list[str], share: float) -> str:
        answer = []
        for word in text:
            draw = rng.random() / share
            if draw < 0.3:
                continue
            answer.append(rng.choice(words) if draw < 0.7 else word)
            if 0.7 <= draw < 1:
                answer.append(rng.choice(words))
        return " ".join(answer)

    texts = [rng.choices(words, k=rng.randrange(1, 30)) for _ in range(count)]
    return (
        [align_words(" ".join(text), heard(text, wrong)) for text in texts],
        [align_words(" ".join(text), heard(text, wrong / 2)) for text in texts],
    )


def test_two_words_right_in_both_systems_end_a_segment() -> None:
    # a and f are wrong in the first, h in the second; "b c" and "d e" lie between.
    assert segments("a b c d e f g h", "x b c d e x g h", "a b c d e f g x") == [(1, 0), (1, 1)]


def test_one_word_right_between_errors_leaves_them_in_one_segment() -> None:
    assert segments("a b c", "x b x", "a b c") == [(2, 0)]


def test_two_words_must_be_right_in_both_systems() -> None:
    assert segments("a b c d", "x b c x", "a x c d") == [(2, 1)]


def test_an_insertion_between_right_words_is_no_boundary() -> None:
    assert segments("a b c d", "x b u c x", "a b c d") == [(3, 0)]
    assert segments("a b c d", "a b u c d", "a b c d") == [(1, 0)]


def test_utterances_without_words_have_a_segment_if_something_was_heard() -> None:
    assert segments("", "u v", "") == [(2, 0)]
    assert segments("", "", "") == []


def test_segments_have_all_errors() -> None:
    for first, second in zip(*systems(seed=1, count=200, wrong=0.4), strict=True):
        found = list(segment_errors(first, second))
        assert sum(errors for errors, _ in found) == first.counts.errors
        assert sum(errors for _, errors in found) == second.counts.errors


def test_z_is_that_of_a_sum_worked_by_hand() -> None:
    # Differences 2, 1, 0, 1 in four segments: mean 1, deviation sqrt(2/3), z = 1 / (that / 2).
    pairs = [("a b", "x y", "a b"), ("a", "x", "a"), ("a", "x", "x"), ("a", "x", "a")]
    result = matched_pairs((align_words(r, one), align_words(r, two)) for r, one, two in pairs)
    assert (result.segments, result.mean) == (4, 1.0)
    assert result.deviation == pytest.approx(math.sqrt(2 / 3))
    assert result.z == pytest.approx(math.sqrt(6))
    # The two tails of the normal distribution beyond 2.4495.
    assert result.p == pytest.approx(0.01431, abs=1e-5)


def test_equal_systems_have_p_1() -> None:
    alignment = align_words("a b c", "a x c")
    result = matched_pairs([(alignment, alignment)] * 3)
    assert (result.segments, result.z, result.p) == (3, 0.0, 1.0)
    assert matched_pairs([]).p == 1.0


def test_differences_that_do_not_vary_are_tested_by_their_signs() -> None:
    """With 8 segments, 2 of the 256 ways to draw the signs are as far from 0."""
    pair = align_words("a", "x"), align_words("a", "a")
    assert matched_pairs([pair]).p == 1.0
    assert matched_pairs([pair] * 8).p == 2 / 256
    assert matched_pairs([pair] * 8).z is None


@pytest.mark.parametrize("seed", [2, 3])
def test_it_agrees_with_sc_stats(seed: int, tmp_path: Path) -> None:
    first, second = systems(seed, count=150, wrong=0.3)
    ours = matched_pairs(zip(first, second, strict=True))
    names = [f"a-{number:03d}" for number in range(len(first))]
    theirs = sc_stats_matched_pairs(
        dict(zip(names, first, strict=True)), dict(zip(names, second, strict=True)), tmp_path
    )
    assert ours.segments == theirs[0]
    assert ours.mean == pytest.approx(theirs[1], abs=0.0006)
    assert ours.deviation == pytest.approx(theirs[2], abs=0.0006)
    assert ours.z == pytest.approx(theirs[3], abs=0.0006)
