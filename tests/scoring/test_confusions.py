from pathlib import Path
from typing import Any

import pytest

from asr.errors import DataError
from asr.scoring.analysis import read_vocabulary
from asr.scoring.confusions import WrongWord, count_confusions, split_by_vocabulary
from asr.scoring.error_rate import ErrorCounts, align_words
from asr.scoring.oracle import oracle_errors, read_nbest
from asr.text import Normalizer

ALIGNMENTS = [
    align_words("the cat sat", "the hat sat"),
    align_words("a cat sat", "a hat"),
    align_words("cat", "cat um"),
    align_words("the old dog", "old dog um"),
]


def test_errors_are_counted_by_word_the_most_frequent_first() -> None:
    found = count_confusions(ALIGNMENTS)
    assert found.substitutions == [(("cat", "hat"), 2)]
    assert found.deletions == [("sat", 1), ("the", 1)]
    assert found.insertions == [("um", 2)]
    assert found.words == [
        WrongWord("cat", 2, 3),
        WrongWord("sat", 1, 2),
        WrongWord("the", 1, 2),
    ]
    assert found.words[0].rate == pytest.approx(2 / 3)


def test_confusions_add_up_to_the_errors() -> None:
    found = count_confusions(ALIGNMENTS)
    errors = sum(alignment.counts.errors for alignment in ALIGNMENTS)
    assert errors == sum(
        times
        for listed in (found.substitutions, found.deletions, found.insertions)
        for _, times in listed
    )
    assert found.to_json()["substitutions"] == [{"said": "cat", "heard": "hat", "times": 2}]


def test_no_errors_give_empty_lists() -> None:
    found = count_confusions([align_words("a", "a")])
    assert found.to_json() == {"substitutions": [], "deletions": [], "insertions": [], "words": []}


def test_words_in_and_out_of_a_vocabulary_are_told_apart() -> None:
    split = split_by_vocabulary(ALIGNMENTS, {"the", "sat", "um"})
    # In it: the the sat sat, of which one "the" and one "sat" were missed; insertions aside.
    assert split.to_json() == {"inside": 4, "inside_wrong": 2, "outside": 6, "outside_wrong": 2}


def test_a_vocabulary_is_a_word_a_line_whatever_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("The 12\nCAT  K AE T\n", encoding="utf-8")
    assert read_vocabulary(path, Normalizer("basic")) == {"the", "cat"}
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"words.txt: there are no words in it"):
        read_vocabulary(path, Normalizer("basic"))


def test_the_oracle_takes_the_best_of_each_list() -> None:
    errors = oracle_errors(
        {"a": "One two", "b": "three", "c": "four"},
        {"a": "won too", "b": "three", "c": "for"},
        {"a": ["won two", "one, two!", "one"], "b": ["tree"]},
        normalizer=Normalizer("basic"),
    )
    assert errors == ErrorCounts(hits=3, substitutions=1)


def test_lists_have_texts_or_objects_with_a_text() -> None:
    attributes: dict[str, dict[str, Any]] = {
        "a": {"nbest": ["x", {"text": "y", "score": -1.0}]},
        "b": {},
    }
    assert read_nbest(attributes, "hyp") == {"a": ["x", "y"]}


@pytest.mark.parametrize("nbest", ["x", [1], [{"score": 1.0}]])
def test_other_lists_are_refused(nbest: object) -> None:
    with pytest.raises(DataError, match=r"hyp, id 'a': key 'nbest': .* came; expected"):
        read_nbest({"a": {"nbest": nbest}}, "hyp")
