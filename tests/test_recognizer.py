"""The recogniser: batches change nothing, rates and channels are met, trouble has a name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from synthetic_speech import RATE, make_texts, speak, write_utterances
from tiny_model import make_bundle
from torch import Tensor

from asr.batching import BatchSettings
from asr.bundle import save_bundle
from asr.decoding.hypothesis import Hypothesis
from asr.errors import AsrError, AudioError
from asr.manifest import Utterance
from asr.recognizer import Recognizer


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(make_bundle())


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    return write_utterances(tmp_path_factory.mktemp("speech"), make_texts(9, seed=4, words=4))


def transcribe(
    recognizer: Recognizer, utterances: list[Utterance], **batch: int
) -> dict[str, Hypothesis | AsrError]:
    settings = BatchSettings.parse(batch, "test")
    answers = list(recognizer.transcribe_all(utterances, settings))
    assert len(answers) == len(utterances)
    return {utterance.id: answer for utterance, answer in answers}


def hear(recognizer: Recognizer, path: Path) -> Hypothesis:
    """What is heard in one file."""
    ((_, answer),) = recognizer.transcribe_all([Utterance("one", path, 0.0)], BatchSettings())
    if isinstance(answer, AsrError):
        raise answer
    return answer


def assert_same(one: Hypothesis | AsrError, other: Hypothesis) -> None:
    assert isinstance(one, Hypothesis)
    assert (one.text, one.tokens, one.frames) == (other.text, other.tokens, other.frames)
    assert one.score == pytest.approx(other.score, rel=1e-4)


def test_where_the_manifest_gives_no_duration_batches_are_bounded_all_the_same(
    recognizer: Recognizer, utterances: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, int]] = []
    compute = recognizer.log_probs

    def spy(features: Sequence[Tensor]) -> list[Tensor]:
        shapes.append((len(features), max(map(len, features))))
        return compute(features)

    monkeypatch.setattr(recognizer, "log_probs", spy)
    frames = [round(100 * utterance.duration) for utterance in utterances]
    bound = 2 * max(frames)
    unknown = [replace(utterance, duration=0.0) for utterance in utterances]
    answers = transcribe(recognizer, unknown, max_frames=bound)
    assert all(isinstance(answer, Hypothesis) for answer in answers.values())
    assert len(shapes) >= sum(frames) / bound
    assert all(count * longest <= bound for count, longest in shapes)


def test_a_recording_without_duration_that_cannot_be_read_is_answered_by_its_error(
    recognizer: Recognizer, utterances: list[Utterance], tmp_path: Path
) -> None:
    gone = Utterance("gone", tmp_path / "gone.wav", 0.0)
    answers = transcribe(recognizer, [gone, *utterances])
    assert isinstance(answers["gone"], AudioError)
    assert all(isinstance(answers[utterance.id], Hypothesis) for utterance in utterances)


def test_a_recording_longer_than_a_batch_is_transcribed_alone(
    recognizer: Recognizer, utterances: list[Utterance]
) -> None:
    answers = transcribe(recognizer, utterances, max_frames=10)
    for utterance in utterances:
        assert_same(answers[utterance.id], hear(recognizer, utterance.audio_path))


@pytest.mark.parametrize("max_utterances", [1, 2, 9])
def test_a_batch_says_what_each_file_says_alone(
    recognizer: Recognizer, utterances: list[Utterance], max_utterances: int
) -> None:
    answers = transcribe(recognizer, utterances, max_utterances=max_utterances)
    for utterance in utterances:
        alone = hear(recognizer, utterance.audio_path)
        assert len(alone.tokens) > 3, "a model that says nothing would prove nothing"
        assert_same(answers[utterance.id], alone)


def test_the_order_of_files_changes_nothing(
    recognizer: Recognizer, utterances: list[Utterance]
) -> None:
    forwards = transcribe(recognizer, utterances, max_utterances=4)
    backwards = transcribe(recognizer, utterances[::-1], max_utterances=4)
    for identifier, answer in forwards.items():
        assert isinstance(answer, Hypothesis)
        assert_same(backwards[identifier], answer)


def test_a_part_of_a_file_is_transcribed_as_if_it_were_a_file(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    parts = [speak("abc", seed=1), speak("fed ca", seed=2)]
    soundfile.write(tmp_path / "both.wav", np.concatenate(parts), RATE)
    soundfile.write(tmp_path / "second.wav", parts[1], RATE)
    seconds = [len(part) / RATE for part in parts]
    utterance = Utterance("second", tmp_path / "both.wav", seconds[1], offset=seconds[0])
    alone = hear(recognizer, tmp_path / "second.wav")
    assert_same(transcribe(recognizer, [utterance])["second"], alone)


def test_two_equal_channels_say_what_one_says(recognizer: Recognizer, tmp_path: Path) -> None:
    samples = speak("abc de")
    soundfile.write(tmp_path / "stereo.wav", np.stack([samples, samples], 1), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", samples, RATE, subtype="FLOAT")
    assert_same(hear(recognizer, tmp_path / "stereo.wav"), hear(recognizer, tmp_path / "mono.wav"))


def test_another_sample_rate_is_resampled(recognizer: Recognizer, tmp_path: Path) -> None:
    high = soxr.resample(speak("abc fed"), RATE, 16000)
    soundfile.write(tmp_path / "high.wav", high, 16000, subtype="FLOAT")
    back = soxr.resample(high.astype(np.float32), 16000, RATE)
    soundfile.write(tmp_path / "back.wav", back, RATE, subtype="FLOAT")
    assert_same(hear(recognizer, tmp_path / "high.wav"), hear(recognizer, tmp_path / "back.wav"))


@pytest.fixture
def bad_files(tmp_path: Path) -> dict[str, Path]:
    """Recordings that cannot be used, by what should be said of them."""
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", speak("a")[600:700], RATE)
    (tmp_path / "words.wav").write_text("these are words")
    (tmp_path / "nothing.wav").touch()
    return {
        "silent: the loudest": tmp_path / "silent.wav",
        "too short: 0.013 s; expected at least 0.032 s": tmp_path / "short.wav",
        "not audio that can be read": tmp_path / "words.wav",
        "empty": tmp_path / "nothing.wav",
        "no such file": tmp_path / "missing.wav",
    }


def test_a_recording_that_cannot_be_used_is_named_with_why(
    recognizer: Recognizer, bad_files: dict[str, Path]
) -> None:
    for why, path in bad_files.items():
        with pytest.raises(AudioError, match=rf"{path.name}: .*{why}|{path.name}: {why}"):
            hear(recognizer, path)


def test_bad_recordings_in_a_batch_do_not_keep_the_others_back(
    recognizer: Recognizer, utterances: list[Utterance], bad_files: dict[str, Path]
) -> None:
    bad = [Utterance(why, path, 1.0) for why, path in bad_files.items()]
    mixed = [utterances[0], *bad, *utterances[1:]]
    answers = transcribe(recognizer, mixed, max_utterances=5)
    for utterance in utterances:
        assert isinstance(answers[utterance.id], Hypothesis)
    for why, path in bad_files.items():
        answer = answers[why]
        assert isinstance(answer, AudioError)
        assert str(answer).startswith(f"{path}: ")


def test_a_model_folder_is_opened_by_its_path(
    tmp_path: Path, recognizer: Recognizer, utterances: list[Utterance]
) -> None:
    save_bundle(tmp_path, recognizer.bundle)
    path = utterances[0].audio_path
    found = hear(Recognizer.load(tmp_path), path)
    assert found == hear(recognizer, path)
