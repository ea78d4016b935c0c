"""ARPA files: written, read back, and refused where they are damaged."""

import gzip
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_oracle import draw_sentences

from asr.errors import ModelError
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.model import NgramModel

Estimator = Any  # of the conftest, which cannot be imported

BY_HAND = """made by somebody

\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-0.5\ta\t-0.25
-99\t<s>\t-0.125
-1.5\t<unk>
-0.75\t</s>

\\2-grams:
-0.1 <s> a
-0.2\ta </s>

\\end\\
"""


def write(path: Path, model: NgramModel) -> Path:
    write_arpa(path, model, lambda _: None)
    return path


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_what_is_written_is_read_back(
    estimate_on: Estimator, tmp_path: Path, order: int, name: str
) -> None:
    model = estimate_on(draw_sentences(50, seed=3), order).model
    back = read_arpa(write(tmp_path / name, model))
    assert back.words == model.words
    for ours, theirs in zip(model.ngrams, back.ngrams, strict=True):
        assert (ours.prefix == theirs.prefix).all()
        assert (ours.word == theirs.word).all()
    for mine, other in zip(model.log_probs, back.log_probs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)
    for mine, other in zip(model.backoffs, back.backoffs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)


def test_a_written_file_has_the_form_of_the_format(estimate_on: Estimator, tmp_path: Path) -> None:
    text = write(tmp_path / "a.arpa", estimate_on(["a b", "b a b"], 2).model).read_text()
    head, *sections = re.split(r"\n\n(?=\\)", text)
    assert head == "\\data\\\nngram 1=5\nngram 2=5"
    assert [one.splitlines()[0] for one in sections] == ["\\1-grams:", "\\2-grams:", "\\end\\"]
    for line in sections[0].splitlines()[1:]:
        assert re.fullmatch(r"-?[\d.e-]+\t\S+\t-?[\d.e-]+", line)
    for line in sections[1].splitlines()[1:]:
        assert re.fullmatch(r"-?[\d.e-]+\t\S+ \S+", line)
    assert "-99\t<s>\t" in sections[0]


def test_equal_models_make_equal_files(estimate_on: Estimator, tmp_path: Path) -> None:
    model = estimate_on(["a b", "b a b"], 2).model
    first, second = (write(tmp_path / name, model).read_bytes() for name in ("a.gz", "b.gz"))
    assert first == second
    assert gzip.decompress(first).startswith(b"\\data\\")


def test_a_file_of_another_toolkit_is_read(tmp_path: Path) -> None:
    """Words in any order, spaces for tabs, no backoff where there is none."""
    path = tmp_path / "a.arpa"
    path.write_text(BY_HAND)
    model = read_arpa(path)
    a, begin, end, unknown = (model.words.index(one) for one in ("a", "<s>", "</s>", "<unk>"))
    scores = model.score(np.array([begin, a, end, begin, unknown, end], dtype=np.int32))
    base10 = [0, -0.1, -0.2, 0, -0.125 - 1.5, -0.75]
    assert scores.tolist() == pytest.approx([one * math.log(10) for one in base10])


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("\\data\\", "\\date\\", 17, "the file ends too early"),
        ("ngram 2=2", "ngram 3=2", 5, "expected 'ngram 2=' and a count, not 'ngram 3=2'"),
        ("-0.1 <s> a", "-0.1 <s> b", 14, "not '-0.1 <s> b'"),
        ("-0.1 <s> a", "x <s> a", 14, "not 'x <s> a'"),
        ("-0.1 <s> a", "-0.1 a", 14, "2 fields"),
        ("-0.1 <s> a", "nan <s> a", 14, "expected numbers, not nan"),
        ("-0.2\ta </s>", "-0.2\ta </s>\tnan", 15, "expected numbers, not nan"),
        ("-0.1 <s> a", "-0.1 a </s>", 15, "the same 2-gram twice"),
        ("\\2-grams:", "\\3-grams:", 13, r"expected \\2-grams:, not"),
        ("\\end\\", "", 17, "the file ends too early"),
        ("-0.2\ta </s>\n\n\\end\\\n", "", 14, "the file ends after 1 of 2 2-grams"),
    ],
)
def test_a_damaged_file_is_refused_by_its_line(
    tmp_path: Path, before: str, after: str, line: int, words: str
) -> None:
    path = tmp_path / "a.arpa"
    assert before in BY_HAND
    path.write_text(BY_HAND.replace(before, after))
    with pytest.raises(ModelError, match=rf"a\.arpa, line {line}: .*{words}"):
        read_arpa(path)


def test_longer_ngrams_without_the_shorter_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arpa"
    one = "\\1-grams:\n-1 <s> 0\n-1 </s>\n-1 a 0\n"
    head = "\\data\\\nngram 1=3\nngram 2=0\nngram 3=1\n\n"
    path.write_text(f"{head}{one}\n\\2-grams:\n\n\\3-grams:\n-1 <s> a </s>\n\n\\end\\\n")
    with pytest.raises(ModelError, match=r"a 3-gram .* begins with a 2-gram that is not in the"):
        read_arpa(path)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.arpa: cannot be read \(.*No such file"):
        read_arpa(tmp_path / "none.arpa")
    (tmp_path / "a.arpa.gz").write_bytes(gzip.compress(BY_HAND.encode())[:-20])
    with pytest.raises(ModelError, match=r"a\.arpa\.gz: cannot be read .*; expected an ARPA file"):
        read_arpa(tmp_path / "a.arpa.gz")
