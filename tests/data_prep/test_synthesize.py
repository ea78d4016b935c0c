import hashlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from asr.errors import ConfigError, DataError
from asr.manifest import read_manifest

pytest.importorskip("espeakng_loader")

from data_prep import synthesize
from data_prep.espeak import Synthesizer
from data_prep.synthesize import (
    DIGITS,
    Options,
    draw_voices,
    fingerprint,
    person_variants,
    prepare,
)

SMALL = {
    "train_utterances": 24,
    "dev_utterances": 6,
    "test_utterances": 8,
    "train_voices": 12,
    "dev_voices": 3,
    "test_voices": 4,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    manifests = prepare(Options(**SMALL), None, folder)
    return {name: read_manifest(path) for name, path in manifests.items()}


def test_splits_have_the_sizes_asked_for(corpus):
    assert {name: len(split) for name, split in corpus.items()} == {
        "train": 24,
        "dev": 6,
        "test": 8,
    }
    voices = {name: len({item.speaker for item in split}) for name, split in corpus.items()}
    assert voices == {"train": 12, "dev": 3, "test": 4}


def test_no_variant_speaks_in_two_splits_under_any_accent(corpus):
    variants = [{item.speaker.split("+")[1] for item in split} for split in corpus.values()]
    assert len(set.union(*variants)) == sum(len(split) for split in variants)


def test_manifest_says_what_the_files_hold(corpus):
    for item in _all(corpus):
        info = soundfile.info(item.audio_path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert item.sample_rate == 16000
        assert item.duration == pytest.approx(info.frames / info.samplerate, abs=1e-6)


def test_digits_last_as_long_as_spoken_digits_do(corpus):
    for item in _all(corpus):
        words = item.text.split()
        assert 1 <= len(words) <= 7
        assert set(words) <= set(DIGITS)
        assert min(end - start for _, start, end in item.extra["words"]) > 0.1
        assert item.duration / len(words) < 1.5


def test_recordings_are_neither_silent_nor_clipped(corpus):
    for item in _all(corpus):
        samples, _ = soundfile.read(item.audio_path)
        assert 0.15 < np.abs(samples).max() < 0.95
        assert np.sqrt(np.mean(samples**2)) > 0.01


def test_word_times_lie_on_the_sound(corpus):
    """Nearly all energy lies between the start of the first word and the end of the last."""
    for item in _all(corpus):
        words = item.extra["words"]
        assert [word for word, _, _ in words] == item.text.split()
        samples, rate = soundfile.read(item.audio_path)
        speech = samples[int(words[0][1] * rate) : int(words[-1][2] * rate) + 1]
        assert np.sum(speech**2) > 0.95 * np.sum(samples**2)


def test_same_options_give_the_same_bytes(tmp_path):
    prepare(Options(**SMALL), None, tmp_path / "a")
    prepare(Options(**SMALL | {"seed": 2}), None, tmp_path / "other")
    prepare(Options(**SMALL), None, tmp_path / "b")
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert _digests(tmp_path / "a") != _digests(tmp_path / "other")
    assert len(_digests(tmp_path / "a")) == 24 + 6 + 8 + 3


def test_another_process_gives_the_same_bytes(tmp_path):
    prepare(Options(**SMALL), None, tmp_path / "here")
    program = (
        "import sys; from pathlib import Path; from data_prep.synthesize import *; "
        f"prepare(Options(**{SMALL!r}), None, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "there")]
    subprocess.run(command, check=True)
    assert _digests(tmp_path / "here") == _digests(tmp_path / "there")


def test_every_voice_says_the_same_twice():
    """Two synthesisers lie elsewhere in memory: a voice that reads unset memory differs."""
    said = []
    for _ in range(2):
        with Synthesizer() as synthesizer:
            voices = [f"en-us+{name}" for name in person_variants()]
            said.append({voice: synthesizer.speak("six", voice).samples.sum() for voice in voices})
    assert said[0] == said[1]


def test_more_training_utterances_leave_all_others_as_they_were(tmp_path):
    prepare(Options(**SMALL), None, tmp_path / "few")
    prepare(Options(**SMALL | {"train_utterances": 30}), None, tmp_path / "more")
    few, more = _digests(tmp_path / "few"), _digests(tmp_path / "more")
    changed = {name for name in few if few[name] != more[name]}
    assert changed == {"train.jsonl"}


def test_no_test_utterances_means_no_test_set(tmp_path):
    manifests = prepare(Options(**SMALL | {"test_utterances": 0}), None, tmp_path)
    assert set(manifests) == {"train", "dev"}


def test_other_sample_rate_is_kept_to(tmp_path):
    options = Options(**SMALL | {"train_utterances": 1, "sample_rate": 8000})
    item = read_manifest(prepare(options, None, tmp_path)["train"])[0]
    assert soundfile.info(item.audio_path).samplerate == item.sample_rate == 8000


def test_noise_lies_below_the_speech_by_the_ratio_asked_for(tmp_path):
    loud = {"snr_min": 10, "snr_max": 10, "max_silence": 2.0}
    item = read_manifest(prepare(Options(**SMALL | loud), None, tmp_path)["train"])[0]
    samples, rate = soundfile.read(item.audio_path)
    before = samples[: int(item.extra["words"][0][1] * rate)]
    speech = samples[len(before) : int(item.extra["words"][-1][2] * rate)]
    assert len(before) > 0.05 * rate
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(before**2))
    assert ratio == pytest.approx(10, abs=1.5)


def test_sentences_are_spoken_as_they_are_written(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\ufeffThe sun is up.\n\nIt's late, isn't it?\n", encoding="utf-8")
    manifests = prepare(Options(**SMALL, sentences=text), None, tmp_path / "out")
    spoken = {item.text for path in manifests.values() for item in read_manifest(path)}
    assert spoken == {"The sun is up.", "It's late, isn't it?"}


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"caf\xe9\n"])
def test_unusable_file_of_sentences_is_an_error_that_names_it(tmp_path, content):
    text = tmp_path / "text.txt"
    if content is not None:
        text.write_bytes(content)
    with pytest.raises(DataError, match=r"text\.txt.*one sentence a line"):
        prepare(Options(sentences=text), None, tmp_path)


def test_failed_run_leaves_no_manifest_that_names_new_audio(tmp_path, monkeypatch):
    manifests = prepare(Options(**SMALL), None, tmp_path)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthesize.Synthesizer, "speak", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(Options(**SMALL), None, tmp_path)
    assert not any(path.exists() for path in manifests.values())


def test_default_options_have_voices_enough():
    voices = draw_voices([70, 10, 15], 1)
    assert [len(set(split)) for split in voices] == [70, 10, 15]
    assert not any("whisper" in voice for split in voices for voice in split)


def test_draw_depends_on_the_seed():
    assert draw_voices([5, 2], 1) == draw_voices([5, 2], 1) != draw_voices([5, 2], 2)


def test_more_voices_than_there_are_is_an_error_with_the_number():
    with pytest.raises(ConfigError, match=r"5002 voices were asked for.*ask for fewer"):
        draw_voices([5000, 1, 1], 1)


def test_range_upside_down_is_an_error_that_names_both_ends():
    with pytest.raises(ConfigError, match="rate_min is 200, above rate_max, which is 190"):
        Options.parse({"rate_min": 200}, "recipe.yaml")


def test_fingerprint_changes_with_the_sentences_only(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one\n")
    before = fingerprint(Options(sentences=text), None)
    text.write_text("two\n")
    assert fingerprint(Options(sentences=text), None) != before
    assert fingerprint(Options(), None) == ""


def _all(corpus):
    return [item for split in corpus.values() for item in split]


def _digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
