import math
from typing import Any

import pytest

from asr.errors import ConfigError
from asr.scoring.scored import ScoredSet, score_set
from asr.scoring.slices import slice_set, slice_values
from asr.text import Normalizer


def scored(references: dict[str, str], hypotheses: dict[str, str], **speakers: str) -> ScoredSet:
    rule = Normalizer("none")
    return score_set("dev", references, hypotheses, normalizer=rule, speakers=speakers)


@pytest.fixture
def four() -> ScoredSet:
    references = {"a": "one two", "b": "one two three four", "c": "one", "d": "one two"}
    return scored(references, {"a": "one", "b": "one two three four", "c": "x y", "d": "one two"})


@pytest.fixture
def hundred() -> ScoredSet:
    texts = {f"u{number:02d}": "w" for number in range(100)}
    heard = {key: "w" if number < 50 else "x" for number, key in enumerate(texts)}
    return scored(texts, heard)


def test_names_are_slices_the_worst_first_and_the_unknown_last(four: ScoredSet) -> None:
    slices = slice_set(four, {"a": "x", "b": "x", "c": None, "d": "y"})
    assert [one.label for one in slices] == ["x", "y", "(not known)"]
    assert [one.summary.utterances for one in slices] == [2, 1, 1]
    assert slices[0].summary.words.rate == pytest.approx(1 / 6)
    assert slices[2].summary.words.errors == 2


def test_few_numbers_are_slices_of_their_own_in_order(four: ScoredSet) -> None:
    slices = slice_set(four, {"a": 10, "b": 2.5, "c": 2.5, "d": 8})
    assert [one.label for one in slices] == ["2.5", "8", "10"]


def test_many_numbers_are_put_into_five_bins_of_equal_size(hundred: ScoredSet) -> None:
    values = {key: number / 10 for number, key in enumerate(hundred_ids(hundred))}
    slices = slice_set(hundred, values)
    assert [one.summary.utterances for one in slices] == [20] * 5
    assert [one.label for one in slices][:2] == ["0 to 1.9", "2 to 3.9"]
    assert [one.summary.words.rate for one in slices] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_long_numbers_are_not_merged_and_what_is_none_is_not_known(hundred: ScoredSet) -> None:
    ids = hundred_ids(hundred)
    days = {key: 20240101 + number for number, key in enumerate(ids)}
    slices = slice_set(hundred, days)
    assert [one.label for one in slices][:2] == ["20240101 to 20240120", "20240121 to 20240140"]
    two = slice_set(hundred, {key: 20240101 + (number > 9) for number, key in enumerate(ids)})
    assert [(one.label, one.summary.utterances) for one in two] == [
        ("20240101", 10),
        ("20240102", 90),
    ]
    close = slice_set(hundred, {key: 1e6 + number / 100 for number, key in enumerate(ids)})
    assert [one.summary.utterances for one in close] == [20] * 5
    gaps = slice_set(hundred, days | {ids[0]: math.nan, ids[1]: math.inf})
    assert (gaps[-1].label, gaps[-1].summary.utterances) == ("(not known)", 2)
    assert len(gaps) == 6


def hundred_ids(one: ScoredSet) -> list[str]:
    return [utterance.id for utterance in one.utterances]


def test_bins_keep_all_utterances_where_one_number_is_frequent(hundred: ScoredSet) -> None:
    values = {key: max(0, number - 80) for number, key in enumerate(hundred_ids(hundred))}
    slices = slice_set(hundred, values)
    assert sum(one.summary.utterances for one in slices) == 100
    assert slices[0].label == "0 to 0"


def test_slices_have_intervals_of_their_own(hundred: ScoredSet) -> None:
    values = {key: number % 2 for number, key in enumerate(hundred_ids(hundred))}
    for one in slice_set(hundred, values):
        assert one.interval.low < one.summary.words.rate < one.interval.high
        assert one.to_json()["intervals"] == {"word_error_rate": list(one.interval)}


def test_truth_values_are_names(four: ScoredSet) -> None:
    slices = slice_set(four, {"a": True, "b": False, "c": False, "d": False})
    assert [one.label for one in slices] == ["true", "false"]


def test_the_rate_is_words_a_second_of_the_reference(four: ScoredSet) -> None:
    durations = {"a": 1.0, "b": 4.0, "c": 2.0, "d": 0.0}
    attributes = {key: {"duration": seconds} for key, seconds in durations.items()}
    assert slice_values(four, "rate", attributes) == {"a": 2.0, "b": 1.0, "c": 0.5, "d": None}


def test_a_rate_of_the_manifest_comes_first(four: ScoredSet) -> None:
    attributes: dict[str, dict[str, Any]] = {"a": {"duration": 1.0, "rate": "fast"}}
    assert slice_values(four, "rate", attributes)["a"] == "fast"


def test_a_key_that_no_reference_has_is_refused(four: ScoredSet) -> None:
    attributes = {"a": {"room": "hall", "words": []}}
    with pytest.raises(ConfigError, match=r"--by rom: no reference says it; .* have room"):
        slice_values(four, "rom", attributes)
    with pytest.raises(ConfigError, match="no manifest"):
        slice_values(four, "duration", {})
