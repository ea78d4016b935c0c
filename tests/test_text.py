import random
import sys
import unicodedata

import pytest

from asr.errors import ConfigError
from asr.text import NORMALIZER_NAMES, Normalizer, _english_rule


def random_text(rng: random.Random) -> str:
    """Mostly letters, marks, apostrophes and spaces; now and then anything Unicode has."""
    letters = "aBcÀéß\u03a3\u03c3\u0130\u0131ǅ\u0301\u0307\u0345हिन्दी漢字01²"
    common = letters + "'\u2019`\u00b4_-.,!? \t\n\u00a0\u00ad\u200b\u200c\u200d"
    pieces = []
    for _ in range(rng.randrange(30)):
        anything = chr(rng.randrange(sys.maxunicode + 1))
        if rng.random() < 0.7 or unicodedata.category(anything) == "Cs":
            anything = rng.choice(common)
        pieces.append(anything)
    return "".join(pieces)


@pytest.mark.parametrize("name", NORMALIZER_NAMES)
def test_applying_a_normaliser_twice_changes_nothing_more(name: str) -> None:
    normalize, rng = Normalizer(name), random.Random(1)
    for _ in range(5000):
        text = random_text(rng)
        once = normalize(text)
        assert normalize(once) == once, ascii(text)


@pytest.mark.parametrize("name", NORMALIZER_NAMES)
def test_normalised_words_are_parted_by_single_spaces(name: str) -> None:
    normalize, rng = Normalizer(name), random.Random(2)
    for _ in range(2000):
        once = normalize(random_text(rng))
        assert once == " ".join(once.split())
        assert once == unicodedata.normalize("NFC", once)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's - OK!", "it's ok"),
        ("MISTER QUILTER IS", "mister quilter is"),
        ("don\u2019t \u2018quote\u2019", "don't quote"),
        ("rock 'n' roll's", "rock n roll's"),
        ("well-known_word", "well known word"),
        ("e\u0301te\u0301", "été"),
        ("Straße 12", "straße 12"),
        ("हिन्दी में!", "हिन्दी में"),
        ("¿qué?", "qué"),
        ("می\u200cروم", "می\u200cروم"),
        ("ශ්\u200dරී\u200d, \u200c-\u200c!", "ශ්\u200dරී"),
        ("Zeit\u00adung\ufeff \u200fa\u2060b", "zeitung ab"),
        ("a\u200bb", "a b"),
        ("… \u2013 !", ""),
    ],
)
def test_basic_normaliser_gives_what_was_worked_out_by_hand(text: str, expected: str) -> None:
    assert Normalizer("basic")(text) == expected


def test_none_keeps_case_and_punctuation() -> None:
    assert Normalizer("none")(" It's\t- OK!\n") == "It's - OK!"


def test_composed_and_decomposed_letters_become_equal() -> None:
    for name in NORMALIZER_NAMES:
        assert Normalizer(name)("cafe\u0301") == Normalizer(name)("caf\u00e9")


def test_an_unknown_normaliser_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match="normalizer 'basci' is not known; known: none, basic"):
        Normalizer("basci")


def test_english_is_the_rule_of_whisper() -> None:
    english = Normalizer.for_scoring("english")
    # From the tests of OpenAI's Whisper (tests/test_normalizer.py).
    assert english("Let's") == "let us"
    assert english("he's like") == "he is like"
    assert english("10km") == "10 km"
    assert english("mobilisation") == "mobilization"
    assert english("twenty-two thousand and sixty-one") == "22061"
    assert english.name == "english"


def test_english_keeps_the_promise_of_clean_spacing() -> None:
    english = Normalizer.for_scoring("english")
    assert english("  Uh, I  mean -- OK! ") == "i mean ok"
    assert english("cafe\u0301") == english("caf\u00e9")


def test_english_is_not_for_training() -> None:
    assert "english" not in NORMALIZER_NAMES
    with pytest.raises(ConfigError, match="normalizer 'english' is not known; known: none, basic"):
        Normalizer("english")


def test_scoring_knows_the_rules_of_training_too() -> None:
    assert Normalizer.for_scoring("basic")("It's - OK!") == "it's ok"
    with pytest.raises(ConfigError, match="known: none, basic, english"):
        Normalizer.for_scoring("englisch")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _english_rule.cache_clear()
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    with pytest.raises(ConfigError, match="needs the package whisper-normalizer"):
        Normalizer.for_scoring("english")
