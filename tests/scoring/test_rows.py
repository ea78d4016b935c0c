from typing import Any

import pytest

from asr.scoring.rows import choose_utterances, utterance_columns, word_confidences
from asr.scoring.scored import ScoredSet, score_set
from asr.text import Normalizer

BASIC = Normalizer("basic")


def score(*pairs: tuple[str, str]) -> ScoredSet:
    """Utterances u0, u1, …, of (said, heard)."""
    return score_set(
        "dev",
        {f"u{number}": said for number, (said, _) in enumerate(pairs)},
        {f"u{number}": heard for number, (_, heard) in enumerate(pairs)},
        normalizer=BASIC,
    )


def word(text: str, confidence: float | None = 0.5) -> dict[str, Any]:
    return {"text": text, "start": 0.0, "end": 1.0, "confidence": confidence}


def test_columns_hold_both_sides_and_the_edits_between_them() -> None:
    scored = score(("One two.", "one two"), ("three four", "four five"), ("a b", "a c b"))
    columns = utterance_columns(scored, {}, {}, {})
    assert columns["said"] == ["one two", "three four", "a b"]
    assert columns["heard"] == [None, "four five", "a c b"]
    assert columns["edits"][0] == "=="
    assert columns["edits"][2] == "=I="
    for said, heard, edits in zip(columns["said"], columns["heard"], columns["edits"], strict=True):
        assert len(edits) - edits.count("I") == len(said.split())
        assert len(edits) - edits.count("D") == len((heard or said).split())


@pytest.mark.parametrize(
    ("recordings", "start"),
    [
        (["../audio/a.wav#t=0,1", "../audio/ab.wav#t=0,1"], "../audio/a"),
        (["x.wav", "y.wav"], ""),
        (["same.wav", "same.wav"], "same.wav"),
    ],
)
def test_what_addresses_begin_with_is_written_once(recordings: list[str], start: str) -> None:
    scored = score(("a", "a"), ("b", "b"))
    addresses = dict(zip(("u0", "u1"), recordings, strict=True))
    columns = utterance_columns(scored, {}, addresses, {"u1": 1.234})
    assert columns["start"] == start
    assert [start + rest for rest in columns["recording"]] == recordings
    assert columns["seconds"] == [None, 1.23]


def test_without_recordings_there_are_none() -> None:
    assert utterance_columns(score(("a", "a")), {}, {}, {})["recording"] == [None]


def test_confidences_are_those_of_the_words_that_are_scored() -> None:
    scored = score(("it s two", "It-s two"), ("a", "a"), ("b", "b"), ("c", ""))
    attributes = {
        "u0": {"words": [word("It-s", 0.25), word("two", 0.75)]},
        "u1": {"words": [word("other")]},  # not the words of the text
        "u2": {"words": [word("b", None)]},  # as a ctm without confidences has them
        "u3": {"words": []},
    }
    parts = len(BASIC("It-s").split())
    found = word_confidences(scored, attributes, BASIC)
    assert found == {"u0": [0.25] * parts + [0.75]}


@pytest.mark.parametrize("words", ["text", [3], [{"confidence": 1}], [{"text": 1}]])
def test_words_that_are_none_are_left_out(words: object) -> None:
    assert word_confidences(score(("a", "a")), {"u0": {"words": words}}, BASIC) == {}


def test_three_of_four_pictures_are_of_the_worst_and_the_rest_is_spread() -> None:
    # The errors of u0 are 0, those of u1 are 1, …: the worst is u19.
    scored = score(*((" ".join("a" * 20), " ".join("a" * (20 - n))) for n in range(20)))
    assert choose_utterances(scored, 8) == ["u19", "u18", "u17", "u16", "u15", "u14", "u10", "u3"]
    assert choose_utterances(scored, 0) == []
    assert sorted(choose_utterances(scored, 99)) == sorted(one.id for one in scored.utterances)
