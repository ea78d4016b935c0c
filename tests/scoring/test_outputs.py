from pathlib import Path
from typing import Any

import pytest

from asr.errors import DataError
from asr.scoring.outputs import write_ctm, write_pra, write_trn
from asr.scoring.sclite import CtmWord, read_ctm, read_trn
from asr.scoring.scored import ScoredSet, score_set
from asr.text import Normalizer

RULE = Normalizer("basic")


def scored(references: dict[str, str], hypotheses: dict[str, str]) -> ScoredSet:
    return score_set("hyp", references, hypotheses, normalizer=RULE)


def test_trn_files_have_what_was_compared(tmp_path: Path) -> None:
    one = scored({"jo-1": "The cat, sat.", "jo-2": "!"}, {"jo-1": "a cat", "jo-2": ""})
    write_trn(tmp_path / "ref.trn", one, reference=True)
    write_trn(tmp_path / "hyp.trn", one, reference=False)
    assert read_trn(tmp_path / "ref.trn") == {"jo-1": "the cat sat", "jo-2": ""}
    assert read_trn(tmp_path / "hyp.trn") == {"jo-1": "a cat", "jo-2": ""}


def test_ids_that_would_break_a_line_are_encoded(tmp_path: Path) -> None:
    write_trn(tmp_path / "a.trn", scored({"a (1)": "x"}, {"a (1)": "x"}), reference=True)
    assert (tmp_path / "a.trn").read_text() == "x (a%20%281%29)\n"


def test_alignments_stand_one_above_the_other(tmp_path: Path) -> None:
    one = scored({"a": "the cat sat", "b": "今天 x"}, {"a": "the bat sat down", "b": "今 x"})
    write_pra(tmp_path / "a.pra", one)
    assert (tmp_path / "a.pra").read_text(encoding="utf-8").splitlines() == [
        "id: (a)",
        "Scores: (#C #S #D #I) 2 1 0 1",
        "REF:  the cat sat ***",
        "HYP:  the bat sat down",
        "Eval:     S       I",
        "",
        "id: (b)",
        "Scores: (#C #S #D #I) 1 1 0 0",
        "REF:  今天 x",
        "HYP:  今   x",  # a character of CJK is two columns wide
        "Eval: S",
        "",
    ]


def test_ctm_words_are_normalised_and_keep_their_times(tmp_path: Path) -> None:
    one = scored({"a": "well-known cat"}, {"a": "Well-known cat."})
    attributes = {
        "a": {
            "words": [
                {"text": "Well-known", "start": 1.0, "end": 2.0, "confidence": 0.5},
                {"text": "-", "start": 2.0, "end": 2.1, "confidence": 0.5},
                {"text": "cat.", "start": 2.1, "end": 2.4},
            ]
        }
    }
    write_ctm(tmp_path / "a.ctm", one, attributes, normalizer=RULE)
    assert read_ctm(tmp_path / "a.ctm") == {
        ("a", "1"): [
            CtmWord("well", 1.0, 0.5, 0.5),
            CtmWord("known", 1.5, 0.5, 0.5),
            CtmWord("cat", 2.1, 0.3, None),
        ]
    }


def test_a_hypothesis_without_times_has_no_ctm(tmp_path: Path) -> None:
    one = scored({"a": "x", "b": ""}, {"a": "x", "b": ""})
    with pytest.raises(DataError, match=r"hyp: id 'a' has no key 'words' with times"):
        write_ctm(tmp_path / "a.ctm", one, {}, normalizer=RULE)
    words: dict[str, Any] = {"a": {"words": ["x"]}}
    with pytest.raises(DataError, match=r"id 'a': 'x' came in 'words'; expected objects"):
        write_ctm(tmp_path / "a.ctm", one, words, normalizer=RULE)
    number: dict[str, Any] = {"a": {"words": 5}}
    with pytest.raises(DataError, match=r"id 'a': key 'words': 5 came; expected a list"):
        write_ctm(tmp_path / "a.ctm", one, number, normalizer=RULE)
    assert not (tmp_path / "a.ctm").exists()
