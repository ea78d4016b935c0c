import re
from pathlib import Path

import pytest
from synthetic_speech import write_utterances
from tiny_model import make_bundle

from asr.bundle import save_bundle
from asr.decoding.hypothesis import Word
from asr.errors import ModelError
from asr.illustration.illustrator import Illustrator, Subject, timed_words
from asr.illustration.listener import ModelIllustrator
from asr.manifest import Utterance

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def utterance(tmp_path_factory: pytest.TempPathFactory) -> Utterance:
    (one,) = write_utterances(tmp_path_factory.mktemp("sound"), ["abc dab"])
    return one


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelIllustrator:
    folder = tmp_path_factory.mktemp("model")
    save_bundle(folder, make_bundle())
    return ModelIllustrator.load(folder)


def labels(picture: str) -> list[str]:
    """The texts left of the panels."""
    return re.findall(r"<text y=\"\d+\">([^<]*)</text>", picture)


def test_without_a_model_there_are_sound_and_given_words(utterance: Utterance) -> None:
    half = utterance.duration / 2
    word = Word(EVIL, half, half + 0.1, 0.25)
    picture = Illustrator().draw(Subject(utterance, EVIL, [word]))
    assert labels(picture)[0] == "waveform"
    assert labels(picture)[-1] == "heard"
    assert "probability" not in picture
    assert EVIL not in picture
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: " in picture
    assert re.search(r'<rect x="50.00%"[^>]*fill-opacity="0.64"', picture)  # 0.85 of 75 %
    assert f'data-seconds="{round(utterance.duration, 4)}"' in picture


def test_with_a_model_there_are_probabilities_and_both_texts(
    utterance: Utterance, model: ModelIllustrator
) -> None:
    picture = model.draw(Subject(utterance, "abc dad"))
    assert labels(picture)[-4:] == ["heard", "said", "probability", "tokens"]
    titles = re.findall(r"<title>(\w+): [\d.]+ to [\d.]+ s, confidence \d+ %", picture)
    assert titles == ["abc", "dad", "abc", "dab"]
    assert picture.count("<title>blank</title>") == 1


def test_what_was_said_is_left_out_where_it_was_heard(
    utterance: Utterance, model: ModelIllustrator
) -> None:
    assert "said" not in labels(model.draw(Subject(utterance, "Abc, dab!")))


def test_given_times_are_preferred_to_those_of_the_model(
    utterance: Utterance, model: ModelIllustrator
) -> None:
    word = Word("given", 0.11, 0.22, 1.0)
    assert "given: 0.11 to 0.22 s" in model.draw(Subject(utterance, "abc dab", [word]))


def test_a_text_that_does_not_fit_is_said_to(utterance: Utterance, model: ModelIllustrator) -> None:
    assert "does not fit into the frames" in model.draw(Subject(utterance, "ab " * 200))


def test_what_cannot_be_read_is_named_beside_the_other_pictures(
    utterance: Utterance, tmp_path: Path
) -> None:
    missing = Utterance("missing", tmp_path / "none.wav", 1.0)
    pictures = Illustrator().draw_all([Subject(missing, "a"), Subject(utterance, "a")])
    assert list(pictures.drawn) == [utterance.id]
    assert "none.wav" in str(pictures.errors["missing"])


def test_only_the_part_of_the_recording_is_drawn(utterance: Utterance) -> None:
    part = Utterance("part", utterance.audio_path, 0.25, offset=0.1)
    assert 'data-seconds="0.25"' in Illustrator().draw(Subject(part, ""))


@pytest.mark.parametrize(
    "records",
    [None, "words", [{"text": "a"}], [{"text": "a", "start": 0, "end": 1, "confidence": None}]],
)
def test_words_without_times_or_confidences_are_none(records: object) -> None:
    assert timed_words(records) == []


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        ModelIllustrator.load(tmp_path)
