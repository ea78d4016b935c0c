import json
import random
from itertools import product

import pytest

from asr.errors import ConfigError, DataError, ModelError
from asr.tokens import (
    BLANK,
    Characters,
    Pieces,
    TokenSettings,
    TokenTable,
    describe_characters,
    frames_needed,
    learn_tokens,
    tokens_from_json,
)


def test_the_blank_is_token_0_and_characters_follow_in_code_point_order() -> None:
    assert Characters.learn(["ba", "c b"]).symbols == (BLANK, " ", "a", "b", "c")


def test_the_order_of_the_texts_does_not_change_the_table() -> None:
    texts = ["one two", "three", "four five six"]
    assert Characters.learn(texts).symbols == Characters.learn(reversed(texts)).symbols


def test_decoding_undoes_encoding() -> None:
    rng = random.Random(1)
    texts = [
        " ".join("".join(rng.choices("abcé'漢", k=rng.randint(1, 5))) for _ in range(4))
        for _ in range(50)
    ]
    table = Characters.learn(texts)
    assert [table.decode(table.encode(text)) for text in texts] == texts


def test_no_character_is_encoded_as_the_blank() -> None:
    table = Characters.learn(["hello"])
    assert 0 not in table.encode("hello")
    assert len(table) == 5


def test_decoding_leaves_blanks_and_outer_spaces_out() -> None:
    table = Characters("ab ")
    assert table.decode([3, 1, 0, 3, 3, 2, 0]) == "a b"
    assert table.decode([]) == ""


def test_unknown_characters_are_counted() -> None:
    assert Characters("ab").unknown("abcacé") == {"c": 2, "é": 1}


def test_encoding_unknown_characters_names_and_counts_them() -> None:
    with pytest.raises(DataError, match=r"no token for 'é' \(U\+00E9\) x 2, 'c' .* in 'éaéc'"):
        Characters("ab").encode("éaéc")


def test_a_long_list_of_characters_is_cut_off_visibly() -> None:
    counts = {chr(ord("a") + number): number + 1 for number in range(12)}
    described = describe_characters(counts, most=2)
    assert described == "'l' (U+006C) x 12, 'k' (U+006B) x 11, …"


def test_a_table_survives_json() -> None:
    table = learn_tokens(TokenSettings(), ["zwölf 'n"])
    again = tokens_from_json(json.loads(json.dumps(table.to_json())), "tokens.json")
    assert again.symbols == table.symbols
    assert again.encode("zwölf") == table.encode("zwölf")


@pytest.mark.parametrize("data", [{}, {"kind": "words", "symbols": ["a"]}, {"kind": "characters"}])
def test_data_that_is_no_table_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"m/tokens\.json: not a token table of a known kind"):
        tokens_from_json(data, "m/tokens.json")


def test_an_unknown_kind_of_token_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.yaml: key 'kind': .*'characters'"):
        TokenSettings.parse({"kind": "phonemes"}, "recipe.yaml")


TEXTS = ["the cat sat on the mat", "that hat", "a cat that sat", "über", "the bat"] * 3


def test_pieces_put_texts_together_again() -> None:
    table = Pieces.learn(TEXTS, 30)
    assert len(table) == 30
    assert table.symbols[0] == BLANK
    for text in [*TEXTS, "tab hab mün"[:7], "on the hat"]:
        ids = table.encode(text)
        assert 0 not in ids
        assert table.decode([0, *ids, 0]) == text
        assert sum(map(table.begins_word, ids)) == len(text.split())
    assert len(table.encode("the cat")) < len("the cat"), "pieces are longer than characters"


def test_pieces_name_characters_that_none_has() -> None:
    table = Pieces.learn(TEXTS, 30)
    assert table.unknown("the zoo") == {"z": 1}
    with pytest.raises(DataError, match=r"no token for 'z' \(U\+007A\) x 1 in 'the zoo'"):
        table.encode("the zoo")


@pytest.mark.parametrize(
    "table", [Characters.learn(["the cat sat"]), Pieces.learn(["the cat sat on the mat"] * 9, 14)]
)
def test_words_spelled_all_at_once_are_spelled_as_one_by_one(table: TokenTable) -> None:
    words = ["cat", "zebra", "te", "the", "", "sät", "cat", "\u2581cat"]
    spelled = table.all_spellings(words)
    assert spelled == [table.spellings(word) for word in words]
    assert spelled[0] == (tuple(table.encode("cat")),)
    assert spelled[1] == (), "no token for z"
    assert table.all_spellings([]) == []


def test_pieces_survive_json_and_damage_is_noticed() -> None:
    table = learn_tokens(TokenSettings(kind="bpe", size=30), TEXTS)
    data = json.loads(json.dumps(table.to_json()))
    again = tokens_from_json(data, "tokens.json")
    assert again.symbols == table.symbols
    assert again.encode(TEXTS[0]) == table.encode(TEXTS[0])
    with pytest.raises(ModelError, match=r"tokens\.json: its pieces are not its symbols"):
        tokens_from_json(data | {"symbols": ["a"]}, "tokens.json")
    with pytest.raises(ModelError, match=r"tokens\.json: not a table of pieces"):
        tokens_from_json(data | {"model": "xx"}, "tokens.json")


def test_the_same_texts_make_the_same_pieces() -> None:
    assert Pieces.learn(TEXTS, 30).to_json() == Pieces.learn(TEXTS, 30).to_json()


@pytest.mark.parametrize("size", [3, 5000])
def test_a_number_of_pieces_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=rf"tokens\.size: {size} pieces cannot be learned"):
        Pieces.learn(TEXTS, size)


def can_emit(text: str, frames: int) -> bool:
    """Whether any path of that many frames collapses to the text, by trying all of them."""

    def collapse(path: tuple[str, ...]) -> str:
        kept = [one for index, one in enumerate(path) if index == 0 or one != path[index - 1]]
        return "".join(kept).replace("-", "")

    symbols = (*sorted(set(text)), "-")
    return any(collapse(path) == text for path in product(symbols, repeat=frames))


@pytest.mark.parametrize("text", ["a", "ab", "aa", "aab", "aaa", "abab", "abba"])
def test_frames_needed_is_the_shortest_ctc_path(text: str) -> None:
    needed = frames_needed(text)
    assert can_emit(text, needed)
    assert not can_emit(text, needed - 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 200}, "size: 200 is for bpe; kind is characters: leave size out"),
        ({"kind": "phones", "size": 200}, "size: 200 is for bpe; kind is phones"),
        ({"kind": "bpe", "dictionary": "own.dict"}, "dictionary: own.dict is for phones; kind is"),
        ({"dictionary": "own.dict"}, r"--set 'tokens=\{kind: characters\}'"),
    ],
)
def test_settings_of_another_kind_of_tokens_are_refused(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TokenSettings.parse(values, "test")


@pytest.mark.parametrize("kind", ["characters", "bpe", "phones", "model"])
def test_settings_of_tokens_are_read_back_as_they_were_written(kind: str) -> None:
    settings = TokenSettings.parse({"kind": kind}, "test")
    assert TokenSettings.parse(settings.model_dump(mode="json"), "test") == settings
