"""Packed models: read as they were written, rounded a little, and refused where damaged."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_oracle import draw_sentences
from safetensors import safe_open
from safetensors.numpy import save_file

from asr.errors import ModelError
from asr.lm.counts import Ngrams
from asr.lm.kenlm import write_kenlm
from asr.lm.model import NgramModel
from asr.lm.packed import read_packed, write_packed
from asr.lm.perplexity import measure_perplexity
from asr.lm.prune import prune
from asr.lm.rounding import CODES, round_to_codes
from asr.lm.suffixes import with_suffixes
from asr.lm.text import close_vocabulary, number_words

Estimator = Any  # of the conftest, which cannot be imported


def assert_same(one: NgramModel, other: NgramModel, within: float) -> None:
    assert one.words == other.words
    for ours, theirs in zip(one.ngrams, other.ngrams, strict=True):
        assert (ours.prefix == theirs.prefix).all()
        assert (ours.word == theirs.word).all()
    pairs = zip([*one.log_probs, *one.backoffs], [*other.log_probs, *other.backoffs], strict=True)
    for mine, other_ in pairs:
        np.testing.assert_allclose(mine, other_, rtol=1e-6, atol=within)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("keep", [15, 10**6])
def test_a_small_model_is_read_back_to_float32(
    estimate_on: Estimator, tmp_path: Path, order: int, keep: int
) -> None:
    """Of so few n-grams that there is a code for every number."""
    whole = estimate_on(draw_sentences(30, seed=order, words="aäλ語"), order)
    model = with_suffixes(prune(whole.model, keep=keep, histories=whole.histories))
    write_packed(tmp_path / "lm.safetensors", model)
    assert_same(read_packed(tmp_path / "lm.safetensors"), model, 1e-6)


def test_what_pruning_left_out_of_the_suffixes_is_added(
    estimate_on: Estimator, tmp_path: Path
) -> None:
    whole = estimate_on(draw_sentences(100, seed=4), 4)
    pruned = prune(whole.model, keep=30, histories=whole.histories)
    write_packed(tmp_path / "lm.safetensors", pruned)
    closed = with_suffixes(pruned)
    assert len(closed) > len(pruned)
    assert_same(read_packed(tmp_path / "lm.safetensors"), closed, 1e-6)


def test_many_words_and_followers_take_several_bytes(
    estimate_on: Estimator, tmp_path: Path
) -> None:
    """70,000 words after one, in two lines; word numbers of three bytes."""
    words = [f"w{number}" for number in range(70_000)]
    lines = [" ".join(f"a {word}" for word in words[start::2]) for start in (0, 1)]
    model = estimate_on(lines, 2).model
    write_packed(tmp_path / "lm.safetensors", model)
    assert_same(read_packed(tmp_path / "lm.safetensors"), model, 0.06)


def test_rounding_moves_no_number_far_and_leaves_the_mean() -> None:
    values = np.random.default_rng(1).normal(-5, 2, 20_000)
    values[:100], values[100] = 0.0, -np.inf
    codes, codebook = round_to_codes(values)
    rounded = codebook[codes].astype(np.float64)
    assert len(codebook) <= CODES
    assert ((rounded == 0) == (values == 0)).all()
    assert (np.isneginf(rounded) == np.isneginf(values)).all()
    finite = np.isfinite(values)
    assert np.abs(rounded[finite] - values[finite]).max() < 0.1
    assert rounded[finite].mean() == pytest.approx(values[finite].mean(), abs=1e-6)
    again, same = round_to_codes(rounded)
    assert (same[again] == codebook[codes]).all(), "rounded once is rounded for good"
    wide = values * 100
    codes, codebook = round_to_codes(wide)
    assert len(codebook) <= CODES, "where a step of the usual width would need more codes"
    assert np.abs(codebook[codes][finite] - wide[finite]).max() < np.ptp(wide[finite]) / 250


def test_rounding_costs_next_to_no_perplexity(estimate_on: Estimator, tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    model = estimate_on(draw_sentences(3000, seed=1, words=letters, longest=20), 3).model
    assert len(np.unique(model.log_probs[2])) > CODES
    write_packed(tmp_path / "lm.safetensors", model)
    text, _ = close_vocabulary(
        *number_words(["\n".join([*draw_sentences(500, seed=2, words=letters, longest=20), ""])]),
        model.words,
    )
    before = measure_perplexity(model, text).all
    after = measure_perplexity(read_packed(tmp_path / "lm.safetensors"), text).all
    assert after == pytest.approx(before, rel=0.005)


def test_an_order_without_ngrams_is_none_the_less_an_order(
    estimate_on: Estimator, tmp_path: Path
) -> None:
    """As an ARPA file may have it: ngram 2=0."""
    model = estimate_on(["a b", "b a b"], 2).model
    nothing = np.zeros(0, dtype=np.int32)
    empty = NgramModel(
        model.words,
        [model.ngrams[0], Ngrams(nothing, nothing)],
        [model.log_probs[0], np.zeros(0)],
        model.backoffs,
    )
    write_packed(tmp_path / "lm.safetensors", empty)
    assert_same(read_packed(tmp_path / "lm.safetensors"), empty, 1e-6)
    write_kenlm(tmp_path / "lm", empty)


def test_equal_models_make_equal_files(estimate_on: Estimator, tmp_path: Path) -> None:
    model = estimate_on(draw_sentences(50, seed=1), 3).model
    for name in ("a", "b"):
        write_packed(tmp_path / name, model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_too_long_ngrams_are_refused_when_packed(estimate_on: Estimator, tmp_path: Path) -> None:
    model = estimate_on(["a b c d e f g"], 7).model
    with pytest.raises(
        ModelError, match=r"lm\.safetensors: n-grams of 7 words; .* at most 6: .* --order 6"
    ):
        write_packed(tmp_path / "lm.safetensors", model)
    assert not (tmp_path / "lm.safetensors").exists()


class TestDamage:
    @pytest.fixture
    def path(self, estimate_on: Estimator, tmp_path: Path) -> Path:
        write_packed(tmp_path / "lm.safetensors", estimate_on(["a b", "b a b"], 2).model)
        return tmp_path / "lm.safetensors"

    def change(self, path: Path, name: str, tensor: np.ndarray | None) -> None:
        with safe_open(path, framework="numpy") as file:
            tensors = {one: file.get_tensor(one) for one in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        assert name in tensors
        del tensors[name]
        if tensor is not None:
            tensors[name] = tensor
        save_file(tensors, path, metadata=metadata)

    def test_what_is_no_packed_model_is_named(self, path: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"none: not a packed n-gram model \(.*[Nn]o such"):
            read_packed(tmp_path / "none")
        (tmp_path / "a.arpa").write_text("\\data\\\n")
        with pytest.raises(ModelError, match=r"a\.arpa: not a packed n-gram model"):
            read_packed(tmp_path / "a.arpa")
        save_file({"counts": np.zeros(1)}, tmp_path / "other", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"other: .*of another format: {'format': 'pt'}"):
            read_packed(tmp_path / "other")

    def test_a_cut_or_changed_file_is_refused_or_read_as_a_model(self, path: Path) -> None:
        """Whatever bits fall over, there is no other error, and no endless work."""
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(ModelError):
                read_packed(path)
        chance = np.random.default_rng(1)
        for _ in range(600):
            content = bytearray(whole)
            content[int(chance.integers(len(content)))] ^= 1 << int(chance.integers(8))
            path.write_bytes(content)
            try:
                model = read_packed(path)
            except ModelError:
                continue
            assert all(one.word.max() < len(model.words) for one in model.ngrams)

    def packed(*numbers: int) -> np.ndarray:  # type: ignore[misc]  # makes the table below
        return np.frombuffer(zlib.compress(bytes(numbers)), dtype=np.uint8)

    @pytest.mark.parametrize(
        ("name", "tensor", "words"),
        [
            ("counts", None, "counts"),
            ("counts", np.array([5, 5], dtype=np.int32), "expected counts"),
            ("counts", np.array([5] * 7), "expected counts of 1 to 6 orders"),
            ("counts", np.array([5, 2**40]), "counts of"),
            ("counts", np.array([5, -1]), "counts of"),
            ("counts", np.array([6, 5]), "expected 6 different words"),
            ("counts", np.array([5, 4]), "2-grams in the place of 4"),
            ("words", np.frombuffer(zlib.compress(b"a\nb\nc"), dtype=np.uint8), "different words"),
            ("words", np.zeros(3, dtype=np.uint8), ""),
            ("words", np.zeros(3), "expected bytes"),
            ("2.followers", packed(0, 1, 1, 1, 1), "4 2-grams in the place of 5"),
            ("2.words", packed(9, 1, 4, 2, 1), "words that are not there"),
            ("2.words", packed(3, 0, 4, 2, 1), "there twice"),
            ("2.words", packed(*[0] * 50), "damaged, or more than"),
            ("2.words", packed(*[0] * 7), "7 bytes for 5 numbers"),
            ("2.words", packed(1, 2, 3)[:-2], "damaged"),
            ("2.log_probs", packed(0, 0, 0, 0, 255), "expected 5 codes"),
            ("2.log_probs", packed(0, 0), "expected 5 codes"),
            ("1.backoffs.codebook", np.zeros(9, dtype=np.float64), "expected a codebook"),
            ("1.backoffs.codebook", np.full(9, np.nan, dtype=np.float32), "no numbers"),
            ("1.backoffs.codebook", np.full(9, -np.inf, dtype=np.float32), "that is no number"),
            ("2.log_probs.codebook", np.full(9, 0.5, dtype=np.float32), "above 1"),
            ("2.log_probs.codebook", np.zeros(0, dtype=np.float32), "expected 5 codes of 0 values"),
            ("2.log_probs.codebook", None, "codebook"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, path: Path, name: str, tensor: np.ndarray | None, words: str
    ) -> None:
        self.change(path, name, tensor)
        with pytest.raises(ModelError, match=rf"lm\.safetensors: not a packed n-gram .*{words}"):
            read_packed(path)

    def test_a_stream_that_unpacks_to_gigabytes_fills_no_memory(self, path: Path) -> None:
        bomb = zlib.compressobj(9)
        stream = b"".join(bomb.compress(bytes(2**20)) for _ in range(2**11)) + bomb.flush()
        self.change(path, "2.words", np.frombuffer(stream, dtype=np.uint8))
        with pytest.raises(ModelError, match=r"2\.words: damaged, or more than"):
            read_packed(path)
