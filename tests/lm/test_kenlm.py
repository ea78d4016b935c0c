"""KenLM's binary files: it reads ours, and says what it says of the same model as ARPA."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary
from lm_oracle import draw_sentences

from asr.lm.arpa import write_arpa
from asr.lm.kenlm import MOST_WORDS, place, write_kenlm
from asr.lm.model import NgramModel
from asr.lm.prune import prune
from asr.lm.suffixes import with_suffixes
from asr.lm.text import SPECIAL, close_vocabulary, number_words

Estimator = Any  # of the conftest, which cannot be imported

LETTERS = "abcdefgäλ語🙂"
TESTED = [*draw_sentences(150, seed=9, words=LETTERS), "a zzz b", "zzz zzz", "語", "<s> a </s> b"]


def say(path: Path, sentences: Sequence[str], words: Sequence[str]) -> list[float]:
    """What KenLM makes of each word and sentence end, as logarithms to base 10."""
    names = Dictionary([*words, "<unk>"])
    model, scores = KenLM(str(path), names), []
    for sentence in sentences:
        state = model.start(False)
        for word in sentence.split():
            number = names.get_index(word if names.contains(word) else "<unk>")
            state, score = model.score(state, number)
            scores.append(score)
        scores.append(model.finish(state)[1])
    return scores


def by_definition(model: NgramModel, sentences: Sequence[str]) -> list[float]:
    text, _ = close_vocabulary(*number_words(["\n".join([*sentences, ""])]), model.words)
    return (model.score(text)[text != 1] / np.log(10)).tolist()


@pytest.mark.parametrize("order", range(2, MOST_WORDS + 1))
@pytest.mark.parametrize("keep", [None, 60, 25])
def test_kenlm_says_of_a_binary_file_what_it_says_of_the_arpa_file(
    estimate_on: Estimator, tmp_path: Path, order: int, keep: int | None
) -> None:
    """An ARPA file with the suffixes, without many of which KenLM refuses one."""
    whole = estimate_on(draw_sentences(80, seed=order, words=LETTERS), order)
    pruned = whole.model
    if keep is not None:
        pruned = prune(whole.model, keep=keep, histories=whole.histories)
    model = with_suffixes(pruned)
    write_kenlm(tmp_path / "lm", model)
    write_arpa(tmp_path / "lm.arpa", model, lambda _: None)
    words = model.words[len(SPECIAL) :]
    found = say(tmp_path / "lm", TESTED, words)
    assert found == pytest.approx(say(tmp_path / "lm.arpa", TESTED, words), abs=1e-6)
    plain = [sentence for sentence in TESTED if "<s>" not in sentence]
    assert say(tmp_path / "lm", plain, words) == pytest.approx(
        by_definition(pruned, plain), abs=1e-5
    )


def test_a_model_of_words_alone_is_read_though_kenlm_has_no_order_1(
    estimate_on: Estimator, tmp_path: Path
) -> None:
    model = estimate_on(draw_sentences(30, seed=1), 1).model
    write_kenlm(tmp_path / "lm", model)
    sentences = ["a b f", "a zzz", "f"]
    expected = by_definition(model, sentences)
    assert say(tmp_path / "lm", sentences, list("abcdef")) == pytest.approx(expected, abs=1e-6)


def test_the_table_of_words_holds_each_of_very_many(tmp_path: Path) -> None:
    """All different words of 20,000, of 1 to 20 letters, have their own probability."""
    chance = np.random.default_rng(1)
    drawn = {"".join(chance.choice(list("aé語"), chance.integers(1, 21))) for _ in range(20_000)}
    words = sorted(drawn)
    model = _unigrams(words, -1 - np.arange(len(words)) / 100)
    write_kenlm(tmp_path / "lm", model)
    known = KenLM(str(tmp_path / "lm"), names := Dictionary(words))
    start = known.start(True)
    found = [known.score(start, names.get_index(word))[1] for word in words]
    assert found == pytest.approx((model.log_probs[0][len(SPECIAL) :] / np.log(10)).tolist())


def test_more_words_than_kenlm_was_compiled_for_are_refused_by_it(
    estimate_on: Estimator, tmp_path: Path
) -> None:
    """What MOST_WORDS says is what is installed."""
    model = estimate_on(["a b c d e f g h"], MOST_WORDS + 1).model
    assert model.order == MOST_WORDS + 1
    write_kenlm(tmp_path / "lm", with_suffixes(model))
    with pytest.raises(RuntimeError, match=f"supports? up to {MOST_WORDS}"):
        KenLM(str(tmp_path / "lm"), Dictionary(["a"]))


def test_the_header_is_that_of_the_format(estimate_on: Estimator, tmp_path: Path) -> None:
    model = estimate_on(["a b", "b a b"], 2).model
    write_kenlm(tmp_path / "lm", model)
    content = (tmp_path / "lm").read_bytes()
    assert content.startswith(b"mmap lm http://kheafield.com/code format version 5\n\0")
    assert struct.unpack_from("<3f3IQ", content, 56) == (0, 1, -0.5, 1, 2**32 - 1, 0, 1)
    assert struct.unpack_from("<B3xfII I QQ", content, 88) == (2, 1.5, 0, 0, 0, 5, 5)


@pytest.mark.parametrize("seed", range(200))
def test_keys_lie_where_linear_probing_finds_them(seed: int) -> None:
    """Every key is found from its bucket without an empty one on the way, round the end as well."""
    chance = np.random.default_rng(seed)
    buckets = int(chance.integers(2, 40))
    count = int(chance.integers(0, buckets))
    # Most of them want one of the last buckets.
    keys = chance.choice(np.arange(1, 10**6), count, replace=False).astype(np.uint64)
    if seed % 2:
        keys = keys // np.uint64(buckets) * np.uint64(buckets) + np.uint64(buckets - 1 - seed % 3)
        keys = np.unique(keys)
    places, by = place(keys, buckets)
    assert sorted(by.tolist()) == list(range(len(keys)))
    assert len(set(places.tolist())) == len(keys)
    table = [0] * buckets
    for bucket, number in zip(places.tolist(), by.tolist(), strict=True):
        table[bucket] = int(keys[number])
    for key in keys.tolist():
        bucket = key % buckets
        while table[bucket] != key:
            assert table[bucket] != 0, "an empty bucket ends the search"
            bucket = (bucket + 1) % buckets


def _unigrams(words: Sequence[str], log_probs: np.ndarray) -> NgramModel:
    from asr.lm.counts import Ngrams

    everything = [*SPECIAL, *words]
    numbers = np.arange(len(everything), dtype=np.int32)
    first = np.array([-1.0, -np.inf, -1.0])
    probs = np.concatenate([first, log_probs])
    return NgramModel(everything, [Ngrams(np.zeros_like(numbers), numbers)], [probs], [])
