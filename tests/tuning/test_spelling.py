"""A language model that writes otherwise than the model is noticed before the search."""

from pathlib import Path

import pytest

from asr.decoding.beam import BeamSettings
from asr.decoding.folder import load_decoder, place_language_model
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.tokens import Characters
from asr.tuning.spelling import warn_of_spelling

TOKENS = Characters(" abc")


def warning(folder: Path, text: str, unit: str, capsys: pytest.CaptureFixture[str]) -> str:
    (folder / "text.txt").write_text(text)
    settings = NgramSettings.parse({"order": 2, "unit": unit}, "test")
    model = train_ngrams([folder / "text.txt"], settings).model
    place_language_model(folder, model, model.words[3:] if unit == "words" else None, TOKENS)
    capsys.readouterr()
    warn_of_spelling(folder, load_decoder(folder, TOKENS, BeamSettings()), TOKENS)
    return capsys.readouterr().err


def test_words_in_another_case_are_counted_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = warning(tmp_path, "ab BA\nc CAB\n", "words", capsys)
    assert "2 of 4 words of the lexicon cannot be spelled with the model's tokens (BA, CAB)" in said
    assert "if case or accents differ, normalise the text" in said


def test_letters_in_another_case_are_counted_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = warning(tmp_path, "ab BA\nAB CAB\n", "characters", capsys)
    assert "1 of 4 tokens of the model are unknown to the language model (c)" in said


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_nothing_is_said_of_a_language_model_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unit: str
) -> None:
    assert warning(tmp_path, "ab ba\nc cab\n", unit, capsys) == ""
