"""Alignment against all paths there are; word spans in order; confidences that hold."""

import itertools
import math
import random

import pytest
import torch

from asr.decoding.alignment import align_tokens, align_words
from asr.decoding.confidence import (
    Calibration,
    Judged,
    expected_calibration_error,
    fit_calibration,
)
from asr.decoding.hypothesis import Hypothesis
from asr.errors import DataError
from asr.tokens import Characters, Pieces

TOKENS = Characters(" ab")


def spoken(text: str) -> Hypothesis:
    return Hypothesis(text, tuple(TOKENS.encode(text)), (), 0.0)


@pytest.mark.parametrize("ids", [[2], [2, 2], [2, 3, 1], [3, 1, 2, 2]])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_alignment_is_the_best_of_all_paths_that_say_the_text(
    ids: list[int], seed: int
) -> None:
    log_probs = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(1)
    best, score = (), -math.inf
    for path in itertools.product(range(4), repeat=6):
        if [token for token, _ in itertools.groupby(path) if token] == ids:
            total = sum(float(log_probs[t, k]) for t, k in enumerate(path))
            if total > score:
                best, score = path, total
    found = [0] * 6
    for span in align_tokens(log_probs, ids):
        found[span.start : span.end] = [span.token] * (span.end - span.start)
        peak = max(float(log_probs[t, span.token]) for t in range(span.start, span.end))
        assert span.log_prob == pytest.approx(peak)
    assert tuple(found) == best


def test_words_are_what_stands_between_spaces() -> None:
    """Frames: a a _ b ' ' ' ' _ a."""
    path = [2, 2, 0, 3, 1, 1, 0, 2]
    log_probs = torch.full((8, 4), -9.0)
    for frame, token in enumerate(path):
        log_probs[frame, token] = -0.1 * (frame + 1)
    words = align_words(log_probs, spoken("ab a"), TOKENS)
    assert [(one.text, one.start, one.end) for one in words] == [("ab", 0, 4), ("a", 7, 8)]
    assert [one.log_prob for one in words] == pytest.approx([(-0.1 - 0.4) / 2, -0.8])
    assert align_words(log_probs, spoken(""), TOKENS) == []


def test_a_space_in_a_pause_moves_no_word() -> None:
    """Frames: ' ' _ _ a b _ ' ' _ a ' ', where a and b are almost as good in the pause."""
    path = [1, 0, 0, 2, 3, 0, 1, 0, 2, 1]
    log_probs = torch.full((10, 4), -6.0)
    log_probs[torch.arange(10), path] = -0.01
    log_probs[:3, 2:] = -1.0
    words = align_words(log_probs, spoken("ab a"), TOKENS)
    assert [(one.text, one.start, one.end) for one in words] == [("ab", 3, 5), ("a", 8, 9)]


def test_words_of_pieces_begin_where_a_piece_says_so() -> None:
    tokens = Pieces.learn(["ab ba", "abba ab", "ba ab"] * 4, 7)
    ids = tokens.encode("ab abba")
    log_probs = torch.full((2 * len(ids), len(tokens)), -9.0)
    for place, token in enumerate(ids):
        log_probs[2 * place, token] = log_probs[2 * place + 1, 0] = -0.1
    words = align_words(log_probs, Hypothesis("ab abba", tuple(ids), (), 0.0), tokens)
    assert [one.text for one in words] == ["ab", "abba"]
    assert words[0].start == 0
    assert words[0].end <= words[1].start


def test_more_tokens_than_frames_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"3 tokens cannot be aligned: they need 5 frames, .* 4; check"
    ):
        align_tokens(torch.zeros(4, 4), [2, 2, 2])


def draw_words(count: int, *, slope: float, offset: float) -> list[Judged]:
    """Words that are right as often as a curve says."""
    chance = random.Random(1)
    words = []
    for _ in range(count):
        log_prob = math.log(chance.uniform(0.05, 0.999))
        right = chance.random() < Calibration(slope=slope, offset=offset)(log_prob)
        words.append(Judged(log_prob, right))
    return words


def test_calibration_finds_the_curve_that_the_words_were_drawn_from() -> None:
    words = draw_words(20_000, slope=0.6, offset=-1.0)
    found = fit_calibration(words)
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.offset == pytest.approx(-1.0, abs=0.08)
    assert expected_calibration_error(words, Calibration()) > 0.15
    assert expected_calibration_error(words, found) < 0.02


@pytest.mark.parametrize(("nats", "share"), [(1.0, 0.3), (6.0, 0.64)])
def test_calibration_has_an_answer_where_the_probability_says_nothing(
    nats: float, share: float
) -> None:
    chance = random.Random(1)
    words = [Judged(-chance.expovariate(1 / nats), chance.random() < share) for _ in range(5_000)]
    found = fit_calibration(words)
    assert found(-0.01) == pytest.approx(share, abs=0.05)
    assert found(-20.0) == pytest.approx(share, abs=0.1)
    assert expected_calibration_error(words, Calibration()) > 0.2
    assert expected_calibration_error(words, found) < 0.02


def test_what_is_less_probable_is_never_surer() -> None:
    found = fit_calibration([Judged(-0.1, False)] * 500 + [Judged(-5.0, True)] * 500)
    assert found(-0.1) >= found(-5.0)


def test_confidences_stay_between_0_and_1() -> None:
    for slope in (0.1, 50.0):
        for log_prob in (0.0, -1e-9, -1.0, -700.0, -math.inf):
            assert 0 <= Calibration(slope=slope)(log_prob) <= 1
    assert Calibration()(math.log(0.3)) == pytest.approx(0.3)


def test_a_set_where_all_words_are_right_has_an_answer() -> None:
    found = fit_calibration([Judged(-0.01, True)] * 50)
    assert 0.9 < found(-0.01) <= 1
    with pytest.raises(DataError, match="no words"):
        fit_calibration([])


def test_the_calibration_error_of_one_bin_by_hand() -> None:
    """Confidence 0.75 four times, right twice."""
    words = [Judged(math.log(0.75), right) for right in (True, False, True, False)]
    assert expected_calibration_error(words, Calibration()) == pytest.approx(0.25)
