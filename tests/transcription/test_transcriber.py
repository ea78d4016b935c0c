"""Recordings of any length become transcripts, on the clock of the recording."""

import itertools
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from synthetic_speech import RATE, make_texts, speak

from asr import load_model
from asr.audio import Waveform
from asr.emission_decoder import DecodingOptions
from asr.errors import AsrError, AudioError, ModelError
from asr.longform.segmentation import SegmentSettings
from asr.longform.windows import WindowSettings
from asr.recognizer import MANY, decoding_pool
from asr.scoring.error_rate import sum_counts, word_errors
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Transcript
from asr.transcription.transcriber import Recording, Transcriber, TranscriberSettings

SHORT = TranscriberSettings(
    windows=WindowSettings(seconds=6, overlap=2), segments=SegmentSettings(pause=0.6, longest=8)
)


SEARCH = DecodingOptions(search={"beam": 8})


def talk(count: int, pause: float) -> tuple[NDArray[np.float32], list[tuple[str, float]]]:
    """Texts one after the other, and when each begins."""
    noise = np.random.default_rng(1)
    parts: list[NDArray[np.float32]] = []
    begins, clock = [], 0.0
    for number, text in enumerate(make_texts(count, seed=11)):
        begins.append((text, clock))
        silence = noise.normal(0, 0.003, round(pause * RATE)).astype(np.float32)
        parts += [speak(text, seed=number), silence]
        clock += (len(parts[-2]) + len(silence)) / RATE
    return np.concatenate(parts), begins


@pytest.fixture(scope="module")
def transcriber(tone_model: Path) -> Transcriber:
    return Transcriber.load(tone_model, settings=SHORT)


def one(transcriber: Transcriber, samples: NDArray[np.float32], block: int) -> Transcript:
    blocks = [samples[start : start + block] for start in range(0, len(samples), block)]
    ((_, answer),) = transcriber.transcribe_all([Recording("talk", lambda: blocks)])
    assert isinstance(answer, Transcript)
    return answer


@pytest.mark.parametrize("pause", [0.15, 1.2])
def test_windows_lose_no_word_and_double_none(transcriber: Transcriber, pause: float) -> None:
    samples, begins = talk(60, pause)
    assert len(samples) > 8 * 6 * RATE, "many windows"
    found = one(transcriber, samples, 10000)
    said = " ".join(text for text, _ in begins)
    assert word_errors(said, found.text).rate <= 0.08
    assert found.duration == pytest.approx(len(samples) / RATE)


def test_times_are_on_the_clock_of_the_recording(transcriber: Transcriber) -> None:
    samples, begins = talk(60, 1.2)
    words = one(transcriber, samples, 10**9).words
    offsets = []
    for text, begin in begins:
        near = [word for word in words if word.text == text.split()[0]]
        offsets += [min(abs(word.start - begin - 0.06) for word in near)] if near else []
    assert len(offsets) >= 55
    assert np.median(offsets) <= 0.04
    assert np.quantile(offsets[-20:], 0.9) <= 0.05, "at the end as at the beginning"
    assert all(a.start < a.end <= b.start for a, b in pairwise(words))


def test_segments_end_at_pauses(transcriber: Transcriber) -> None:
    samples, begins = talk(20, 1.2)
    found = one(transcriber, samples, 10**9)
    assert len(found.segments) == len(begins)
    errors = sum_counts(
        word_errors(text, one.text) for (text, _), one in zip(begins, found.segments, strict=True)
    )
    assert errors.rate <= 0.1


def test_how_the_samples_come_changes_nothing(transcriber: Transcriber) -> None:
    samples, _ = talk(20, 0.3)
    whole = one(transcriber, samples, 10**9)
    for block in (333, 40000):
        assert one(transcriber, samples, block) == whole


def test_other_recordings_change_nothing(transcriber: Transcriber) -> None:
    many = [talk(count, 0.5)[0] for count in (1, 12, 2, 7)]
    alone = [one(transcriber, samples, 10**9) for samples in many]
    recordings = [Recording("talk", lambda samples=samples: [samples]) for samples in many]
    together = [answer for _, answer in transcriber.transcribe_all(recordings)]
    assert [a.text for a in together if isinstance(a, Transcript)] == [a.text for a in alone]
    backwards = [answer for _, answer in transcriber.transcribe_all(recordings[::-1])]
    assert [a.text for a in backwards if isinstance(a, Transcript)] == [a.text for a in alone[::-1]]


