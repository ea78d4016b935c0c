"""Windows are joined without loss, where nothing is said."""

import pytest
import torch
from torch import Tensor

from asr.longform.stitching import Stitcher, best_cut


def rows(count: int, *, seed: int = 1) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)).log_softmax(1)


def join(stream: Tensor, starts: list[int], length: int) -> Tensor:
    stitcher = Stitcher()
    parts = []
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        window = stream[start:] if last else stream[start : start + length]
        parts.append(stitcher.add(start, window, last=last))
    return torch.cat(parts)


@pytest.mark.parametrize("overlap", [1, 2, 3, 4, 7, 20, 40])
def test_windows_that_agree_become_the_whole(overlap: int) -> None:
    stream = rows(400)
    starts = list(range(0, 400 - 80, 80 - overlap))
    assert torch.equal(join(stream, starts, 80), stream)


def test_one_window_is_what_it_is() -> None:
    stream = rows(30)
    assert torch.equal(join(stream, [0], 30), stream)


def test_the_cut_is_in_the_middle_of_a_pause() -> None:
    speech = torch.tensor([0.05, 0.95]).log().repeat(60, 1)
    pause = torch.tensor([0.95, 0.05]).log()
    before, after = speech.clone(), speech.clone()
    before[35:44] = pause
    after[35:44] = pause
    after[18:22] = pause  # only one of them hears nothing here
    assert best_cut(before, after) in range(37, 42)


def test_the_cut_keeps_away_from_the_ends_that_one_window_hears_badly() -> None:
    speech = torch.tensor([0.05, 0.95]).log().repeat(60, 1)
    speech[:14] = torch.tensor([0.95, 0.05]).log()
    assert 15 <= best_cut(speech, speech) <= 45


def test_each_side_of_the_cut_comes_from_the_window_that_heard_more_around_it() -> None:
    first, second = rows(60, seed=1), rows(60, seed=2)
    stitcher = Stitcher()
    stitcher.add(0, first, last=False)
    joined = stitcher.add(40, second, last=True)
    cut = next(frame for frame in range(40, 60) if not torch.equal(joined[frame], first[frame]))
    assert 40 + 5 <= cut <= 60 - 5
    assert torch.equal(joined[:cut], first[:cut])
    assert torch.equal(joined[cut:], second[cut - 40 :])
