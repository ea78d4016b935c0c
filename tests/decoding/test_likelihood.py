"""The sum over all paths of many texts at once, against torch's CTC loss of each alone."""

import pytest
import torch

from asr.decoding.likelihood import log_likelihoods


@pytest.mark.parametrize(
    ("frames", "tokens", "longest", "sharpness"), [(40, 9, 15, 3), (7, 3, 6, 1), (300, 30, 90, 8)]
)
def test_all_paths_of_each_sequence_are_added_up(
    frames: int, tokens: int, longest: int, sharpness: float
) -> None:
    """Also of those too long for the frames, and where most paths are very improbable."""
    generator = torch.Generator().manual_seed(frames)
    rows = (sharpness * torch.randn(frames, tokens, generator=generator)).log_softmax(1)
    lengths = torch.randint(0, longest + 1, (50,), generator=generator).tolist()
    sequences = [
        torch.randint(1, tokens, (length,), generator=generator).tolist() for length in lengths
    ]
    expected = [
        -torch.nn.functional.ctc_loss(
            rows.double()[:, None],
            torch.tensor([one], dtype=torch.long),
            torch.tensor([frames]),
            torch.tensor([len(one)]),
            reduction="none",
        ).item()
        for one in sequences
    ]
    assert log_likelihoods(rows, sequences) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_nothing_is_said_by_blanks_alone() -> None:
    rows = torch.tensor([[-0.5, -1.0], [-0.25, -2.0]])
    (found,) = log_likelihoods(rows, [[]])
    assert found == pytest.approx(-0.75)
    assert log_likelihoods(rows, []) == []
    assert log_likelihoods(rows, [[1, 1]]) == [-float("inf")]
