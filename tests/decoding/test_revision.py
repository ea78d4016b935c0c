"""Second thoughts: a word the search could not find is put in its place, and nothing else moves."""

import pytest
import torch
from torch import Tensor

from asr.decoding.alignment import align_words
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.revision import Hotwords, Reviser
from asr.tokens import Characters, PhoneTable

TOKENS = Characters(" abcdekny")


def spoken(text: str, *, sure: float = 0.7) -> Tensor:
    """Log-probabilities of a model that hears a text: two frames a letter, then a blank."""
    path = [token for letter in text for token in (TOKENS.encode(letter)[0],) * 2 + (0,)]
    probs = torch.full((len(path), len(TOKENS)), (1 - sure) / (len(TOKENS) - 1))
    probs[torch.arange(len(path)), path] = sure
    return probs.log()


def found(text: str) -> Hypothesis:
    """What a search may have found instead."""
    return Hypothesis(text, tuple(TOKENS.encode(text)), (), -1.0)


def test_a_word_outside_the_lexicon_is_spelled_by_ear() -> None:
    log_probs = spoken("a kenya bed")
    reviser = Reviser(TOKENS, lexicon={"a", "can", "bed"}, spelling_penalty=5.0)
    revised = reviser(found("a can bed"), log_probs)
    assert revised.text == "a kenya bed"
    assert revised.tokens == tuple(TOKENS.encode("a kenya bed"))
    assert len(revised.frames) == len(revised.tokens)
    assert list(revised.frames) == sorted(revised.frames)


@pytest.mark.parametrize("penalty", [None, 200.0])
def test_it_is_not_where_that_costs_too_much(penalty: float | None) -> None:
    reviser = Reviser(TOKENS, lexicon={"a", "can", "bed"}, spelling_penalty=penalty)
    assert reviser(found("a can bed"), spoken("a kenya bed")) == found("a can bed")


def test_what_is_in_the_lexicon_is_left_to_the_search() -> None:
    """It had its reasons: the language model."""
    reviser = Reviser(TOKENS, lexicon={"a", "can", "bed", "kenya"}, spelling_penalty=0.0)
    assert reviser(found("a can bed"), spoken("a kenya bed")).text == "a can bed"


def test_a_hotword_takes_the_place_of_what_sounds_alike() -> None:
    log_probs = spoken("dad kanya bed")
    greedy = greedy_decode(log_probs, TOKENS)
    assert greedy.text == "dad kanya bed"
    reviser = Reviser(TOKENS, hotwords=Hotwords(("kenya",), 8.0))
    assert reviser(greedy, log_probs).text == "dad kenya bed"
    reviser = Reviser(TOKENS, hotwords=Hotwords(("kenya",), 1.0))
    assert reviser(greedy, log_probs) == greedy, "too far away for so small a bonus"


def test_a_hotword_may_stand_for_several_words_and_a_phrase_for_one() -> None:
    two = spoken("ban dana day")
    hypothesis = greedy_decode(two, TOKENS)
    assert Reviser(TOKENS, hotwords=Hotwords(("bandana",), 8.0))(hypothesis, two).text == (
        "bandana day"
    )
    one = spoken("a kenday bed")
    hypothesis = greedy_decode(one, TOKENS)
    assert Reviser(TOKENS, hotwords=Hotwords(("ken day",), 8.0))(hypothesis, one).text == (
        "a ken day bed"
    )


def test_a_hotword_that_was_not_said_disturbs_nothing() -> None:
    log_probs = spoken("a bad day and a bed")
    greedy = greedy_decode(log_probs, TOKENS)
    hotwords = Hotwords(("kenya", "canada yankee"), 8.0)
    assert Reviser(TOKENS, hotwords=hotwords)(greedy, log_probs) == greedy


def test_the_words_around_keep_their_places() -> None:
    log_probs = spoken("dad kanya bed")
    before = align_words(log_probs, found("dad kanya bed"), TOKENS)
    revised = Reviser(TOKENS, hotwords=Hotwords(("kenya",), 8.0))(found("dad kanya bed"), log_probs)
    after = align_words(log_probs, revised, TOKENS)
    assert [before[0], before[2]] == [after[0], after[2]]


def test_nothing_said_stays_nothing() -> None:
    reviser = Reviser(TOKENS, lexicon=set(), spelling_penalty=0.0, hotwords=Hotwords(("bed",), 9.0))
    assert reviser(found(""), spoken("")) == found("")


def test_words_are_weighed_as_they_were_said_not_as_the_dictionary_says_first() -> None:
    """ "read" was heard as R IY D: its first pronunciation would make any hotword a gain."""
    dictionary = {"read": (("R", "EH", "D"), ("R", "IY", "D")), "cat": (("K", "AE", "T"),)}
    table = PhoneTable(
        dictionary, {phone: phone for phone in ("R", "EH", "IY", "D", "K", "AE", "T")}
    )
    ids = [table.symbols.index(phone) for phone in ("R", "IY", "D")]
    probs = torch.full((3, len(table)), 1e-4)
    probs[torch.arange(3), ids] = 1.0
    hypothesis = Hypothesis("read", tuple(ids), (0, 1, 2), 0.0)
    rows = (probs / probs.sum(dim=1, keepdim=True)).log()
    assert Reviser(table, hotwords=Hotwords(("cat",), 8.0))(hypothesis, rows) == hypothesis
    assert Reviser(table, hotwords=Hotwords(("cat",), 99.0))(hypothesis, rows).text == "cat"


def test_a_hotword_may_be_said_in_each_of_its_ways() -> None:
    dictionary = {"read": (("R", "EH", "D"), ("R", "IY", "D")), "rid": (("R", "IH", "D"),)}
    table = PhoneTable(dictionary, {phone: phone for phone in ("R", "EH", "IY", "IH", "D")})
    ids = [table.symbols.index(phone) for phone in ("R", "IY", "D")]
    probs = torch.full((3, len(table)), 1e-4)
    probs[torch.arange(3), ids] = 1.0
    rows = (probs / probs.sum(dim=1, keepdim=True)).log()
    found = tuple(table.encode("rid"))
    revised = Reviser(table, hotwords=Hotwords(("read",), 1.0))(
        Hypothesis("rid", found, (0, 1, 2), 0.0), rows
    )
    assert (revised.text, revised.tokens) == ("read", tuple(ids))
