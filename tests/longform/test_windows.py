"""Windows overlap, lie on the encoder's frames, and do not depend on how samples arrive."""

from collections.abc import Iterator

import numpy as np
import pytest

from asr.features import FeatureSettings
from asr.longform.windows import Samples, Window, WindowPlan, WindowSettings

FEATURES = FeatureSettings(sample_rate=8000, mels=24)
PLAN = WindowPlan.make(WindowSettings(seconds=4, overlap=1), FEATURES, factor=3)


def recording(seconds: float) -> Samples:
    samples: Samples = np.arange(round(8000 * seconds), dtype=np.float32)
    return samples


def cut(samples: Samples, block: int) -> list[Window]:
    return list(PLAN.cut(samples[at : at + block] for at in range(0, len(samples), block)))


@pytest.mark.parametrize("seconds", [0.1, 3.0, 4.0, 5.9, 6.1, 9.0, 30.3])
@pytest.mark.parametrize("block", [77, 8000, 10**9])
def test_every_sample_is_heard_in_its_place(seconds: float, block: int) -> None:
    samples = recording(seconds)
    windows = cut(samples, block)
    reached = 0
    for window in windows:
        start = window.start * PLAN.frame
        assert start <= reached, "no gap"
        assert np.array_equal(window.samples, samples[start : start + len(window.samples)])
        reached = start + len(window.samples)
    assert reached == len(samples)
    assert [window.last for window in windows] == [False] * (len(windows) - 1) + [True]


def test_blocks_of_any_size_give_the_same_windows() -> None:
    samples = recording(25.7)
    wanted = [(window.start, len(window.samples)) for window in cut(samples, 10**9)]
    assert len(wanted) > 6
    for block in (1000, 31111):
        assert [(one.start, len(one.samples)) for one in cut(samples, block)] == wanted


def test_neighbours_share_the_overlap_in_whole_frames() -> None:
    first, second, *_ = cut(recording(20), 10**9)
    frames = FEATURES.frames(len(first.samples))
    assert frames % 3 == 0
    seconds = (frames // 3 - (second.start - first.start)) * PLAN.frame / 8000
    assert seconds == pytest.approx(1.0, abs=0.03)


def test_a_recording_of_a_window_and_a_half_is_heard_as_a_whole() -> None:
    assert len(cut(recording(5.9), 4000)) == 1
    assert len(cut(recording(6.2), 4000)) == 2


def test_no_window_is_a_mere_rest() -> None:
    for seconds in np.arange(4, 14, 0.37):
        assert all(len(one.samples) >= 2 * 8000 for one in cut(recording(float(seconds)), 4000))


def test_no_more_is_held_than_a_window_and_a_half() -> None:
    read = 0

    def endless() -> Iterator[Samples]:
        nonlocal read
        while True:
            read += 8000
            yield np.zeros(8000, np.float32)

    for number, window in enumerate(PLAN.cut(endless())):
        assert read - window.start * PLAN.frame <= 1.5 * PLAN.length + 8000
        if number == 50:
            break
