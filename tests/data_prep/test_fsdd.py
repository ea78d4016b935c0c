import io
import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.errors import ConfigError, DataError
from asr.manifest import Utterance, read_manifest
from data_prep import fsdd, prepare_corpus
from data_prep.download import Archive

SPEAKERS = ("george", "theo")
INDICES = 12
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, tone: Any) -> Path:
    """Two speakers, twelve recordings of each digit; the length tells the digit. Only to read."""
    root = tmp_path_factory.mktemp("corpora") / "free-spoken-digit-dataset"
    for speaker in SPEAKERS:
        for digit in range(10):
            for index in range(INDICES):
                path = root / "recordings" / f"{digit}_{speaker}_{index}.wav"
                tone(path, seconds=0.1 + digit / 100, pitch=200 + 10 * index)
    return root


def prepare(corpus: Path, output: Path, **options: Any) -> dict[str, list[Utterance]]:
    manifests = prepare_corpus("fsdd", options, corpus=corpus, output=output)
    return {name: read_manifest(path) for name, path in manifests.items()}


def index_of(identifier: str) -> int:
    return int(identifier.rsplit("_", 1)[1])


def test_official_split_goes_by_index(corpus: Path, tmp_path: Path) -> None:
    splits = prepare(corpus, tmp_path / "out")
    assert {name: {index_of(one.id) for one in split} for name, split in splits.items()} == {
        "test": set(range(5)),
        "dev": set(range(5, 10)),
        "train": {10, 11},
    }
    assert [len(split) for split in splits.values()] == [40, 100, 100]
    assert all({one.speaker for one in split} == set(SPEAKERS) for split in splits.values())


def test_text_is_the_digit_in_words(corpus: Path, tmp_path: Path) -> None:
    for one in prepare(corpus, tmp_path / "out")["train"]:
        assert one.text == WORDS[int(one.id[0])]
        assert one.duration == pytest.approx(0.1 + int(one.id[0]) / 100)


def test_held_out_speaker_is_in_the_test_only(corpus: Path, tmp_path: Path) -> None:
    splits = prepare(corpus, tmp_path / "out", held_out="theo")
    assert len(splits["test"]) == 10 * INDICES
    assert {one.speaker for one in splits["test"]} == {"theo"}
    assert {one.speaker for one in splits["train"] + splits["dev"]} == {"george"}
    assert {index_of(one.id) for one in splits["dev"]} == set(range(5))
    assert len(splits["train"]) == 10 * (INDICES - 5)


