"""The CTC loss against the sum over all paths, and the targets it is refused for."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ctc_oracle import negative_log_likelihood
from synthetic_speech import write_utterances
from torch import Tensor
from torch.overrides import TorchFunctionMode

from asr.augment.settings import AugmentSettings
from asr.dataset import Batch, FrontEnd, SpeechDataset
from asr.encoder.encoder import Emissions, Encoder, EncoderSettings
from asr.errors import DataError
from asr.features import FeatureExtractor, FeatureSettings
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.loss import ctc_losses, refuse_infeasible, smoothing_losses


def random_log_probs(frames: int, tokens: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(frames, tokens, generator=generator)).log_softmax(1)


def losses_of(log_probs: list[Tensor], targets: list[list[int]]) -> list[float]:
    """Losses of utterances of any lengths, in one padded batch."""
    padded = torch.nn.utils.rnn.pad_sequence(log_probs, batch_first=True, padding_value=7.0)
    lists = [torch.tensor(target, dtype=torch.long) for target in targets]
    batch = Batch(
        ids=tuple(f"u{number}" for number in range(len(targets))),
        features=torch.zeros(len(targets), 1, 1),
        feature_lengths=torch.ones(len(targets), dtype=torch.long),
        targets=torch.nn.utils.rnn.pad_sequence(lists, batch_first=True),
        target_lengths=torch.tensor([len(target) for target in targets]),
    )
    lengths = torch.tensor([len(matrix) for matrix in log_probs])
    return ctc_losses(Emissions(padded, lengths), batch).tolist()


@pytest.mark.parametrize("target", [[1], [1, 2], [2, 1, 2], [1, 1], [1, 1, 2], []], ids=str)
@pytest.mark.parametrize("frames", [3, 5])
def test_the_loss_is_minus_the_log_of_the_sum_over_all_paths(
    target: list[int], frames: int
) -> None:
    log_probs = random_log_probs(frames, 3, seed=frames)
    expected = negative_log_likelihood(log_probs.tolist(), target)
    assert losses_of([log_probs], [target]) == pytest.approx([expected], rel=1e-5)


def test_a_loss_in_a_padded_batch_is_the_loss_alone() -> None:
    log_probs = [random_log_probs(frames, 4, seed=frames) for frames in (3, 6, 5)]
    targets = [[3], [1, 2, 3], [2, 2]]
    expected = [
        negative_log_likelihood(matrix.tolist(), target)
        for matrix, target in zip(log_probs, targets, strict=True)
    ]
    assert losses_of(log_probs, targets) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("target", "frames"), [([1, 2, 1], 2), ([1, 1], 2), ([2, 2, 2], 4)], ids=str
)
def test_a_target_that_does_not_fit_into_its_frames_has_an_infinite_loss(
    target: list[int], frames: int
) -> None:
    log_probs = random_log_probs(frames, 3, seed=1)
    assert negative_log_likelihood(log_probs.tolist(), target) == math.inf
    assert losses_of([log_probs], [target]) == [math.inf]


def test_a_target_with_just_enough_frames_has_one_path() -> None:
    log_probs = random_log_probs(5, 3, seed=2)
    only_path = sum(float(log_probs[frame, token]) for frame, token in enumerate([2, 0, 2, 0, 2]))
    assert losses_of([log_probs], [[2, 2, 2]]) == pytest.approx([-only_path], rel=1e-5)


class OnMps(Tensor):
    """A tensor that says it is on an Apple GPU."""


class PretendMps(TorchFunctionMode):
    """Moves tensors to mps and back, in name only; CTC is not implemented there."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        there = any(isinstance(argument, OnMps) for argument in args)
        if func == Tensor.device.__get__ and there:  # type: ignore[attr-defined]
            return torch.device("mps")
        if func is Tensor.to and isinstance(args[1], torch.device):
            return args[0].as_subclass(OnMps if args[1].type == "mps" else Tensor)
        if func is torch.nn.functional.ctc_loss and there:
            raise NotImplementedError("aten::_ctc_loss is not implemented for the MPS device")
        return func(*args, **(kwargs or {}))


