"""All sequences that compete with a target, against the sum over all paths."""

import math
from collections.abc import Sequence

import pytest
import torch
from ctc_oracle import all_paths, collapse, negative_log_likelihood
from torch import Tensor

from asr.dataset import Batch
from asr.encoder.encoder import Emissions
from asr.training.denominator import Denominator, token_trigrams

TRIGRAMS = token_trigrams([[1, 2, 1], [2, 2, 3], [3]], 4)


def random_log_probs(frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(frames, 4, generator=generator)).log_softmax(1)


def sum_of(log_probs: list[Tensor]) -> Tensor:
    padded = torch.nn.utils.rnn.pad_sequence(log_probs, batch_first=True, padding_value=7.0)
    lengths = torch.tensor([len(matrix) for matrix in log_probs])
    return Denominator(TRIGRAMS, torch.device("cpu"))(Emissions(padded, lengths))


def prior(sequence: Sequence[int]) -> float:
    said = (0, 0, *sequence, 0)
    return math.prod(
        float(TRIGRAMS[three]) for three in zip(said, said[1:], said[2:], strict=False)
    )


def by_all_paths(log_probs: Tensor) -> float:
    return math.log(
        math.fsum(
            math.exp(score) * prior(collapse(path)) for path, score in all_paths(log_probs.tolist())
        )
    )


def test_trigrams_are_those_of_the_text_smoothed() -> None:
    found = token_trigrams([[1, 2], [1, 1]], 3)
    assert found.sum(dim=2).flatten().tolist() == pytest.approx([1.0] * 9)
    # Of six tokens and ends (and three that smoothing adds) four are 1, two are 2, three the end;
    # 1 is followed by 2, 1 and the end, once each; at the start, by 1 and the end.
    after_one = [2 / 6, (1 + 3 * 4 / 9) / 6, (1 + 3 * 2 / 9) / 6]
    assert found[0, 1].tolist() == pytest.approx(
        [2 * after_one[0] / 4, (1 + 2 * after_one[1]) / 4, (1 + 2 * after_one[2]) / 4]
    )


def test_after_what_was_never_said_comes_what_the_last_token_is_followed_by() -> None:
    found = token_trigrams([[1]], 3)
    assert found[2, 2].tolist() == pytest.approx([2 / 5, 2 / 5, 1 / 5])
    assert found[1, 1].tolist() == pytest.approx([(1 + 2 / 5) / 2, 2 / 5 / 2, 1 / 5 / 2])


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_it_is_the_sum_over_all_paths_times_their_trigrams(frames: int) -> None:
    log_probs = random_log_probs(frames, seed=frames)
    assert sum_of([log_probs]).tolist() == pytest.approx([by_all_paths(log_probs)], rel=1e-5)


def test_in_a_padded_batch_it_is_what_it_is_alone() -> None:
    log_probs = [random_log_probs(frames, seed=frames) for frames in (4, 2, 6)]
    expected = [by_all_paths(matrix) for matrix in log_probs]
    assert sum_of(log_probs).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("target", [[1], [2, 2], [3, 1, 2], []], ids=str)
def test_a_posterior_loss_is_the_targets_share_of_all_sequences(target: list[int]) -> None:
    log_probs = random_log_probs(5, seed=3)
    batch = Batch(
        ids=("u",),
        features=torch.zeros(1, 1, 1),
        feature_lengths=torch.ones(1, dtype=torch.long),
        targets=torch.tensor([[*target, 3, 3]]),  # padded, with what must not count
        target_lengths=torch.tensor([len(target)]),
    )
    denominator = Denominator(TRIGRAMS, torch.device("cpu"))
    emissions = Emissions(log_probs[None], torch.tensor([5]))
    said = -negative_log_likelihood(log_probs.tolist(), target) + math.log(prior(target))
    expected = by_all_paths(log_probs) - said
    found = denominator.posterior_losses(emissions, batch).tolist()
    assert found == pytest.approx([expected], rel=1e-5)
    assert expected > 0


def test_hundreds_of_frames_leave_it_finite() -> None:
    log_probs = (30 * random_log_probs(2000, seed=1)).log_softmax(1).requires_grad_()
    found = sum_of([log_probs])
    found.sum().backward()
    assert found.isfinite().all()
    assert log_probs.grad is not None
    # The gradient is how often each token is expected in each frame.
    assert log_probs.grad.sum(dim=1) == pytest.approx(torch.ones(2000).tolist(), abs=1e-3)
