"""Phones as tokens: words by a dictionary, new ones by ear, and all of it in the model's JSON."""

import base64
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from asr.decoding.alignment import align_words
from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.lexicon import read_lexicon, read_words, write_lexicon
from asr.errors import ConfigError, DataError, ModelError
from asr.text import Normalizer
from asr.tokens import Characters, PhoneTable, TokenSettings, learn_tokens, tokens_from_json

_DICTIONARY = """red R EH D
read R EH D
read(2) R IY D
the DH AH
the(2) DH IY
cat K AE T
rat R AE T
tea T IY
ten T EH N
net N EH T
tack T AE K
kin K IH N
"""


@pytest.fixture
def settings(tmp_path: Path) -> TokenSettings:
    (tmp_path / "own.dict").write_text(_DICTIONARY, encoding="utf-8")
    return TokenSettings(kind="phones", dictionary=str(tmp_path / "own.dict"))


@pytest.fixture
def table(settings: TokenSettings) -> PhoneTable:
    made = learn_tokens(settings, ["the red cat", "read the net", "read tanner"], str.lower)
    assert isinstance(made, PhoneTable)
    return made


def said(table: PhoneTable, ids: Sequence[int]) -> str:
    return "-".join(table.symbols[number] for number in ids)


def test_a_text_is_said_by_the_first_pronunciation_of_each_word(table: PhoneTable) -> None:
    assert said(table, table.encode("the red cat")) == "DH-AH- -R-EH-D- -K-AE-T"
    assert table.encode("") == []


def test_what_sounds_alike_is_written_as_the_word_that_is_said_most_often(
    table: PhoneTable,
) -> None:
    assert table.decode(table.encode("the red cat")) == "the read cat"
    assert table.decode([0, *table.encode("tea"), 0]) == "tea"


def test_phones_that_are_no_word_are_written_by_their_usual_letters(table: PhoneTable) -> None:
    ids = table.encode("rat")
    assert table.decode(ids[:2] + ids[:1] + ids[1:]) == "rarat"


def test_words_of_the_transcripts_are_pronounced_and_kept(
    table: PhoneTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.tokens.phones.Speller.learn", None)  # nothing is left to learn
    found = said(table, table.encode("tanner"))
    assert found.startswith("T-")
    assert "N" in found


def test_every_pronunciation_is_a_way_of_spelling(table: PhoneTable) -> None:
    assert [said(table, one) for one in table.spellings("read")] == ["R-EH-D", "R-IY-D"]
    assert table.spellings("déjà") == ()


def test_a_new_word_is_pronounced_when_it_is_asked_for(table: PhoneTable) -> None:
    assert said(table, table.encode("dat")).startswith("D-")


def test_characters_that_no_word_has_are_named(table: PhoneTable) -> None:
    assert table.unknown("thé cat") == {"é": 1}
    with pytest.raises(DataError, match=r"no token for 'é' \(U\+00E9\)"):
        table.encode("né")


def test_a_word_without_a_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.dict").write_text("a' AH\ntea T IY\nat AH T\n", encoding="utf-8")
    settings = TokenSettings(kind="phones", dictionary=str(tmp_path / "own.dict"))
    with pytest.raises(DataError, match="add it to the dictionary"):
        learn_tokens(settings, ["''"])


def test_the_table_comes_back_from_json_the_same(table: PhoneTable) -> None:
    again = tokens_from_json(json.loads(json.dumps(table.to_json())), "model.json")
    assert isinstance(again, PhoneTable)
    assert again.symbols == table.symbols
    for text in ("the red cat", "read tanner", "dat"):
        assert again.encode(text) == table.encode(text)
    ids = table.encode("red rat tea")
    assert again.decode(ids) == table.decode(ids)


def test_a_phone_may_begin_as_another_does(tmp_path: Path) -> None:
    (tmp_path / "own.dict").write_text("a A\naab AA B\nb B\n", encoding="utf-8")
    settings = TokenSettings(kind="phones", dictionary=str(tmp_path / "own.dict"))
    table = learn_tokens(settings, ["a aab"], str.lower)
    again = tokens_from_json(table.to_json(), "model.json")
    assert again.encode("a aab b") == table.encode("a aab b")


def packed(lines: str) -> str:
    return base64.b64encode(zlib.compress(lines.encode())).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"dictionary": "!!"},
        {"dictionary": 3},
        {"dictionary": packed("red R EH XX\n")},
        {"dictionary": packed("red R EH D\nred\n")},
        {"dictionary": packed("red R EH D")},
        {"letters": ["a"]},
        {"letters": {"R": "r"}},
        {"symbols": [" ", "R"]},
    ],
)
def test_a_damaged_table_is_refused(table: PhoneTable, change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"model.json: .*(damaged|known kind)"):
        tokens_from_json(table.to_json() | change, "model.json")