def test_on_a_device_without_ctc_the_loss_is_computed_on_the_cpu() -> None:
    log_probs = random_log_probs(5, 3, seed=3)[None].requires_grad_()
    targets, lengths = torch.tensor([[1, 2]]), torch.tensor([5])
    batch = Batch(("u",), torch.zeros(1, 1, 1), lengths, targets, torch.tensor([2]))
    expected = ctc_losses(Emissions(log_probs, lengths), batch)
    (gradient,) = torch.autograd.grad(expected.sum(), log_probs)
    with PretendMps():
        mps = torch.device("mps")
        with pytest.raises(NotImplementedError):
            torch.nn.functional.ctc_loss(log_probs[0].to(mps), targets[0], (5,), (2,))
        found = ctc_losses(Emissions(log_probs.to(mps), lengths.to(mps)), batch)
        assert found.device.type == "mps", "where the model is"
    (came,) = torch.autograd.grad(found.sum(), log_probs)
    assert torch.equal(came, gradient)
    assert torch.equal(found.as_subclass(Tensor), expected)


def make_dataset(folder: Path, texts: list[str], fastest: float) -> SpeechDataset:
    """Utterances that last as long as "ab" does, whatever their transcript is."""
    utterances = write_utterances(folder, ["ab"] * len(texts))
    return SpeechDataset(
        [
            type(one)(**vars(one) | {"text": text})
            for one, text in zip(utterances, texts, strict=True)
        ],
        FrontEnd(FeatureExtractor(FeatureSettings(sample_rate=8000, mels=8)), None),
        tokens=Characters("ab"),
        normalizer=Normalizer("basic"),
        augment=AugmentSettings(speeds=(1.0, fastest)),
    )


def test_infeasible_targets_are_refused_by_name_with_their_numbers(tmp_path: Path) -> None:
    encoder = Encoder(EncoderSettings(hidden=4, layers=1, factor=4), inputs=8, tokens=3)
    dataset = make_dataset(tmp_path, ["ab", "a" * 30, "ab" * 20], fastest=1.0)
    with pytest.raises(DataError, match="2 utterances have more tokens than encoder") as raised:
        refuse_infeasible(dataset, encoder)
    assert re.search(r"utt-001 \(.*utt-001.wav: 59 frames needed, \d there\)", str(raised.value))
    assert "utt-002" in str(raised.value)
    assert "utt-000" not in str(raised.value)


def test_what_fits_only_at_the_slower_speed_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(EncoderSettings(hidden=4, layers=1, factor=4), inputs=8, tokens=3)
    fits = make_dataset(tmp_path, ["ababab"], fastest=1.0)
    refuse_infeasible(fits, encoder)
    with pytest.raises(DataError, match="utt-000"):
        refuse_infeasible(make_dataset(tmp_path, ["ababab"], fastest=2.0), encoder)


class TestSmoothing:
    """KL(uniform || p), frame by frame."""

    def test_it_is_the_divergence_that_torch_computes(self) -> None:
        log_probs = random_log_probs(5, 4, seed=2)
        uniform = torch.full((5, 4), 0.25)
        expected = torch.nn.functional.kl_div(log_probs, uniform, reduction="sum")
        found = smoothing_losses(Emissions(log_probs[None], torch.tensor([5])))
        assert found.tolist() == pytest.approx([float(expected)], rel=1e-5)

    def test_padding_adds_nothing(self) -> None:
        rows = [random_log_probs(frames, 4, seed=frames) for frames in (3, 6)]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-7.0)
        together = smoothing_losses(Emissions(padded, torch.tensor([3, 6])))
        alone = [
            float(smoothing_losses(Emissions(one[None], torch.tensor([len(one)])))) for one in rows
        ]
        assert together.tolist() == pytest.approx(alone)

    def test_equally_probable_tokens_cost_nothing(self) -> None:
        rows = torch.zeros(1, 3, 5).log_softmax(2)
        assert float(smoothing_losses(Emissions(rows, torch.tensor([3])))) == pytest.approx(0)
