"""Looking words up, pruning and mixing: what must stay true of probabilities."""

import math
from typing import Any

import numpy as np
import pytest
from lm_oracle import draw_sentences

from asr.errors import DataError
from asr.lm.counts import BEGIN, UNKNOWN, Numbers
from asr.lm.mixture import mix, tune_weight
from asr.lm.model import NgramModel, with_backoffs
from asr.lm.perplexity import measure_perplexity
from asr.lm.prune import prune
from asr.lm.text import close_vocabulary, number_words

Estimator = Any  # of the conftest, which cannot be imported


def numbers(model: NgramModel, *sentences: str) -> Numbers:
    return close_vocabulary(*number_words(["\n".join([*sentences, ""])]), model.words)[0]


def look_up(model: NgramModel, words: list[int]) -> float:
    """log p of the last word, by dictionaries and the definition of backing off."""
    tables = [
        dict(zip(zip(*(c.tolist() for c in model.columns(n)), strict=True), range(10**6)))  # noqa: B905
        for n in range(1, model.order + 1)
    ]
    gram = tuple(words[-model.order :])
    if (number := tables[len(gram) - 1].get(gram)) is not None:
        return float(model.log_probs[len(gram) - 1][number])
    context = tables[len(gram) - 2].get(gram[:-1])
    weight = 0.0 if context is None else float(model.backoffs[len(gram) - 2][context])
    return weight + look_up(model, list(gram[1:]))


def total_after(model: NgramModel, context: list[int]) -> float:
    columns = [
        np.full(len(model.words), one, dtype=np.int32)
        for one in context[max(0, len(context) + 1 - model.order) :]
    ]
    everything = np.arange(len(model.words), dtype=np.int32)
    return float(np.exp(model.log_prob([*columns, everything])).sum())


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_text_is_scored_as_looking_each_word_up_does(estimate_on: Estimator, order: int) -> None:
    model = estimate_on(draw_sentences(40, seed=1), order).model
    text = numbers(model, *draw_sentences(20, seed=2), "a zzz b", "f f f f f f f f")
    scores, start = model.score(text), 0
    for place, word in enumerate(text.tolist()):
        if word == BEGIN:
            start = place
            assert scores[place] == 0
        else:
            expected = look_up(model, text[start : place + 1].tolist())
            assert scores[place] == pytest.approx(expected), place


def test_perplexity_is_the_inverse_mean_probability(estimate_on: Estimator) -> None:
    model = estimate_on(["a b", "b a b", "a a"], 2).model
    text = numbers(model, "a b", "a zzz")
    found = measure_perplexity(model, text)
    logs = [look_up(model, text[: n + 1].tolist()) for n in (1, 2, 3)]
    logs += [look_up(model, text[4 : n + 1].tolist()) for n in (5, 6, 7)]
    assert found.all == pytest.approx(math.exp(-sum(logs) / 6))
    assert found.known == pytest.approx(math.exp(-(sum(logs) - logs[4]) / 5))
    assert (found.sentences, found.words, found.unknown) == (2, 6, 1)
    assert found.unknown_rate == 1 / 4
    with pytest.raises(DataError, match=r"the text: no sentence .*; expected"):
        measure_perplexity(model, numbers(model))
    model.log_probs[0][UNKNOWN] = -math.inf  # a closed vocabulary
    closed = measure_perplexity(model, text)
    assert closed.all == math.inf
    assert closed.known == pytest.approx(found.known)


