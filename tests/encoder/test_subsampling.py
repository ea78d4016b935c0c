import pytest
import torch
from torch import Tensor, nn

from asr.encoder.subsampling import Convolution, Stacking, prime_factors, subsampled

FEATURES = 7
FACTORS = range(1, 9)
EVERY_KIND = pytest.mark.parametrize("kind", [Stacking, Convolution])
EVERY_FACTOR = pytest.mark.parametrize("factor", FACTORS)


def make(kind: type[nn.Module], factor: int) -> nn.Module:
    torch.manual_seed(1)
    return Stacking(FEATURES, factor) if kind is Stacking else Convolution(FEATURES, factor, 4)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def test_stacking_joins_neighbours_and_fills_up_with_zeros() -> None:
    features = torch.tensor([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
    stacked, lengths = Stacking(2, 2)(features, torch.tensor([3]))
    assert stacked.tolist() == [[[1.0, 10.0, 2.0, 20.0], [3.0, 30.0, 0.0, 0.0]]]
    assert lengths.tolist() == [2]


def test_a_convolution_is_torchs_own_on_each_utterance_alone() -> None:
    layer, features = make(Convolution, 6), randn(3, 20, FEATURES)
    lengths = torch.tensor([13, 20, 6])
    outputs, output_lengths = layer(features, lengths)
    for row, length in enumerate(lengths.tolist()):
        maps = features[row, :length][None, None]
        for convolution in layer.layers:
            maps = convolution(maps).clamp(min=0)
        expected = maps[0].permute(1, 0, 2).flatten(1)
        assert len(expected) == output_lengths[row]
        torch.testing.assert_close(
            outputs[row, : len(expected)], expected.detach(), rtol=0, atol=1e-6
        )


@EVERY_KIND
@EVERY_FACTOR
def test_lengths_are_the_quotient_rounded_up_for_any_number_of_frames(
    kind: type[nn.Module], factor: int
) -> None:
    layer = make(kind, factor)
    for frames in (*range(1, 40), 997):
        outputs, lengths = layer(randn(1, frames, FEATURES), torch.tensor([frames]))
        expected = (frames + factor - 1) // factor
        assert outputs.shape == (1, expected, layer.outputs)
        assert lengths.tolist() == [subsampled(frames, factor)] == [expected]


@EVERY_KIND
@EVERY_FACTOR
def test_every_frame_is_heard(kind: type[nn.Module], factor: int) -> None:
    features = randn(1, 23, FEATURES).requires_grad_()
    outputs, _ = make(kind, factor)(features, torch.tensor([23]))
    outputs.square().sum().backward()
    assert bool((features.grad.abs().sum(dim=2) > 0).all())


@EVERY_KIND
@EVERY_FACTOR
@pytest.mark.parametrize("garbage", [1e6, float("nan"), float("inf")])
def test_padding_counts_as_zeros_whatever_stands_in_it(
    kind: type[nn.Module], factor: int, garbage: float
) -> None:
    layer, lengths = make(kind, factor), torch.tensor([9, 17])
    zeros = randn(2, 17, FEATURES)
    zeros[0, 9:] = 0.0
    dirty = zeros.clone()
    dirty[0, 9:] = garbage
    assert torch.equal(layer(zeros, lengths)[0], layer(dirty, lengths)[0])


def test_prime_factors_multiply_to_the_number() -> None:
    assert [prime_factors(number) for number in FACTORS] == [
        [],
        [2],
        [3],
        [2, 2],
        [5],
        [2, 3],
        [7],
        [2, 2, 2],
    ]
