"""A model folder with all that decodes: what its settings and a user's change, and what is said."""

from pathlib import Path

import pytest
import torch
from tiny_model import make_bundle
from typer.testing import CliRunner

from asr.bundle import save_bundle
from asr.cli import app
from asr.decoding.beam import BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.folder import DecoderDescription, place_language_model, save_decoder
from asr.decoding.rescoring import RescoringSettings
from asr.emission_decoder import DecodingOptions, EmissionDecoder
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.rnnlm.model import RecurrentLM, RnnSettings, save_rnn

WORDS = ["abba", "bad", "cab"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lexicon, 2-grams that know "cab" well, and a recurrent model of no weight."""
    model, bundle = tmp_path / "model", make_bundle()
    save_bundle(model, bundle)
    (tmp_path / "text.txt").write_text("cab\n" * 9 + "abba\n" * 3 + "bad\n")
    trained = train_ngrams([tmp_path / "text.txt"], NgramSettings(order=2)).model
    place_language_model(model, trained, trained.words[3:], bundle.tokens)
    save_rnn(model, RecurrentLM(RnnSettings(embedding=8, hidden=3, frequent=2), trained.words))
    describe(model, BeamSettings(beam=30, lm_weight=0.75, word_bonus=1.5))
    return model


def describe(
    folder: Path, settings: BeamSettings | None, rescoring: RescoringSettings | None = None
) -> None:
    save_decoder(folder, DecoderDescription(settings, Calibration(), 12.0, rescoring))


def emissions() -> torch.Tensor:
    """ "bad" is most probable by sound, "cab" less."""
    tokens = make_bundle().tokens
    rows = torch.full((6, len(tokens)), -9.0)
    for place, (one, other) in enumerate(
        zip(tokens.encode("bad"), tokens.encode("cab"), strict=True)
    ):
        rows[2 * place, one], rows[2 * place, other], rows[2 * place + 1, 0] = 0.0, -0.3, 0.0
    return rows.log_softmax(1)


def test_a_weight_of_the_ngrams_reaches_the_ranking_of_what_was_found(folder: Path) -> None:
    """A recurrent model of no weight ranks by sound alone, unless the user gives the n-grams one;
    the search itself finds both words either way."""
    describe(folder, BeamSettings(lm_weight=1.0), RescoringSettings(lm_weight=0.0))
    plain = EmissionDecoder.load(folder)
    weighed = EmissionDecoder.load(folder, DecodingOptions(search={"lm_weight": 3.0}))
    assert plain(emissions()).text == "bad"
    assert weighed(emissions()).text == "cab"


def test_a_draft_is_what_a_search_of_a_hundred_finds_first(folder: Path) -> None:
    """The search takes "cab", which is said often; what ranks again goes by sound alone."""
    describe(folder, BeamSettings(beam=300, lm_weight=3.0), RescoringSettings(lm_weight=0.0))
    decoder = EmissionDecoder.load(folder)
    assert decoder(emissions()).text == "bad"
    assert decoder.draft(emissions()).text == "cab"
    greedy = EmissionDecoder.load(folder, DecodingOptions(greedy=True))
    assert greedy.draft(emissions()) == greedy(emissions())


def test_a_folder_says_how_many_texts_are_given_unless_the_user_does(folder: Path) -> None:
    describe(folder, BeamSettings(nbest=2))
    assert len(EmissionDecoder.load(folder)(emissions()).others) == 1
    one = EmissionDecoder.load(folder, DecodingOptions(search={"nbest": 1}))
    assert one(emissions()).others == ()


def info(folder: Path) -> dict[str, str]:
    result = CliRunner().invoke(app, ["info", str(folder)])
    assert result.exit_code == 0, result.output
    rows = (line.split("  ", 1) for line in result.stdout.splitlines())
    return {key.strip(): value.strip() for key, value in rows}


def test_info_says_how_a_model_decodes_and_with_what(folder: Path) -> None:
    said = info(folder)
    assert said["decoding"] == (
        "beam 30, weight of the language model 0.75, bonus 1.5 a word, other words where 12 nats "
        "more probable"
    )
    assert said["language model"].startswith("order 2, 3 words, ")
    assert said["language model"].endswith(" 2-grams")
    assert said["lexicon"] == "3 words"
    assert said["recurrent model"] == "LSTM 1 x 3, 6 words; unused"
    describe(folder, BeamSettings(), RescoringSettings(rnn_weight=0.5))
    assert "rnn_weight 0.5" in info(folder)["recurrent model"]


def test_info_says_that_a_model_decodes_greedily(tmp_path: Path) -> None:
    save_bundle(tmp_path, make_bundle())
    assert info(tmp_path)["decoding"] == "greedy"
    assert "lexicon" not in info(tmp_path)