def test_a_lexicon_of_phones_is_written_with_them_and_read_without_learning(
    table: PhoneTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["read", "dat", "déjà", "cat"]
    write_lexicon(tmp_path / "words.txt", words, table)
    spelled = {word: table.spellings(word) for word in ("read", "dat", "cat")}
    again = tokens_from_json(table.to_json(), "model.json")
    monkeypatch.setattr("asr.tokens.phones.Speller.learn", None)
    assert read_lexicon(tmp_path / "words.txt", again) == spelled
    assert read_words(tmp_path / "words.txt") == words


def test_a_word_that_cannot_be_pronounced_is_named_and_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this dictionary an h is silent, so that a word of nothing else has no sound."""
    (tmp_path / "own.dict").write_text("hat AE T\nat AE T\nhit IH T\nit IH T\nah AE\n")
    settings = TokenSettings(kind="phones", dictionary=str(tmp_path / "own.dict"))
    table = learn_tokens(settings, ["hat it"], str.lower)
    assert table.spellings("hh") == ()
    write_lexicon(tmp_path / "words.txt", ["hat", "hh", "it"], table)
    assert list(read_lexicon(tmp_path / "words.txt", table)) == ["hat", "it"]
    assert "1 of 3 words cannot be pronounced, and will not be found: hh" in capsys.readouterr().err


def test_a_lexicon_of_letters_is_its_words(tmp_path: Path) -> None:
    tokens = Characters("abc")
    write_lexicon(tmp_path / "words.txt", ["ab", "cab", "bad"], tokens)
    assert (tmp_path / "words.txt").read_text(encoding="utf-8") == "ab\ncab\nbad\n"
    assert read_lexicon(tmp_path / "words.txt", tokens) == {"ab": ((1, 2),), "cab": ((3, 1, 2),)}


def test_a_phone_that_the_model_has_not_is_named(table: PhoneTable, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("cat K AE T\nzoo Z UW\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"words.txt, line 2: 'Z' is not a token of the model"):
        read_lexicon(tmp_path / "words.txt", table)


def test_the_normaliser_makes_the_dictionary_look_like_the_texts(tmp_path: Path) -> None:
    (tmp_path / "own.dict").write_text("CAT K AE T\nTEA T IY\n", encoding="utf-8")
    settings = TokenSettings(kind="phones", dictionary=str(tmp_path / "own.dict"))
    made = learn_tokens(settings, ["cat"], Normalizer("basic"))
    assert made.decode(made.encode("cat tea")) == "cat tea"


class TestWithoutASpace:
    """The first phone of a word says that a word begins."""

    @pytest.fixture
    def marked(self, settings: TokenSettings) -> PhoneTable:
        changed = settings.model_copy(update={"space": False})
        made = learn_tokens(changed, ["the red cat", "read the net", "read tanner"], str.lower)
        assert isinstance(made, PhoneTable)
        return made

    def test_each_phone_is_there_twice_and_no_space_is(
        self, marked: PhoneTable, table: PhoneTable
    ) -> None:
        assert marked.space is None
        assert len(marked) == 1 + 2 * (len(table) - 2)
        assert said(marked, marked.encode("the red")) == "▁DH-AH-▁R-EH-D"

    def test_texts_come_back_word_by_word(self, marked: PhoneTable) -> None:
        assert marked.decode([0, *marked.encode("the read cat"), 0]) == "the read cat"
        ids = marked.encode("tea")
        assert marked.decode(ids + ids) == "tea tea"
        assert marked.decode(ids[1:] + ids).endswith(" tea"), "what begins no word is one, too"

    def test_every_pronunciation_begins_with_a_mark(self, marked: PhoneTable) -> None:
        assert [said(marked, one) for one in marked.spellings("read")] == ["▁R-EH-D", "▁R-IY-D"]
        assert all(marked.begins_word(one[0]) for one in marked.spellings("read"))
        assert not marked.begins_word(marked.spellings("read")[0][1])

    def test_table_and_lexicon_come_back_the_same(self, marked: PhoneTable, tmp_path: Path) -> None:
        again = tokens_from_json(json.loads(json.dumps(marked.to_json())), "model.json")
        assert again.symbols == marked.symbols
        write_lexicon(tmp_path / "words.txt", ["read", "cat"], marked)
        expected = {word: marked.spellings(word) for word in ("read", "cat")}
        assert read_lexicon(tmp_path / "words.txt", again) == expected

    def test_it_is_for_phones_alone(self) -> None:
        with pytest.raises(ConfigError, match="space: false is for phones; kind is bpe"):
            TokenSettings.parse({"kind": "bpe", "space": False}, "tokens")


@pytest.mark.parametrize("space", [True, False])
def test_a_search_that_ends_within_a_word_has_only_the_tokens_of_whole_ones(
    settings: TokenSettings, space: bool
) -> None:
    table = learn_tokens(settings.model_copy(update={"space": space}), ["the red cat"], str.lower)
    ids = [*table.encode("the cat")][: 5 if space else 4]  # the, and the beginning of cat
    path = [one for number in ids for one in (number, 0)]
    log_probs = torch.full((len(path), len(table)), -9.0)
    log_probs[range(len(path)), path] = 0.0
    lexicon = {"the": table.spellings("the"), "cat": table.spellings("cat")}
    decoder = BeamDecoder(table, BeamSettings(beam=3, threshold=5.0), lexicon=lexicon)
    (found,) = decoder(log_probs)
    assert found.text == "the"
    assert [word.text for word in align_words(log_probs, found, table)] == ["the"]