class TestPruning:
    def test_probabilities_still_add_up_to_one(self, estimate_on: Estimator) -> None:
        whole = estimate_on(draw_sentences(80, seed=5), 3)
        for keep in (0, 5, 30):
            pruned = prune(whole.model, keep=keep, histories=whole.histories)
            assert len(pruned) - len(pruned.words) <= keep
            for first in range(len(pruned.words)):
                for second in range(3, len(pruned.words)):
                    assert total_after(pruned, [first, second]) == pytest.approx(1, abs=1e-9)

    def test_orders_of_which_nothing_is_left_are_gone(self, estimate_on: Estimator) -> None:
        whole = estimate_on(draw_sentences(80, seed=5), 4)
        pruned = prune(whole.model, keep=0, histories=whole.histories)
        assert (pruned.order, len(pruned.log_probs), len(pruned.backoffs)) == (1, 1, 0)
        assert prune(whole.model, keep=2, histories=whole.histories).order == 2

    def test_as_many_stay_as_asked_and_all_when_there_are_fewer(
        self, estimate_on: Estimator
    ) -> None:
        whole = estimate_on(draw_sentences(80, seed=5), 3)
        count = len(whole.model) - len(whole.model.words)
        assert prune(whole.model, keep=count, histories=whole.histories) is whole.model
        pruned = prune(whole.model, keep=count // 2, histories=whole.histories)
        assert count // 2 - 5 <= len(pruned) - len(pruned.words) <= count // 2

    def test_the_least_harm_is_done_to_the_text(self, estimate_on: Estimator) -> None:
        """Less than is done by leaving out as many at random."""
        sentences = draw_sentences(300, seed=6)
        whole = estimate_on(sentences, 2)
        keep = len(whole.model.ngrams[1]) // 2
        pruned = prune(whole.model, keep=keep, histories=whole.histories)
        text = numbers(whole.model, *sentences)
        best = measure_perplexity(pruned, text).all
        chance = np.random.default_rng(1)
        for _ in range(20):
            mask = np.zeros(len(whole.model.ngrams[1]), dtype=bool)
            mask[chance.permutation(len(mask))[: len(pruned.ngrams[1])]] = True
            other = whole.model.keep([np.ones(len(whole.model.words), dtype=bool), mask])
            other = with_backoffs(other.words, other.ngrams, other.log_probs)
            assert measure_perplexity(other, text).all > best

    def test_what_an_ngram_is_worth_is_the_change_of_relative_entropy(
        self, estimate_on: Estimator
    ) -> None:
        """The bigram that costs least, when each is left out and the definition computed."""
        whole = estimate_on(draw_sentences(30, seed=8), 2)
        model, size = whole.model, len(whole.model.words)
        everything = np.arange(size, dtype=np.int32)
        costs = []
        for left_out in range(len(model.ngrams[1])):
            mask = np.ones(len(model.ngrams[1]), dtype=bool)
            mask[left_out] = False
            other = model.keep([np.ones(size, dtype=bool), mask])
            other = with_backoffs(other.words, other.ngrams, other.log_probs)
            cost = 0.0
            for first in range(size):
                columns = [np.full(size, first, dtype=np.int32), everything]
                mine, theirs = model.log_prob(columns), other.log_prob(columns)
                said = np.isfinite(mine)
                share = np.exp(whole.histories[0][first])
                cost += share * float((np.exp(mine[said]) * (mine[said] - theirs[said])).sum())
            costs.append(cost)
        pruned = prune(model, keep=len(costs) - 1, histories=whole.histories)
        kept = set(pruned.ngrams[1].keys(size).tolist())
        (gone,) = [n for n, key in enumerate(model.ngrams[1].keys(size)) if int(key) not in kept]
        assert gone == int(np.argmin(costs))


class TestMixing:
    def test_the_mixture_lies_between_in_every_word_of_an_ngram(
        self, estimate_on: Estimator
    ) -> None:
        first = estimate_on(draw_sentences(60, seed=1, words="abcd"), 3).model
        second = estimate_on(draw_sentences(60, seed=2, words="cdef"), 2).model
        mixed = mix(first, second, 0.3)
        assert set(mixed.words) == {*first.words, *second.words}
        for columns in (mixed.columns(2), mixed.columns(1)):
            for row in zip(*(column.tolist() for column in columns), strict=True):
                words = [mixed.words[one] for one in row]
                if words[-1] == "<s>":
                    continue
                parts = []
                for model in (first, second):
                    place = [model.words.index(w) if w in model.words else 0 for w in words]
                    known = words[-1] in model.words
                    parts.append(math.exp(look_up(model, place)) if known else 0.0)
                expected = 0.3 * parts[0] + 0.7 * parts[1]
                found = math.exp(look_up(mixed, list(row)))
                assert found == pytest.approx(expected, rel=1e-6), words

    def test_its_probabilities_add_up_to_one(self, estimate_on: Estimator) -> None:
        first = estimate_on(draw_sentences(60, seed=1, words="abcd"), 3).model
        second = estimate_on(draw_sentences(60, seed=2, words="cdef"), 2).model
        mixed = mix(first, second, 0.3)
        for one in range(len(mixed.words)):
            for other in range(3, len(mixed.words)):
                assert total_after(mixed, [one, other]) == pytest.approx(1, abs=1e-6)

    def test_the_tuned_weight_makes_the_text_most_probable(self, estimate_on: Estimator) -> None:
        first = estimate_on(draw_sentences(60, seed=1), 2).model
        second = estimate_on(draw_sentences(9, seed=2), 2).model
        dev = draw_sentences(40, seed=3)
        scores = [one.score(numbers(one, *dev)) for one in (first, second)]
        weight = tune_weight(*scores)

        def nats(share: float) -> float:
            both = np.logaddexp(np.log(share) + scores[0], np.log1p(-share) + scores[1])
            return -float(both.sum())

        grid = np.linspace(0.01, 0.99, 99)
        assert weight == pytest.approx(grid[np.argmin([nats(one) for one in grid])], abs=0.01)
        with pytest.raises(DataError, match="has no words; expected"):
            tune_weight(np.zeros(0), np.zeros(0))

    def test_words_that_neither_model_knows_say_nothing_of_the_weight(self) -> None:
        rng = np.random.default_rng(1)
        first, second = np.log(rng.uniform(0.1, 0.9, (2, 50)))
        alone = np.where(np.arange(50) % 7 == 0, -np.inf, second)
        never = np.full(3, -np.inf)
        expected = tune_weight(first, alone)
        assert 0 < expected < 1
        found = tune_weight(np.append(first, never), np.append(alone, never))
        assert found == pytest.approx(expected)
