"""Modified Kneser-Ney smoothing against its definition, worked out by plain loops and by hand."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from lm_oracle import KneserNey, draw_sentences

from asr.lm.kneser_ney import estimate_discounts
from asr.lm.model import NgramModel

Estimator = Any  # of the conftest, which cannot be imported

# Chen & Goodman 1999, section 2.
BOOKS = ["john read moby dick", "mary read a different book", "she read a book by cher"]


def prob(model: NgramModel, word: str, context: Sequence[str]) -> float:
    """p(word | context) as the model's arrays say it."""
    words = [*context, word][-model.order :]
    numbers = [np.array([model.words.index(one)], dtype=np.int32) for one in words]
    return math.exp(model.log_prob(numbers)[0])


def contexts(model: NgramModel, longest: int) -> list[tuple[str, ...]]:
    """All sequences of words that can stand before another one."""
    words = [word for word in model.words if word not in ("<s>", "</s>")]
    inner = [
        each for length in range(longest + 1) for each in itertools.product(words, repeat=length)
    ]
    return inner + [("<s>", *each) for each in inner if len(each) < longest]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("count", "cutoffs"), [(3, ()), (200, ()), (200, (0, 1, 1, 2))])
def test_probabilities_are_those_of_the_definition(
    estimate_on: Estimator, order: int, count: int, cutoffs: tuple[int, ...]
) -> None:
    sentences = draw_sentences(count, seed=order, words="abcd")
    model = estimate_on(sentences, order, cutoffs[:order]).model
    oracle = KneserNey(sentences, order, cutoffs[:order])
    checked = 0
    for context in contexts(model, min(order - 1, 2)):
        for word in oracle.said:
            assert prob(model, word, context) == pytest.approx(oracle.prob(word, context)), (
                word,
                context,
            )
            checked += 1
    assert checked >= 5


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("cutoffs", [(), (0, 0, 1)])
def test_probabilities_after_every_context_add_up_to_one(
    estimate_on: Estimator, order: int, cutoffs: tuple[int, ...]
) -> None:
    model = estimate_on(draw_sentences(60, seed=7), order, cutoffs[:order]).model
    said = [word for word in model.words if word != "<s>"]
    for context in contexts(model, min(order - 1, 3)):
        total = math.fsum(prob(model, word, context) for word in said)
        assert total == pytest.approx(1.0, abs=1e-9), context


def test_discounts_are_those_of_the_formula() -> None:
    """Seven counts of 1, four of 2, two of 3, one of 4: Y = 7 / 15."""
    counts = np.array([1] * 7 + [2] * 4 + [3] * 2 + [4] + [9, 0, 0])
    found = estimate_discounts(counts)
    share = 7 / 15
    assert found.once == pytest.approx(1 - 2 * share * 4 / 7)
    assert found.twice == pytest.approx(2 - 3 * share * 2 / 4)
    assert found.more == pytest.approx(3 - 4 * share * 1 / 2)
    assert not found.fallback
    assert found.of(np.array([0, 1, 2, 3, 80])).tolist() == [
        0,
        found.once,
        found.twice,
        found.more,
        found.more,
    ]


@pytest.mark.parametrize("counts", [[], [1, 1, 2], [1, 1, 3], [1] * 50 + [2] + [3] * 50 + [4] * 60])
def test_discounts_that_cannot_be_estimated_are_replaced(counts: list[int]) -> None:
    found = estimate_discounts(np.array(counts, dtype=np.int64))
    assert (found.once, found.twice, found.more, found.fallback) == (0.5, 1.0, 1.5, True)


def test_nothing_has_to_be_counted_four_times() -> None:
    """Y = 4 / 8, and of the last discount nothing is subtracted, as in KenLM."""
    found = estimate_discounts(np.array([1] * 4 + [2] * 2 + [3]))
    assert (found.once, found.twice, found.more, found.fallback) == (0.5, 1.25, 3.0, False)


def test_the_example_of_three_books_by_hand(estimate_on: Estimator) -> None:
    """Discounts 0.5, 1, 1.5, since the text is small; 11 words, </s> and <unk> can be said.

    Of 17 different bigrams `read` and </s> end three, `book` two, nine words one: their discounts
    add up to 2 * 1.5 + 1 + 9 * 0.5 = 8.5, which all 13 share.
    """
    model = estimate_on(BOOKS, 2).model
    spread = 8.5 / 17 / 13
    assert prob(model, "<unk>", []) == pytest.approx(spread)
    assert prob(model, "read", []) == pytest.approx((3 - 1.5) / 17 + spread)
    # After `read` come moby once and a twice.
    a = (1 - 0.5) / 17 + spread
    assert prob(model, "a", ["read"]) == pytest.approx((2 - 1.0) / 3 + (0.5 + 1.0) / 3 * a)
    assert prob(model, "</s>", ["dick"]) == pytest.approx(
        (1 - 0.5) / 1 + 0.5 * ((3 - 1.5) / 17 + spread)
    )


def test_the_beginning_of_a_sentence_is_given_and_never_said(estimate_on: Estimator) -> None:
    model = estimate_on(BOOKS, 3).model
    assert model.log_probs[0][model.words.index("<s>")] == -math.inf
    assert all(len(one.word) == 0 or 1 not in one.word for one in model.ngrams[1:])


def test_a_context_that_leaves_nothing_has_a_finite_weight(estimate_on: Estimator) -> None:
    """Discounts of 0 take nothing away from what follows it."""
    model = estimate_on(draw_sentences(30, seed=6, words="aäλ語"), 6).model
    assert any((weights < -50).any() for weights in model.backoffs)
    assert all(np.isfinite(weights).all() for weights in model.backoffs)
