"""Ranking n-best lists under many weights, against doing it one by one."""

import random

import numpy as np
import pytest
import torch

from asr.decoding.beam import BeamSettings
from asr.decoding.confidence import Calibration
from asr.scoring.error_rate import ErrorCounts
from asr.tokens import Characters
from asr.tuning.grid import Candidate, Grid, search_grid
from asr.tuning.model import DevelopmentSet, tune_decoder
from asr.tuning.rescoring import tune_rescoring


def draw_lists(*, seed: int) -> list[list[Candidate]]:
    chance = random.Random(seed)
    return [
        [
            Candidate(
                text=str(number),
                counts=ErrorCounts(substitutions=chance.randint(0, 5)),
                acoustic=-chance.uniform(0, 20),
                language=-chance.uniform(0, 20),
                words=chance.randint(0, 6),
            )
            for number in range(chance.randint(1, 8))
        ]
        for _ in range(30)
    ]


def test_errors_are_those_of_the_candidates_that_come_first() -> None:
    lists = draw_lists(seed=1)
    grid = search_grid(lists, [0.0, 0.5, 2.0], [-1.0, 0.0], words=100)
    for row, weight in enumerate([0.0, 0.5, 2.0]):
        for column, bonus in enumerate([-1.0, 0.0]):
            firsts = [
                max(one, key=lambda c: c.acoustic + weight * c.language + bonus * c.words)
                for one in lists
            ]
            assert grid.errors[row, column] == sum(first.counts.errors for first in firsts)


def test_of_equally_good_pairs_the_middle_one_is_taken() -> None:
    errors = np.array([[9, 9, 9, 9], [9, 3, 3, 3], [9, 9, 9, 9], [9, 9, 9, 3]])
    grid = Grid(np.arange(4.0), np.arange(4.0) / 10, errors, 10)
    weight, bonus = grid.best()
    assert (weight, bonus) == (1.0, pytest.approx(0.2))
    assert grid.best_bonus(1.1) == pytest.approx(0.2)
    assert grid.best_bonus(5.0) == pytest.approx(0.3)


def test_a_bonus_between_two_good_ones_need_not_be_good() -> None:
    errors = np.array([[3, 9, 9, 3]])
    assert Grid(np.ones(1), np.arange(4.0), errors, 10).best_bonus(1.0) in (0.0, 3.0)


def test_the_weights_of_two_models_are_those_with_the_fewest_errors() -> None:
    """Errors follow a score that only both models together give."""
    chance = random.Random(3)
    lists = []
    for _ in range(40):
        candidates = []
        for number in range(20):
            language, neural = -chance.uniform(0, 20), -chance.uniform(0, 20)
            acoustic = -chance.uniform(0, 20)
            total = acoustic + 0.5 * language + 1.5 * neural
            wrong = ErrorCounts(substitutions=round(-total))
            candidates.append(Candidate(str(number), wrong, acoustic, language, 3, neural))
        lists.append(candidates)
    settings, counts = tune_rescoring(lists, neural=True)
    assert settings.lm_weight == pytest.approx(0.5, abs=0.2)
    assert settings.rnn_weight == pytest.approx(1.5, abs=0.3)
    least = sum(min(one.counts.errors for one in candidates) for candidates in lists)
    assert least <= counts.errors <= 1.02 * least


def test_the_shortest_lists_are_taken_that_are_as_good_as_the_whole() -> None:
    """Of 50 candidates the best is the 20th, by sound alone: 10 are too few, and 30 enough."""
    candidates = [
        Candidate(
            str(number),
            ErrorCounts(hits=9 * (number == 19), substitutions=9 * (number != 19)),
            -abs(number - 19.0),
            0.0,
            3,
        )
        for number in range(50)
    ]
    settings, counts = tune_rescoring([candidates], neural=False)
    assert (settings.nbest, counts.errors, settings.rnn_weight) == (30, 0, 0.0)


def test_a_model_that_says_nothing_is_tuned_all_the_same() -> None:
    """Nothing but blanks, as after the first epoch."""
    tokens = Characters(" ab")
    rows = torch.tensor([[0.0, -9.0, -9.0, -9.0]] * 5)
    dev = DevelopmentSet([rows, rows], ["a b", "ab"], tokens)
    tuned = tune_decoder(dev, decoder=None, settings=BeamSettings())
    assert tuned.rates["greedy"].rate == 1.0
    assert tuned.description.calibration == Calibration()
    assert tuned.calibration_errors == (0.0, 0.0)
