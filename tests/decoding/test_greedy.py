"""Greedy decoding against the best of all paths, written out."""

import pytest
import torch
from ctc_oracle import best_path, collapse
from torch import Tensor

from asr.decoding.greedy import greedy_decode
from asr.tokens import Characters

TOKENS = Characters(" ab")


def peaked(path: str) -> Tensor:
    """(U, 4) log-probabilities whose best token in each frame the path names; '-' is the blank."""
    scores = torch.zeros(len(path), len(TOKENS))
    for frame, symbol in enumerate(path):
        scores[frame, 0 if symbol == "-" else TOKENS.encode(symbol)[0]] = 4.0
    return scores.log_softmax(1)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ab", "ab"),
        ("aaabb", "ab"),
        ("-a--b-", "ab"),
        ("a-a", "aa"),
        ("aa-aab", "aab"),
        ("aba", "aba"),
        ("a b", "a b"),
        ("a  -  b", "a b"),
        (" -a- ", "a"),
        ("----", ""),
        ("", ""),
    ],
)
def test_repeats_merge_unless_a_blank_lies_between(path: str, text: str) -> None:
    assert greedy_decode(peaked(path), TOKENS).text == text


def test_frames_are_where_each_token_first_appears() -> None:
    hypothesis = greedy_decode(peaked("-aa-ab- b"), TOKENS)
    assert hypothesis.tokens == tuple(TOKENS.encode("aab b"))
    assert hypothesis.frames == (1, 4, 5, 7, 8)


def test_no_frames_and_only_blanks_say_nothing() -> None:
    for path in ("", "---"):
        hypothesis = greedy_decode(peaked(path), TOKENS)
        assert (hypothesis.tokens, hypothesis.frames) == ((), ())
    assert greedy_decode(peaked(""), TOKENS).score == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_tokens_and_score_are_those_of_the_best_of_all_paths(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(6, len(TOKENS), generator=generator).log_softmax(1)
    path, score = best_path(log_probs.tolist())
    hypothesis = greedy_decode(log_probs, TOKENS)
    assert hypothesis.tokens == collapse(path)
    assert hypothesis.score == pytest.approx(score, rel=1e-6)


def test_frames_rise_and_carry_their_tokens() -> None:
    log_probs = torch.randn(200, len(TOKENS), generator=torch.Generator().manual_seed(1))
    hypothesis = greedy_decode(log_probs, TOKENS)
    assert len(hypothesis.frames) == len(hypothesis.tokens) > 20
    assert list(hypothesis.frames) == sorted(set(hypothesis.frames))
    path = log_probs.argmax(1)
    assert tuple(path[list(hypothesis.frames)].tolist()) == hypothesis.tokens


def test_the_input_is_untouched() -> None:
    log_probs = peaked("ab-a")
    before = log_probs.clone()
    greedy_decode(log_probs, TOKENS)
    assert torch.equal(log_probs, before)
