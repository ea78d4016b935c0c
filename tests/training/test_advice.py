"""Advice: given with its figures where it is due, and not where a training is healthy."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from asr.training.advice import Finding, episodes, findings

Record = dict[str, Any]


def records(**columns: Sequence[Any]) -> list[Record]:
    """Records of a healthy training, with some columns replaced."""
    count = len(next(iter(columns.values())))
    healthy = {
        "loss": [3.0 * 0.8**epoch for epoch in range(count)],
        "dev_loss": [2.5 * 0.8**epoch for epoch in range(count)],
        "blank_share": [0.7] * count,
        "emitted_ratio": [0.95] * count,
        "dev_wer": [0.5] * count,
        "learning_rate": [0.001] * count,
        "clipped_share": [0.1] * count,
        "gradient_norm": [norms(2.0)] * count,
        "step": [100 * (epoch + 1) for epoch in range(count)],
    }
    table = healthy | {key: list(column) for key, column in columns.items()}
    return [
        {"epoch": epoch + 1} | {key: column[epoch] for key, column in table.items()}
        for epoch in range(count)
    ]


def norms(total: float, *layers: float) -> dict[str, dict[str, float]]:
    """Mean gradient norms: of all, and of recurrent layers from the lowest up."""
    named = {"all": total} | {
        f"layer {number} {way}": norm / part
        for number, norm in enumerate(layers, start=1)
        for way, part in (("norm", 1e9), ("ahead", 1), ("back", 10))
    }
    return {name: {"mean": norm, "max": 2 * norm} for name, norm in named.items()}


def after(found: list[Record]) -> list[Finding]:
    return findings(found, clip_norm=5.0)


def only(found: list[Record]) -> Finding:
    (finding,) = after(found)
    return finding


class TestAllBlank:
    def test_the_plateau_is_explained_with_its_figures(self) -> None:
        finding = only(records(loss=[2.92, 2.91, 2.9], blank_share=[1.0, 1.0, 0.998]))
        assert finding.kind == "all blank"
        assert "99.8% of the dev frames" in finding.what
        assert "2.92, then 2.90" in finding.what
        assert "After 300 steps that is still usual" in finding.what
        assert "training.batch.max_frames" in finding.change

    def test_few_letters_are_the_plateau_too(self) -> None:
        found = records(loss=[2.9] * 3, blank_share=[0.98] * 3, emitted_ratio=[0.0, 0.01, 0.015])
        assert only(found).kind == "all blank"

    def test_after_many_steps_it_is_longer_than_usual(self) -> None:
        found = records(loss=[2.9] * 3, blank_share=[1.0] * 3, step=[5000, 10000, 15000])
        assert "After 15000 steps that is longer than usual" in only(found).what

    @pytest.mark.parametrize(
        ("loss", "blanks"),
        [
            ([2.9, 2.9], [1.0, 1.0]),  # two epochs are nothing unusual
            ([5.1, 2.9, 2.5], [1.0, 1.0, 1.0]),  # the loss falls
            ([2.5, math.nan, math.nan], [1.0, 1.0, 1.0]),
            ([2.9, 2.9, 2.9], [1.0, 1.0, 0.9]),  # letters have come
            ([2.9, 2.9, 2.9], [0.9, 1.0, 1.0]),
        ],
    )
    def test_a_start_like_others_is_no_plateau(
        self, loss: list[float], blanks: list[float]
    ) -> None:
        assert after(records(loss=loss, blank_share=blanks)) == []


class TestUnstable:
    @pytest.mark.parametrize(
        ("loss", "words"),
        [
            ([2.0, 1.0, 1.5], "from one epoch to the next (1.000, then 1.500)"),
            ([2.0, 1.0, 1.1, 1.15, 1.25], "in 3 epochs (1.000, then 1.250)"),
        ],
    )
    def test_a_loss_that_rises_is_told_with_the_rate(self, loss: list[float], words: str) -> None:
        finding = only(records(loss=loss))
        assert (finding.kind, words in finding.what) == ("unstable", True)
        assert "learning rate 0.001" in finding.what
        assert "training.optimizer.learning_rate" in finding.change

    def test_it_is_not_called_a_plateau_as_well(self) -> None:
        assert only(records(loss=[2.5, 2.6, 200.0], blank_share=[1.0] * 3)).kind == "unstable"

    @pytest.mark.parametrize("loss", [[2.0, 1.0, 1.15], [0.2, 0.05, 0.14], [1.0, 0.5, math.nan]])
    def test_small_rises_are_chance(self, loss: list[float]) -> None:
        assert after(records(loss=loss)) == []


class TestExploding:
    def test_a_gradient_far_above_its_bound_is_told(self) -> None:
        found = records(clipped_share=[0.9, 1.0], gradient_norm=[norms(300), norms(400)])
        finding = only(found)
        assert finding.kind == "exploding"
        assert "400 in the mean, clipped to 5 in 100% of the steps" in finding.what

    @pytest.mark.parametrize(
        ("clipped", "total"),
        [
            ([1.0, 1.0], [300, 24]),
            ([1.0, 0.4], [300, 300]),
            ([1.0, 1.0], [24, 300]),
            ([1.0], [9e9]),
        ],
    )
    def test_clipping_alone_is_what_clipping_is_for(
        self, clipped: list[float], total: list[float]
    ) -> None:
        found = records(clipped_share=clipped, gradient_norm=[norms(one) for one in total])
        assert after(found) == []

    def test_few_bad_utterances_are_blamed_themselves(self) -> None:
        found = records(skipped_steps=[0, 2], infinite_losses=[{}, {"utt-7": 1, "utt-9": 2}])
        finding = only(found)
        assert finding.kind == "exploding"
        assert "Steps left out in epoch 2, their gradient not being finite: 2" in finding.what
        assert "utt-7, utt-9" in finding.what
        assert "Listen to these utterances" in finding.change

    def test_many_bad_utterances_speak_against_the_rate(self) -> None:
        names = {f"utt-{number}": 1 for number in range(40)}
        finding = only(records(skipped_steps=[3], infinite_losses=[names]))
        assert "40 utterances (utt-0, utt-1, utt-2, …)" in finding.what
        assert "learning_rate" in finding.change


class TestVanishing:
    def test_a_lowest_layer_a_thousand_times_below_the_top_is_told(self) -> None:
        found = records(gradient_norm=[norms(1.0, 1e-3, 0.1, 1.0)] * 2)
        finding = only(found)
        assert finding.kind == "vanishing"
        assert "0.001 of the top one's" in finding.what

    @pytest.mark.parametrize(
        "column",
        [
            [norms(1.0, 0.02, 1.0)] * 2,
            [norms(1.0, 1e-3, 1.0), norms(1.0, 0.5, 1.0)],
            [norms(1.0, 1e-3, 1.0)],
            [norms(1.0, 1e-3)] * 2,
            [norms(1.0, 1.0, 1e-3)] * 2,
        ],
        ids=["little less", "once only", "one epoch", "one layer", "upside down"],
    )
    def test_a_gradient_that_arrives_is_not(self, column: list[Any]) -> None:
        assert after(records(gradient_norm=column)) == []


class TestOverfitting:
    def test_a_rising_dev_loss_is_told_with_the_error_rates(self) -> None:
        found = records(
            loss=[2.0, 1.0, 0.5, 0.3, 0.2],
            dev_loss=[2.0, 1.0, 1.2, 1.3, 1.4],
            dev_wer=[0.9, 0.45, 0.4, 0.38, 0.37],
        )
        finding = only(found)
        assert finding.kind == "overfitting"
        assert "lowest in epoch 2: 1.000, now 1.400" in finding.what
        assert "45.0% then, 37.0% now" in finding.what

    @pytest.mark.parametrize(
        ("loss", "dev"),
        [
            ([1.0, 0.9, 0.8, 0.7], [1.0, 1.05, 1.2, 1.3]),  # not clearly above for three epochs
            ([1.0, 0.9, 0.8], [1.0, 1.2, 1.3]),
            ([1.0, 1.05, 1.05, 1.05], [1.0, 1.2, 1.2, 1.2]),  # training does not fall either
            ([0.1, 0.09, 0.08, 0.07], [0.003, 0.01, 0.02, 0.02]),  # nothing but noise
            ([1.0, 0.9, 0.8, 0.7], [math.nan, 1.0, 0.9, 0.8]),
        ],
    )
    def test_a_dev_loss_that_wavers_is_not(self, loss: list[float], dev: list[float]) -> None:
        assert after(records(loss=loss, dev_loss=dev)) == []


def test_dev_utterances_without_a_loss_are_named() -> None:
    finding = only(records(dev_infinite=[["d1", "d2", "d3", "d4"]]))
    assert finding.kind == "dev targets"
    assert "encoder frames: 4 (d1, d2, d3, …)" in finding.what


def test_a_healthy_training_gets_no_advice() -> None:
    assert episodes(records(loss=[3.0 * 0.9**epoch for epoch in range(60)]), clip_norm=5.0) == []


def test_records_of_an_earlier_version_are_not_judged_by_what_they_lack() -> None:
    keys = ("epoch", "step", "loss", "dev_loss", "dev_wer", "learning_rate")
    old = [{key: one[key] for key in keys} for one in records(loss=[3.0, 2.0, 1.0, 0.5])]
    assert after(old) == []


class TestEpisodes:
    def test_a_finding_has_the_epochs_in_which_it_held(self) -> None:
        blanks = [1.0] * 6 + [0.7] * 4
        found = episodes(
            records(loss=[2.9] * 6 + [2.0, 1.5, 1.2, 1.0], blank_share=blanks), clip_norm=5.0
        )
        assert [(one.finding.kind, one.first, one.last) for one in found] == [("all blank", 3, 6)]

    def test_what_comes_back_soon_is_the_same_and_later_it_is_new(self) -> None:
        skipped = [0] * 20
        skipped[2] = skipped[5] = skipped[15] = 1
        found = episodes(records(skipped_steps=skipped), clip_norm=5.0)
        assert [(one.first, one.last) for one in found] == [(3, 6), (16, 16)]

    def test_what_stood_out_before_stays_when_more_epochs_come(self) -> None:
        """So a training that was stopped and goes on says each thing once, as if never stopped."""
        loss = [2.9] * 5 + [2.0, 1.0, 2.0, 0.9, 0.8]
        every = records(loss=loss, blank_share=[1.0] * 5 + [0.7] * 5)
        begun = {
            (one.finding.kind, one.first)
            for count in range(1, 11)
            for one in episodes(every[:count], clip_norm=5.0)
            if one.first == count
        }
        assert begun == {("all blank", 3), ("unstable", 8)}
        assert begun == {(one.finding.kind, one.first) for one in episodes(every, clip_norm=5.0)}