def test_what_fails_is_named_and_the_others_are_answered_in_order(
    transcriber: Transcriber,
) -> None:
    samples, _ = talk(12, 0.5)

    def broken() -> Iterator[NDArray[np.float32]]:
        yield samples
        raise AudioError("b.wav: cut short")

    recordings = [
        Recording("a", lambda: [samples]),
        Recording("b", broken),
        Recording("silent", lambda: [np.zeros(RATE, np.float32)]),
        Recording("short", lambda: [samples[800:900]]),
        Recording("none", list),
        Recording("e", lambda: [samples]),
    ]
    answers = list(transcriber.transcribe_all(recordings))
    assert [recording.name for recording, _ in answers] == [one.name for one in recordings]
    said = {recording.name: answer for recording, answer in answers}
    assert isinstance(said["a"], Transcript)
    assert isinstance(said["e"], Transcript)
    assert said["a"].words == said["e"].words
    why = {"b": "cut short", "silent": "silent: the loud", "short": "too short", "none": "silent"}
    for name, words in why.items():
        answer = said[name]
        assert isinstance(answer, AsrError)
        assert words in str(answer)


def test_files_are_transcribed_from_python(tone_model: Path, tmp_path: Path) -> None:
    samples, begins = talk(3, 1.0)
    soundfile.write(tmp_path / "a.wav", np.stack([samples, samples], 1), RATE, subtype="FLOAT")
    model = load_model(tone_model)
    found = model.transcribe(tmp_path / "a.wav")
    assert found.text == " ".join(text for text, _ in begins)
    assert found.name == str(tmp_path / "a.wav")
    assert all(0 <= word.confidence <= 1 for word in found.words)
    assert model.transcribe(str(tmp_path / "a.wav")) == found
    assert model.transcribe(Waveform(samples, RATE)).words == found.words
    with pytest.raises(AudioError, match="no such file"):
        model.transcribe(tmp_path / "b.wav")
    with pytest.raises(ModelError, match="not a model folder"):
        load_model(tmp_path)


@pytest.mark.parametrize("options", [None, SEARCH], ids=["greedy", "search"])
def test_threads_do_not_disturb_each_other(
    tone_model: Path, options: DecodingOptions | None
) -> None:
    transcriber = Transcriber.load(tone_model, options=options, settings=SHORT)
    many = [talk(count, 0.5)[0] for count in (3, 4, 5, 6)]
    wanted = [transcriber.transcribe(Waveform(samples, RATE)) for samples in many]
    found: dict[int, Transcript] = {}

    def work(number: int) -> None:
        for _ in range(3):
            found[number] = transcriber.transcribe(Waveform(many[number], RATE))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == wanted


