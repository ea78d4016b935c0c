"""Reading text: packed or not, sentence by sentence; what is wrong is named by its line."""

import gzip
import io
import lzma
import sys
from collections import Counter
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.lm import text as text_module
from asr.lm.counts import Numbers, count_ngrams
from asr.lm.settings import NgramSettings
from asr.lm.text import close_vocabulary, most_frequent, number_words, read_lines
from asr.lm.training import text_rule, train_ngrams

SENTENCES = "the cat sat\non the mat\n\n  \nthe end\n"


def words_of(text: Numbers, words: list[str]) -> str:
    return " ".join(words[one] for one in text.tolist())


def read(*paths: Path) -> str:
    return "".join(read_lines(paths, lambda _: None))


def test_packed_text_is_read_like_plain_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SENTENCES)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(SENTENCES.encode()))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(SENTENCES.encode()))
    for name in ("a.txt", "a.txt.gz", "a.txt.xz"):
        assert read(tmp_path / name) == SENTENCES


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SENTENCES.encode())))
    assert read(Path("-")) == SENTENCES


def test_blocks_end_with_lines_whatever_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line has no end, a character has several bytes."""
    (tmp_path / "a.txt").write_text("grüße aus köln\nund bonn\nüber", encoding="utf-8")
    whole = read(tmp_path / "a.txt")
    for size in range(1, 20):
        monkeypatch.setattr(text_module, "_BLOCK", size)
        parts = list(read_lines([tmp_path / "a.txt"], lambda _: None))
        assert "".join(parts) == whole == "grüße aus köln\nund bonn\nüber\n"
        assert all(part.endswith("\n") for part in parts if part)


def test_progress_adds_up_to_the_size_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SENTENCES)
    (tmp_path / "b.xz").write_bytes(lzma.compress(SENTENCES.encode()))
    paths, read_ = [tmp_path / "a.txt", tmp_path / "b.xz"], list[int]()
    list(read_lines(paths, read_.append))
    assert sum(read_) == sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb \xff c\n", r"line 2: not UTF-8 \(byte 0xff\)"),
        (b"a\nb\nc </s> d\n", r"line 3: has </s> in it"),
        (b"<s> a\n", r"line 1: has <s> in it"),
    ],
)
def test_what_cannot_be_text_is_named_by_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.txt, {message}"):
        read(tmp_path / "a.txt")


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.xz").write_bytes(b"not packed at all")
    (tmp_path / "b.gz").write_bytes(gzip.compress(SENTENCES.encode())[:-10])
    for name in ("none.txt", "a.xz", "b.gz"):
        with pytest.raises(DataError, match=rf"{name}: cannot be read .*; expected text"):
            read(tmp_path / name)


def test_every_sentence_has_its_ends_and_empty_lines_are_none() -> None:
    text, words = number_words([SENTENCES[:12], SENTENCES[12:]])
    assert words_of(text, words) == ("<s> the cat sat </s> <s> on the mat </s> <s> the end </s>")
    assert words[:3] == ["<unk>", "<s>", "</s>"]
    assert len(number_words([])[0]) == len(number_words(["\n\n"])[0]) == 0


def test_a_closed_vocabulary_leaves_the_rest_unknown() -> None:
    text, words = number_words([SENTENCES])
    wanted = most_frequent(text, words, 2)
    assert wanted == ["the", "cat"], "of equals the first in the alphabet"
    closed, kept = close_vocabulary(text, words, ["mat", "dog", "the"])
    assert kept == ["<unk>", "<s>", "</s>", "mat", "dog", "the"]
    assert words_of(closed, kept).startswith("<s> the <unk> <unk> </s> <s> <unk> the mat </s>")


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngrams_are_counted_within_sentences(order: int) -> None:
    text, words = number_words(["a b a b a\nb\na b a\n"])
    found = count_ngrams(text, order, vocabulary=len(words))
    expected: Counter[tuple[str, ...]] = Counter()
    for sentence in (["a", "b", "a", "b", "a"], ["b"], ["a", "b", "a"]):
        whole = ["<s>", *sentence, "</s>"]
        expected.update(
            tuple(whole[start : start + order]) for start in range(len(whole) - order + 1)
        )
    grams: list[tuple[str, ...]] = [(word,) for word in words]
    for counted in found[1:]:
        pairs = zip(counted.ngrams.prefix.tolist(), counted.ngrams.word.tolist(), strict=True)
        grams = [(*grams[prefix], words[word]) for prefix, word in pairs]
    counts = dict(zip(grams, found[-1].counts.tolist(), strict=True))
    assert {gram: count for gram, count in counts.items() if count} == expected


def test_characters_take_the_place_of_words(tmp_path: Path) -> None:
    assert text_rule("basic", "characters")("It's a  CAT!\nno\n") == "i t ' s | a | c a t\nn o\n"
    (tmp_path / "a.txt").write_text(SENTENCES)
    settings = NgramSettings(order=2, unit="characters")
    assert {"|", "c", "a"} <= set(train_ngrams([tmp_path / "a.txt"], settings).model.words)


def test_text_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"a\.txt: no words in there"):
        train_ngrams([tmp_path / "a.txt"], NgramSettings())
