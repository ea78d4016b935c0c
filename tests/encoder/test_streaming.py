"""A one-way encoder fed piece by piece says what it says of the whole."""

import random

import pytest
import torch
from torch import Tensor

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.encoder.streaming import StreamingEncoder
from asr.errors import ConfigError


def make_encoder(**settings: object) -> Encoder:
    torch.manual_seed(1)
    chosen = {"hidden": 8, "layers": 2, "bidirectional": False, "channels": 4} | settings
    return Encoder(EncoderSettings.parse(chosen, "test"), inputs=12, tokens=5).eval()


def feed(encoder: Encoder, features: Tensor, sizes: list[int]) -> Tensor:
    streaming = StreamingEncoder(encoder)
    parts, start = [], 0
    for size in sizes:
        parts.append(streaming.add(features[None, start : start + size], last=False))
        start += size
    return torch.cat([*parts, streaming.add(features[None, start:], last=True)], dim=1)[0]


@pytest.mark.parametrize("cell", ["tanh", "relu", "gru", "lstm"])
@pytest.mark.parametrize(("subsampling", "factor"), [("stacking", 3), ("convolution", 4)])
def test_pieces_say_what_the_whole_says(cell: str, subsampling: str, factor: int) -> None:
    encoder = make_encoder(cell=cell, subsampling=subsampling, factor=factor, projection=6)
    features = torch.randn(311, 12)
    with torch.inference_mode():
        whole = encoder(features[None], torch.tensor([311])).log_probs[0]
    assert torch.allclose(feed(encoder, features, [100, 7, 0, 90]), whole, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 5, 6, 8])
@pytest.mark.parametrize("frames", [1, 2, 9, 79, 80, 81, 160, 200])
def test_every_length_and_factor(factor: int, frames: int) -> None:
    encoder = make_encoder(subsampling="convolution", factor=factor)
    features = torch.randn(frames, 12)
    with torch.inference_mode():
        whole = encoder(features[None], torch.tensor([frames])).log_probs[0]
    assert torch.allclose(feed(encoder, features, [3] * (frames // 4)), whole, atol=1e-5)


def test_the_size_of_the_pieces_changes_not_a_bit() -> None:
    encoder = make_encoder(subsampling="convolution", factor=4)
    features = torch.randn(500, 12)
    chance = random.Random(1)
    wanted = feed(encoder, features, [])
    for most in (1, 20, 300):
        sizes = [chance.randint(0, most) for _ in range(900 // (most + 1))]
        assert torch.equal(feed(encoder, features, sizes), wanted)


def test_a_piece_is_answered_before_the_next_one_comes() -> None:
    streaming = StreamingEncoder(make_encoder(subsampling="convolution", factor=4))
    answered = sum(streaming.add(torch.randn(1, 20, 12), last=False).shape[1] for _ in range(10))
    assert answered >= 200 // 4 - 20


def test_sequences_of_a_batch_are_heard_side_by_side() -> None:
    encoder = make_encoder(cell="gru", subsampling="convolution", factor=4)
    several = torch.randn(3, 130, 12)
    streaming = StreamingEncoder(encoder)
    parts = [streaming.add(several[:, :57], last=False), streaming.add(several[:, 57:], last=True)]
    for rows, features in zip(torch.cat(parts, dim=1), several, strict=True):
        assert torch.allclose(rows, feed(encoder, features, []), atol=1e-5)


def test_what_hears_backwards_cannot_be_fed_piece_by_piece() -> None:
    with pytest.raises(ConfigError, match=r"train with encoder.bidirectional=false"):
        StreamingEncoder(make_encoder(bidirectional=True))
