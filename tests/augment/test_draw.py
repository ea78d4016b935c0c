from typing import Any

import pytest
import torch

from asr.augment.draw import draw, uniform
from asr.augment.settings import AugmentSettings


def chances(**arguments: Any) -> tuple[float, list[float]]:
    """The speed, and the next numbers of the generator, of one draw."""
    values: dict[str, Any] = {"seed": 1, "epoch": 2, "utterance_id": "a"} | arguments
    drawn = draw(AugmentSettings(), **values)
    return drawn.speed, torch.rand(4, generator=drawn.generator).tolist()


def test_the_same_seed_epoch_and_utterance_draw_the_same() -> None:
    first = chances()
    torch.manual_seed(99)  # nothing hangs on the global generator
    assert chances() == first


@pytest.mark.parametrize("other", [{"seed": 2}, {"epoch": 3}, {"utterance_id": "b"}], ids=str)
def test_another_seed_epoch_or_utterance_draws_something_else(other: dict[str, Any]) -> None:
    assert chances(**other)[1] != chances()[1]


def test_drawing_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    chances()
    assert torch.equal(torch.rand(1), expected)


def test_speeds_are_drawn_evenly() -> None:
    speeds = [chances(utterance_id=str(number))[0] for number in range(600)]
    for speed in (0.9, 1.0, 1.1):
        # Three standard deviations of a binomial count are 35.
        assert speeds.count(speed) == pytest.approx(200, abs=36)


def test_what_was_drawn_before_reverberation_and_its_like_came_in_is_drawn_still() -> None:
    """Figures that training gave before; a change here changes every one of them."""
    speed, numbers = chances()
    assert speed == 1.0
    assert numbers == pytest.approx([0.238269269, 0.718697429, 0.849388957, 0.989703774])
    speed, numbers = chances(utterance_id="b")
    assert speed == 0.9
    assert numbers == pytest.approx([0.344188631, 0.511233926, 0.893572390, 0.849445462])


def test_an_even_draw_fills_its_range_and_no_more() -> None:
    generator = torch.Generator().manual_seed(1)
    numbers = [uniform((-5.0, 15.0), generator) for _ in range(1000)]
    assert -5 <= min(numbers) < -4.8
    assert 14.8 < max(numbers) <= 15
    assert sum(numbers) / 1000 == pytest.approx(5, abs=3 * 20 / 12**0.5 / 1000**0.5)
    assert uniform((3.0, 3.0), generator) == 3.0
