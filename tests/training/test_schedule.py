"""The course of the learning rate, and when there is nothing more to gain."""

import itertools
import math

import pytest

from asr.errors import ConfigError
from asr.training.schedule import ScheduleSettings, ended_early, rate_share

SETTINGS = ScheduleSettings(warmup_share=0.25)


@pytest.mark.parametrize(
    ("done", "share_of_peak"),
    [
        (0.0, 0.04),
        (0.125, 0.52),  # halfway up a straight line
        (0.25, 1.0),
        (0.625, 0.5005),  # halfway down half a cosine
        (1.0, 0.001),
    ],
)
def test_the_rate_climbs_a_line_and_descends_a_cosine(done: float, share_of_peak: float) -> None:
    assert rate_share(SETTINGS, done) == pytest.approx(share_of_peak)


def test_the_rate_never_jumps_and_turns_once() -> None:
    rates = [rate_share(SETTINGS, step / 1000) for step in range(1001)]
    rises = [after > before for before, after in itertools.pairwise(rates)]
    assert rises == sorted(rises, reverse=True)
    assert max(abs(a - b) for a, b in itertools.pairwise(rates)) < 0.005


def test_without_warm_up_the_rate_starts_at_its_peak() -> None:
    for kind in ("one_cycle", "plateau"):
        settings = ScheduleSettings(kind=kind, warmup_share=0)
        assert rate_share(settings, 0.0) == 1.0
    assert rate_share(ScheduleSettings(warmup_share=0), 0.5) < 1.0


@pytest.mark.parametrize("done", [0.25, 0.3, 0.5, 1.0])
def test_the_inverse_root_falls_from_the_end_of_the_warm_up(done: float) -> None:
    settings = ScheduleSettings(kind="inverse_sqrt", warmup_share=0.25)
    assert rate_share(settings, done) == pytest.approx(math.sqrt(0.25 / done))
    assert rate_share(settings, 0.125) == pytest.approx(0.52), "the same line up"


@pytest.mark.parametrize(
    ("losses", "cuts"),
    [
        ([], 0),
        ([3.0, 2.0, 1.0], 0),
        ([3.0, 3.0], 0),  # one epoch without a lower loss
        ([3.0, 3.0, 3.0], 1),
        ([3.0, 3.5, 2.9, 3.0, 2.95], 1),  # 2.9 in between started the count anew
        ([3.0, 3.0, 3.0, 3.0, 3.0], 2),
        ([3.0, 4.0, 4.0, 2.0, 1.0], 1),  # what was cut stays cut
    ],
)
def test_a_plateau_cuts_the_rate_each_time_the_dev_loss_has_stopped_falling(
    losses: list[float], cuts: int
) -> None:
    settings = ScheduleSettings(kind="plateau", plateau_epochs=2, plateau_factor=0.5)
    assert rate_share(settings, 0.5, losses) == 0.5**cuts


@pytest.mark.parametrize(
    ("rates", "epochs"),
    [
        ([(0.5, 0.2)], 0),
        ([(0.5, 0.2), (0.6, 0.1), (0.6, 0.1)], 2),
        ([(0.5, 0.2), (0.5, 0.1), (0.5, 0.1)], 1),  # the CER decides, a tie is not better
    ],
)
def test_training_ends_when_the_best_epoch_lies_so_far_back(
    rates: list[tuple[float, float]], epochs: int
) -> None:
    assert ended_early(rates, epochs)
    assert not ended_early(rates, epochs + 1)
    assert not ended_early(rates, None)
    assert not ended_early([], 1)


def test_the_inverse_root_wants_a_warm_up_to_fall_from() -> None:
    with pytest.raises(ConfigError, match=r"r\.yaml: .*inverse_sqrt falls from the end of a warm"):
        ScheduleSettings.parse({"kind": "inverse_sqrt", "warmup_share": 0}, "r.yaml")
