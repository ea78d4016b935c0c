"""Suffixes: all there, and nothing that the model says is changed."""

from typing import Any

import numpy as np
import pytest
from lm_oracle import draw_sentences

from asr.lm.model import NgramModel
from asr.lm.prune import prune
from asr.lm.suffixes import with_suffixes
from asr.lm.text import close_vocabulary, number_words

Estimator = Any  # of the conftest, which cannot be imported


def ngrams_of(model: NgramModel) -> list[set[tuple[int, ...]]]:
    return [
        set(zip(*(one.tolist() for one in model.columns(order)), strict=True))
        for order in range(1, model.order + 1)
    ]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("keep", [10, 40, 120])
def test_every_suffix_and_prefix_is_there_and_no_score_changes(
    estimate_on: Estimator, order: int, keep: int
) -> None:
    whole = estimate_on(draw_sentences(100, seed=order), order)
    pruned = prune(whole.model, keep=keep, histories=whole.histories)
    closed = with_suffixes(pruned)
    before, after = ngrams_of(pruned), ngrams_of(closed)
    wanted = [set[tuple[int, ...]]() for _ in before]
    for grams in before:
        for gram in grams:
            for start in range(len(gram)):
                for end in range(start + 1, len(gram) + 1):
                    wanted[end - start - 1].add(gram[start:end])
    assert after == wanted, "every part of an n-gram, and no more"
    for ngrams in closed.ngrams:
        keys = ngrams.keys(len(closed.words))
        assert (np.diff(keys) > 0).all(), "sorted"
    sentences = [*draw_sentences(200, seed=7), "a zzz f e d c b a"]
    text, _ = close_vocabulary(*number_words(["\n".join([*sentences, ""])]), pruned.words)
    np.testing.assert_allclose(closed.score(text), pruned.score(text), rtol=0, atol=1e-12)


def test_a_model_that_has_them_stays_as_it_is(estimate_on: Estimator) -> None:
    model = estimate_on(draw_sentences(50, seed=1), 3).model
    assert with_suffixes(model) is model
    pruned = with_suffixes(prune(model, keep=20))
    assert with_suffixes(pruned) is pruned
