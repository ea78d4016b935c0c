from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asr.audio import Waveform
from asr.augment import (
    AugmentSettings,
    add_noise,
    draw,
    perturb_speed,
    spec_augment,
    warp_frequencies,
)
from asr.errors import ConfigError

FRAMES, BINS = 300, 40


def parse(**values: Any) -> AugmentSettings:
    return AugmentSettings.parse(values, "r.yaml: augment")


def ones() -> Tensor:
    return torch.ones(FRAMES, BINS)


def augment(features: Tensor, settings: AugmentSettings, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spec_augment(features, settings, frames_per_second=100.0, generator=generator)


def chances(**arguments: Any) -> tuple[float, list[float]]:
    """The speed, and the next numbers of the generator, of one draw."""
    values: dict[str, Any] = {"seed": 1, "epoch": 2, "utterance_id": "a"} | arguments
    drawn = draw(parse(), **values)
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


@pytest.mark.parametrize("speed", [0.9, 1.1, 0.5, 2.0])
@pytest.mark.parametrize("rate", [8000, 11025, 16000])
def test_speed_shortens_a_sine_and_raises_its_pitch_by_the_same_ratio(
    speed: float, rate: int
) -> None:
    times = np.arange(2 * rate) / rate
    sine = Waveform((0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32), rate)
    faster = perturb_speed(sine, speed)
    assert faster.sample_rate == rate
    assert faster.duration == pytest.approx(2 / speed, rel=1e-4)
    spectrum = np.abs(np.fft.rfft(faster.samples * np.hanning(len(faster.samples))))
    assert spectrum.argmax() / faster.duration == pytest.approx(440 * speed, rel=2e-3)


def test_speed_1_changes_nothing() -> None:
    waveform = Waveform(np.ones(100, dtype=np.float32), 16000)
    assert perturb_speed(waveform, 1.0) is waveform


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


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"speeds": []}, "key 'speeds': .*at least 1"),
        ({"speeds": [0.9, 0.0]}, r"key 'speeds\.1': .*greater than or equal to 0\.5"),
        ({"speeds": [-1.0]}, r"key 'speeds\.0'"),
        ({"speeds": [110]}, r"key 'speeds\.0': .*less than or equal to 2"),
        ({"frequency_mask_share": 1.5}, "key 'frequency_mask_share'"),
        ({"time_mask_frames": -1}, "key 'time_mask_frames'"),
        ({"noise_snr": [30, 10]}, r".*noise_snr \(30\.0 to 10\.0\) must rise"),
        ({"time_masks": 2}, "unknown key 'time_masks'; did you mean 'time_mask_frames'"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^r.yaml: augment: {words}"):
        parse(**values)


def test_noise_has_the_ratio_that_was_asked_for() -> None:
    tone = Waveform(np.sin(np.arange(16000) / 5).astype(np.float32), 16000)
    noisy = add_noise(tone, (10.0, 10.0), torch.Generator().manual_seed(1))
    noise = noisy.samples - tone.samples
    ratio = np.mean(np.square(tone.samples)) / np.mean(np.square(noise))
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.01)
    assert noisy.sample_rate == 16000


def test_noise_is_of_many_colours_and_loudnesses() -> None:
    tone = Waveform(np.sin(np.arange(16000) / 5).astype(np.float32), 16000)
    shares, levels = [], []
    for seed in range(40):
        noise = add_noise(tone, (0.0, 40.0), torch.Generator().manual_seed(seed)).samples
        noise = noise - tone.samples
        power = np.abs(np.fft.rfft(noise)) ** 2
        shares.append(power[: len(power) // 2].sum() / power.sum())
        levels.append(-10 * np.log10(2 * np.mean(noise**2)))
    assert min(shares) < 0.6  # nearly white
    assert max(shares) > 0.98  # nearly brown
    assert min(levels) < 5
    assert max(levels) > 35


def test_noise_depends_on_the_generator_alone_and_leaves_the_input_untouched() -> None:
    tone = Waveform(np.sin(np.arange(1601) / 5).astype(np.float32), 16000)
    before = tone.samples.copy()
    once, again, other = (
        add_noise(tone, (5.0, 20.0), torch.Generator().manual_seed(seed)).samples
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    np.testing.assert_array_equal(tone.samples, before)


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