def test_unknown_speaker_names_the_nearest(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'teo' is no speaker; did you mean 'theo'\? .*george"):
        prepare(corpus, tmp_path / "out", held_out="teo")


def strings(corpus: Path, output: Path, **options: Any) -> dict[str, list[Utterance]]:
    counts = {"train_strings": 60, "dev_strings": 11, "test_strings": 13}
    return prepare(corpus, output, kind="strings", **(counts | options))


def test_strings_come_in_the_numbers_asked_for(corpus: Path, tmp_path: Path) -> None:
    splits = strings(corpus, tmp_path / "out", min_digits=2, max_digits=4)
    assert [len(split) for split in splits.values()] == [60, 11, 13]
    lengths = {len((one.text or "").split()) for split in splits.values() for one in split}
    assert lengths == {2, 3, 4}


def test_text_of_a_string_is_that_of_its_recordings(corpus: Path, tmp_path: Path) -> None:
    for one in strings(corpus, tmp_path / "out")["train"]:
        assert (one.text or "").split() == [WORDS[int(name[0])] for name in one.extra["recordings"]]
        assert {name.split("_")[1] for name in one.extra["recordings"]} == {one.speaker}


def test_no_recording_is_in_two_splits(corpus: Path, tmp_path: Path) -> None:
    splits = strings(corpus, tmp_path / "out", held_out="george")
    used = [
        {name for one in split for name in one.extra["recordings"]} for split in splits.values()
    ]
    assert all(used)
    assert sum(len(names) for names in used) == len(set.union(*used))


@pytest.mark.parametrize("count", [7, 60])
def test_a_speakers_recordings_are_used_equally_often(
    corpus: Path, tmp_path: Path, count: int
) -> None:
    split = strings(corpus, tmp_path / "out", train_strings=count, held_out="george")["train"]
    uses = Counter(name for one in split for name in one.extra["recordings"])
    counts = [uses[f"{digit}_theo_{index}"] for digit in range(10) for index in range(5, INDICES)]
    assert sum(counts) == sum(uses.values())
    assert max(counts) - min(counts) <= 1


def test_string_is_as_long_as_its_parts_and_silences(corpus: Path, tmp_path: Path) -> None:
    options = {"silence_min": 0.1, "silence_max": 0.3}
    for one in strings(corpus, tmp_path / "out", **options)["train"]:
        digits = [int(name[0]) for name in one.extra["recordings"]]
        spoken = sum(0.1 + digit / 100 for digit in digits)
        silent = one.duration - spoken
        assert 0.1 * (len(digits) + 1) - 1e-3 <= silent <= 0.3 * (len(digits) + 1) + 1e-3
        info = soundfile.info(one.audio_path)
        assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
        assert info.frames / 8000 == pytest.approx(one.duration, abs=1e-6)


def test_recordings_lie_in_the_string_unchanged(corpus: Path, tmp_path: Path) -> None:
    """With silences of known length, each word's middle stands at a known place."""
    options = {"silence_min": 0.1, "silence_max": 0.1}
    one = strings(corpus, tmp_path / "out", min_digits=3, max_digits=3, **options)["train"][0]
    string, _ = soundfile.read(one.audio_path)
    noise = np.abs(string[:800]).max()
    start = 800
    for name in one.extra["recordings"]:
        word, _ = soundfile.read(corpus / "recordings" / f"{name}.wav")
        middle = slice(80, len(word) - 80)
        difference = string[start : start + len(word)][middle] - word[middle]
        assert np.sqrt(np.mean(difference**2)) <= noise
        assert np.corrcoef(string[start : start + len(word)], word)[0, 1] > 0.5
        start += len(word) + 800
    assert start == len(string)


def test_silences_are_neither_digital_zeros_nor_loud(tmp_path: Path) -> None:
    root = tmp_path / "corpora" / "free-spoken-digit-dataset"
    noise = np.random.default_rng(0)
    time = np.arange(2400) / 8000
    word = 0.3 * np.sin(2 * np.pi * 200 * time) * (time > 0.1)
    for digit in range(10):
        for index in range(11):
            path = root / "recordings" / f"{digit}_jo_{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, word + 0.002 * noise.standard_normal(2400), 8000)
    options = {"silence_min": 0.2, "silence_max": 0.2}
    for one in strings(root, tmp_path / "out", **options)["train"]:
        silence = soundfile.read(one.audio_path)[0][:1600]
        assert 0.0015 < np.sqrt(np.mean(silence**2)) < 0.0025


def test_edges_of_recordings_make_no_click(tmp_path: Path) -> None:
    """Recordings that begin and end at full amplitude must not jump out of the silence."""
    root = tmp_path / "corpora" / "free-spoken-digit-dataset"
    for digit in range(10):
        for index in range(11):
            path = root / "recordings" / f"{digit}_jo_{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.r_[np.full(800, 0.5), np.zeros(800), np.full(800, 0.5)], 8000)
    for one in strings(root, tmp_path / "out", max_digits=2)["train"]:
        samples, _ = soundfile.read(one.audio_path)
        inner_steps = 2 * len(one.extra["recordings"])  # the two steps that each recording has
        assert np.sum(np.abs(np.diff(samples)) > 0.5 / 30) == inner_steps


def test_same_seed_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    first = strings(corpus, tmp_path / "first", seed=3)["test"]
    again = strings(corpus, tmp_path / "again", seed=3)["test"]
    other = strings(corpus, tmp_path / "other", seed=4)["test"]
    assert [one.audio_path.read_bytes() for one in first] == [
        one.audio_path.read_bytes() for one in again
    ]
    assert [one.text for one in first] != [one.text for one in other]


def test_strings_lie_below_their_manifest(corpus: Path, tmp_path: Path) -> None:
    strings(corpus, tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "moved")
    for one in read_manifest(tmp_path / "moved" / "train.jsonl"):
        assert one.audio_path.is_file()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_digits": 5, "max_digits": 4}, "min_digits 5 is above max_digits 4"),
        ({"silence_min": 0.5}, r"silence_min 0\.5 is above silence_max 0\.4"),
        ({"kind": "joined"}, "key 'kind'.*'isolated' or 'strings'"),
    ],
)
def test_impossible_options_are_refused(
    corpus: Path, tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        prepare(corpus, tmp_path / "out", **options)


def test_missing_recordings_are_counted_and_named(corpus: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(corpus, tmp_path / "damaged")
    for name in ("3_theo_7", "0_george_2"):
        (damaged / "recordings" / f"{name}.wav").unlink()
    with pytest.raises(DataError, match=r"missing recordings: 2 \(0_george_2\.wav, 3_theo_7\.wav"):
        prepare(damaged, tmp_path / "out")


def test_strange_file_names_are_named(tmp_path: Path, tone: Any) -> None:
    tone(tmp_path / "recordings" / "ten_theo_1.wav")
    with pytest.raises(DataError, match=r"not named DIGIT_SPEAKER_INDEX\.wav: 1 \(ten_theo_1"):
        prepare(tmp_path, tmp_path / "out")


def test_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings; expected files like"):
        prepare(tmp_path, tmp_path / "out")


def test_corpus_too_small_for_a_split_is_an_error(tmp_path: Path, tone: Any) -> None:
    for digit in range(10):
        tone(tmp_path / "corpus" / f"{digit}_jo_0.wav")
    with pytest.raises(DataError, match="no recordings for train and dev"):
        prepare(tmp_path / "corpus", tmp_path / "out")


def test_download_with_too_few_recordings_is_refused(
    corpus: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        tar.add(corpus, arcname="fsdd-1")
    server.content = memory.getvalue()
    monkeypatch.setattr(fsdd, "_ARCHIVE", Archive(server.url, "fsdd-1"))
    monkeypatch.setenv("ASR_CORPORA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="fsdd: 240 recordings came, 3000 were expected"):
        prepare_corpus("fsdd", {}, corpus=None, output=tmp_path / "out")
    monkeypatch.setattr(fsdd, "_RELEASED", 240)
    prepare_corpus("fsdd", {}, corpus=None, output=tmp_path / "out")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [fsdd.FOLDER]


def test_real_corpus_has_fifty_recordings_of_each_digit_and_speaker(tmp_path: Path) -> None:
    corpus = Path(os.environ.get("ASR_CORPORA", ""), "free-spoken-digit-dataset")
    if "ASR_CORPORA" not in os.environ or not corpus.is_dir():
        pytest.skip("needs free-spoken-digit-dataset below ASR_CORPORA")
    splits = prepare(corpus, tmp_path)
    assert [len(split) for split in splits.values()] == [2400, 300, 300]
    counts = Counter((one.speaker, one.text) for split in splits.values() for one in split)
    assert set(counts.values()) == {50}
    assert len(counts) == 60


def test_synthetic_strings_are_for_training_only_and_at_the_corpus_rate(
    corpus: Path, tmp_path: Path
) -> None:
    pytest.importorskip("espeakng_loader")
    options: dict[str, Any] = {
        "kind": "strings",
        "train_strings": 4,
        "dev_strings": 2,
        "test_strings": 2,
    }
    splits = prepare(corpus, tmp_path / "out", **options, synthetic_strings=6)
    synthetic = [one for one in splits["train"] if "recordings" not in one.extra]
    assert len(synthetic) == 6
    assert len(splits["train"]) == 10
    assert all(soundfile.info(one.audio_path).samplerate == 8000 for one in synthetic)
    assert {one.speaker for one in synthetic}.isdisjoint(one.speaker for one in splits["test"])
    assert all("recordings" in one.extra for one in splits["dev"] + splits["test"])


@pytest.mark.parametrize("option", [{"train_strings": 5}, {"max_digits": 3}, {"seed": 2}])
def test_settings_of_strings_are_refused_where_digits_are_isolated(
    corpus: Path, tmp_path: Path, option: dict[str, int]
) -> None:
    (name,) = option
    with pytest.raises(ConfigError, match=rf"{name}: for strings only, and kind is isolated"):
        prepare(corpus, tmp_path / "out", **option)
    fsdd.Options.parse({"kind": "strings", **option}, "test")