def test_processes_decode_as_one_does(
    tone_model: Path, transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken recordings among them, and all in their order."""
    monkeypatch.setattr("asr.recognizer.usable_cores", lambda: 4)
    searching = Transcriber.load(tone_model, options=SEARCH, settings=SHORT)
    recordings = [
        Recording(str(len(samples)), lambda samples=samples: [samples])
        for samples in (talk(count, 0.7)[0] for count in (3, 9, 1, 5))
    ]
    recordings.insert(2, Recording("none", list))
    with decoding_pool(tone_model, SEARCH, MANY, 2) as pool:
        assert pool is not None
        found = list(searching.transcribe_all(recordings, pool))
    alone = list(searching.transcribe_all(recordings))
    for (recording, ours), (other, theirs) in zip(found, alone, strict=True):
        assert recording is other
        assert ours == theirs or str(ours) == str(theirs)
    assert [isinstance(answer, Transcript) for _, answer in found] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert len(found[1][1].segments) == 9


def test_a_silent_channel_is_named(transcriber: Transcriber) -> None:
    silent = Recording("call.wav", lambda: [np.zeros(RATE, np.float32)], channel=2)
    ((_, answer),) = transcriber.transcribe_all([silent])
    assert str(answer).startswith("call.wav (channel 2): silent")


def test_times_at_ten_hours_are_those_of_the_frames(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up log-probabilities: every ten minutes a word of three letters, 40 ms each."""
    text = transcriber.bundle.text_side
    second = round(1 / text.frame_seconds)
    period, letter = 600 * second, 0.04
    spelled = text.tokens.encode("abc")
    settings = TranscriberSettings(windows=WindowSettings(seconds=300, overlap=4))
    late = Transcriber(transcriber.bundle, settings=settings)
    step = late._plan.step
    heard = iter(range(10**6))

    def rows(features: list[torch.Tensor]) -> list[torch.Tensor]:
        made = []
        for matrix in features:
            start, count = next(heard) * step, len(matrix) // 2
            log_probs = torch.full((count, len(text.tokens)), -20.0)
            log_probs[:, 0] = 0.0
            for number, token in enumerate(spelled):
                places = torch.arange(start, start + count)
                log_probs[places % period == 10 * second + 2 * number, 0] = -20.0
                log_probs[places % period == 10 * second + 2 * number, token] = 0.0
            made.append(log_probs)
        return made

    frames = transcriber.bundle.features.frames
    monkeypatch.setattr(late._recognizer, "log_probs", rows)
    monkeypatch.setattr(
        type(late.bundle.front_end),
        "features",
        lambda self, waveform, name: torch.zeros(frames(len(waveform.samples)), 1),
    )
    block = np.full(60 * RATE, 0.1, np.float32)
    recording = Recording("long", lambda: itertools.repeat(block, 600), offset=0.25)
    ((_, answer),) = late.transcribe_all([recording])
    assert isinstance(answer, Transcript)
    assert answer.duration == 36000.0
    assert [word.text for word in answer.words] == ["abc"] * 60
    for number, word in enumerate(answer.words):
        begin = 0.25 + 600 * number + 10
        assert word.start == pytest.approx(begin, abs=letter)
        assert word.start - answer.words[0].start == pytest.approx(600 * number, abs=1e-6)
        assert word.end == pytest.approx(begin + 5 * text.frame_seconds, abs=2 * letter)
    rounded = round_transcript(answer)
    assert rounded.words[-1].start == pytest.approx(answer.words[-1].start, abs=0.00051)


def test_a_recording_at_another_rate_has_the_same_times(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    """44.1 kHz, resampled block by block, as far as the end of two minutes."""
    samples, _ = talk(60, 1.2)
    soundfile.write(tmp_path / "a.wav", soxr.resample(samples, RATE, 44100), 44100)
    slow, fast = (
        transcriber.transcribe(Waveform(samples, RATE)),
        transcriber.transcribe(tmp_path / "a.wav"),
    )
    assert slow.duration > 100
    assert fast.duration == pytest.approx(slow.duration, abs=0.01)
    assert word_errors(slow.text, fast.text).rate < 0.05
    for word in fast.words:
        near = min(slow.words, key=lambda one, word=word: abs(one.start - word.start))
        assert abs(near.start - word.start) <= 0.05


def test_cut_at_windows_costs_next_to_nothing(transcriber: Transcriber) -> None:
    """Heard window by window, as against text by text."""
    samples, begins = talk(60, 0.3)
    windows = word_errors(
        " ".join(text for text, _ in begins), one(transcriber, samples, 10**9).text
    )
    alone = sum_counts(
        word_errors(text, transcriber.transcribe(Waveform(speak(text, seed=number), RATE)).text)
        for number, (text, _) in enumerate(begins)
    )
    assert windows.rate <= alone.rate + 0.03


@pytest.mark.parametrize("level", [0.002, 0.05])
@pytest.mark.parametrize("seconds", [1, 40])
def test_of_noise_no_words_are_made(transcriber: Transcriber, level: float, seconds: int) -> None:
    """It was trained with noise in the place of a fifth of its utterances."""
    noise = np.random.default_rng(5).normal(0, level, seconds * RATE).astype(np.float32)
    assert transcriber.transcribe(Waveform(noise, RATE)).text == ""
