"""Evaluation during training: what is counted, against what, whatever the batches."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ctc_oracle import negative_log_likelihood
from synthetic_speech import RATE, write_utterances
from torch import Tensor, nn

from asr.batching import BatchSettings
from asr.dataset import FrontEnd, SpeechDataset
from asr.encoder.encoder import Emissions
from asr.features import FeatureExtractor, FeatureSettings
from asr.scoring.error_rate import ErrorCounts
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.distributed import World
from asr.training.evaluation import Evaluation, Sample, evaluate

TOKENS = Characters(" abc")
ALONE = World()


class Script(nn.Module):
    """Says what it is told to, recognising an utterance by its number of frames."""

    def __init__(self, paths: Mapping[int, str]) -> None:
        """Number of feature frames -> the best path, with '-' for the blank."""
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.paths = paths

    def forward(self, features: Tensor, lengths: Tensor) -> Emissions:
        paths = [self.paths[int(length)] for length in lengths]
        log_probs = torch.zeros(len(paths), max(map(len, paths)), len(TOKENS))
        for row, path in enumerate(paths):
            log_probs[row, : len(path)] = script(path)
        return Emissions(log_probs, torch.tensor([len(path) for path in paths]))


def script(path: str) -> Tensor:
    """Log-probabilities of which each frame prefers the token that the path names."""
    scores = torch.zeros(len(path), len(TOKENS))
    for frame, symbol in enumerate(path):
        scores[frame, 0 if symbol == "-" else TOKENS.encode(symbol)[0]] = 3.0
    return scores.log_softmax(1)


def run(
    folder: Path, spoken: Mapping[str, str], max_utterances: int = 8, world: World = ALONE
) -> Evaluation:
    """Evaluate transcript -> path, in which no two transcripts are equally long."""
    lengths = ["a" * (number + 2) for number in range(len(spoken))]
    utterances = [
        type(one)(**vars(one) | {"text": text})
        for one, text in zip(write_utterances(folder, lengths), spoken, strict=True)
    ]
    dataset = SpeechDataset(
        utterances,
        FrontEnd(FeatureExtractor(FeatureSettings(sample_rate=RATE, mels=8)), None),
        tokens=TOKENS,
        normalizer=Normalizer("basic"),
    )
    frames = [len(dataset.example(index, 0).features) for index in range(len(dataset))]
    return evaluate(
        Script(dict(zip(frames, spoken.values(), strict=True))),
        dataset,
        tokens=TOKENS,
        normalizer=Normalizer("basic"),
        batch=BatchSettings(max_utterances=max_utterances),
        world=world,
    )


SPOKEN = {
    "Ab, c!": "aab- -cc-",  # case and punctuation do not count: no error
    "a b c a": "a- -bb- -a-a-",  # "a b aa": one substituted, one deleted
    "cc": "c-a- cc",  # "ca c": one substituted, one inserted
}


def test_words_are_counted_against_the_normalised_text(tmp_path: Path) -> None:
    words = run(tmp_path, SPOKEN).words
    assert words == ErrorCounts(hits=4, substitutions=2, deletions=1, insertions=1)
    assert words.rate == pytest.approx(4 / 7)


def test_characters_are_counted_with_their_spaces(tmp_path: Path) -> None:
    characters = run(tmp_path, {"ab c": "abb - c", "aab": "a-ab", "c b": "c--"}).characters
    assert characters == ErrorCounts(hits=8, deletions=2)


def test_the_samples_are_the_utterances_as_said_and_as_recognised(tmp_path: Path) -> None:
    assert run(tmp_path, SPOKEN).samples == (
        Sample("utt-000", "ab c", "ab c"),
        Sample("utt-001", "a b c a", "a b aa"),
        Sample("utt-002", "cc", "ca c"),
    )


def test_five_samples_are_spread_over_a_larger_set(tmp_path: Path) -> None:
    spoken = {"a" * (number + 1): "a" for number in range(9)}
    names = [sample.id for sample in run(tmp_path, spoken).samples]
    assert names == ["utt-000", "utt-002", "utt-004", "utt-006", "utt-008"]


def test_the_emitted_ratio_counts_tokens_after_merging(tmp_path: Path) -> None:
    spoken = {"ab": "aab-", "ccc": "c-----", "b": "---", "c a": "c- -a-b"}
    assert run(tmp_path, spoken).emitted_ratio == pytest.approx((2 + 1 + 0 + 4) / 9)


def test_an_infinite_loss_is_named_and_left_out_of_the_mean(tmp_path: Path) -> None:
    spoken = {"ab": "a-b", "aa": "ab", "cab": "ccab"}  # "aa" needs three frames
    losses = [
        negative_log_likelihood(script(path).tolist(), TOKENS.encode(text))
        for text, path in spoken.items()
        if text != "aa"
    ]
    found = run(tmp_path, spoken)
    assert found.infinite == ("utt-001",)
    assert found.loss == pytest.approx(sum(losses) / 5, rel=1e-5)
    assert found.words.reference_length == 3, "its errors count"
    alone = run(tmp_path / "alone", {"aa": "ab"})
    assert alone.infinite == ("utt-000",)
    assert math.isnan(alone.loss), "no loss rather than a perfect one"


def test_the_share_of_blanks_leaves_padding_out(tmp_path: Path) -> None:
    blanks = sum(path.count("-") for path in SPOKEN.values())
    frames = sum(len(path) for path in SPOKEN.values())
    assert run(tmp_path, SPOKEN).blank_share == pytest.approx(blanks / frames)


def test_the_loss_is_per_target_token(tmp_path: Path) -> None:
    spoken = {"ab": "a-b", "ccc": "cc-c-c"}
    losses = [
        negative_log_likelihood(script(path).tolist(), TOKENS.encode(text))
        for text, path in spoken.items()
    ]
    assert run(tmp_path, spoken).loss == pytest.approx(sum(losses) / 5, rel=1e-5)


@pytest.mark.parametrize("max_utterances", [1, 2])
def test_batches_change_nothing(tmp_path: Path, max_utterances: int) -> None:
    together, apart = run(tmp_path, SPOKEN), run(tmp_path, SPOKEN, max_utterances)
    assert apart.loss == pytest.approx(together.loss, rel=1e-6)
    assert (apart.words, apart.characters) == (together.words, together.characters)
    assert apart.blank_share == together.blank_share


def test_processes_that_share_the_set_come_to_the_result_of_one(tmp_path: Path) -> None:
    shares: list[list[Any]] = []

    class Sharing(World):
        """Has only what the other processes have put down so far."""

        def gather(self, items: list[Any]) -> list[Any]:
            shares.append(items)
            return [item for share in shares for item in share]

    for rank in (2, 1):
        with pytest.raises(KeyError):  # some utterances are still with the others
            run(tmp_path, SPOKEN, max_utterances=1, world=Sharing(rank, 3))
    together = run(tmp_path, SPOKEN, max_utterances=1, world=Sharing(0, 3))
    assert together == run(tmp_path, SPOKEN, max_utterances=1)
    assert [len(share) for share in shares] == [1, 1, 1]
