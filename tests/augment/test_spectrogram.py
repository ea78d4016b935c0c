from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asr.augment.draw import draw
from asr.augment.settings import AugmentSettings
from asr.augment.spectrogram import spec_augment, warp_frequencies

FRAMES, BINS = 300, 40


def parse(**values: Any) -> AugmentSettings:
    return AugmentSettings.parse(values, "r.yaml: augment")


def ones() -> Tensor:
    return torch.ones(FRAMES, BINS)


def augment(features: Tensor, settings: AugmentSettings, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spec_augment(features, settings, frames_per_second=100.0, generator=generator)


def test_masks_are_whole_rows_and_columns_of_zeros() -> None:
    masked = augment(ones(), parse(), seed=4)
    rows, columns = (masked == 0).all(dim=1), (masked == 0).all(dim=0)
    assert bool(rows.any())
    assert bool(columns.any())
    assert torch.equal(masked == 0, rows[:, None] | columns[None, :])
    assert bool((masked[~rows][:, ~columns] == 1).all())


def test_masks_are_no_wider_and_no_more_than_the_settings_say() -> None:
    settings = parse(
        frequency_masks=2,
        frequency_mask_share=0.2,
        time_masks_per_second=1.0,
        time_mask_frames=15,
    )
    widest_rows = widest_columns = 0
    for seed in range(200):
        masked = augment(ones(), settings, seed) == 0
        rows, columns = int(masked.all(dim=1).sum()), int(masked.all(dim=0).sum())
        assert rows <= 3 * 15  # 3 seconds
        assert columns <= 2 * 8  # 0.2 of 40 bins
        widest_rows, widest_columns = max(widest_rows, rows), max(widest_columns, columns)
    assert widest_rows > 30
    assert widest_columns > 12


def test_masks_reach_both_edges() -> None:
    settings = parse(time_masks_per_second=0, frequency_masks=1, frequency_mask_share=0.5)
    masked = torch.stack([augment(ones(), settings, seed)[0] == 0 for seed in range(200)])
    assert bool(masked.any(dim=0).all())


def test_no_mask_is_wider_than_what_it_masks() -> None:
    settings = parse(frequency_mask_share=1.0, time_mask_frames=50, time_masks_per_second=100)
    for frames in (1, 2, 5):
        assert augment(torch.ones(frames, 3), settings).shape == (frames, 3)


def test_the_input_is_left_untouched() -> None:
    features = ones()
    assert bool((augment(features, parse(), seed=4) == 0).any())
    assert bool((features == 1).all())


def test_settings_of_zero_change_nothing() -> None:
    for settings in (
        parse(frequency_masks=0, time_masks_per_second=0),
        parse(frequency_mask_share=0, time_mask_frames=0),
    ):
        assert torch.equal(augment(ones(), settings), ones())


def test_masks_depend_on_the_generator_alone() -> None:
    assert torch.equal(augment(ones(), parse(), 7), augment(ones(), parse(), 7))
    assert not torch.equal(augment(ones(), parse(), 7), augment(ones(), parse(), 8))


@pytest.mark.parametrize("stretch", [0.8, 0.9, 1.0, 1.1, 1.25])
@pytest.mark.parametrize("formant", [8.0, 14.5, 20.0])
def test_a_warp_moves_a_formant_by_its_factor(stretch: float, formant: float) -> None:
    bins = torch.arange(BINS, dtype=torch.float32)
    hill = torch.exp(-((bins - formant) ** 2) / 8).expand(3, BINS)
    moved = warp_frequencies(hill, stretch)
    centre = (moved * bins).sum(dim=1) / moved.sum(dim=1)
    assert centre.tolist() == pytest.approx([formant / stretch] * 3, abs=0.1)


@pytest.mark.parametrize("stretch", [0.5, 0.8, 1.0, 1.2, 1.5])
@pytest.mark.parametrize("bins", [1, 2, 40])
def test_a_warp_keeps_both_ends_and_the_order_of_the_bins(stretch: float, bins: int) -> None:
    ramp = torch.arange(float(bins)).expand(2, bins)
    moved = warp_frequencies(ramp, stretch)
    assert moved.shape == ramp.shape
    assert moved[0, 0] == 0
    assert float(moved[0, -1]) == pytest.approx(bins - 1)
    assert bool((moved[0].diff() >= 0).all())


def test_every_utterance_is_warped_by_a_factor_of_its_own_within_the_limit() -> None:
    settings = parse(frequency_warp=0.1, frequency_masks=0, time_masks_per_second=0)
    ramp = torch.arange(float(BINS)).expand(FRAMES, BINS)
    stretches = [float(augment(ramp, settings, seed)[0, 10] / 10) for seed in range(200)]
    assert min(stretches) == pytest.approx(0.9, abs=0.01)
    assert max(stretches) == pytest.approx(1.1, abs=0.01)
    assert np.mean(stretches) == pytest.approx(1.0, abs=0.02)


def test_masks_lie_where_they_lay_before_reverberation_and_its_like_came_in() -> None:
    """Figures that training gave before; a change here changes every one of them."""
    drawn = draw(parse(), seed=1, epoch=2, utterance_id="a")
    masked = spec_augment(ones(), parse(), frames_per_second=100.0, generator=drawn.generator) == 0
    assert masked.all(dim=0).nonzero().flatten().tolist() == list(range(24, 32))
    assert masked.all(dim=1).nonzero().flatten().tolist() == list(range(57, 70))
