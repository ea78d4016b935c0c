import hashlib
import io
import itertools
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.errors import ConfigError, DataError
from asr.manifest import read_manifest
from data_prep import prepare_corpus, yesno
from data_prep.download import Archive

NAMES = ["_".join(bits) for bits in itertools.product("01", repeat=8)][:240:4]


@pytest.fixture
def corpus(tmp_path: Path, tone: Any) -> Path:
    """Sixty recordings of the corpus's shape, and its README."""
    folder = tmp_path / "corpora" / "waves_yesno"
    for name in NAMES:
        tone(folder / f"{name}.wav", seconds=0.1)
    (folder / "README").write_text("about the corpus")
    return folder


def prepare(corpus: Path, output: Path, **options: Any) -> dict[str, Path]:
    return prepare_corpus("yesno", options, corpus=corpus, output=output)


def test_text_is_the_file_name_in_words(corpus: Path, tmp_path: Path) -> None:
    test = read_manifest(prepare(corpus, tmp_path / "out")["test"])
    texts = {one.id: one.text for one in test}
    assert texts["1_0_0_0_0_1_0_0"] == "yes no no no no yes no no"
    assert all(one.duration == pytest.approx(0.1) for one in test)


def test_last_thirty_by_name_are_the_test(corpus: Path, tmp_path: Path) -> None:
    manifests = prepare(corpus, tmp_path / "out")
    ids = {name: [one.id for one in read_manifest(path)] for name, path in manifests.items()}
    assert ids["test"] == NAMES[30:]
    assert sorted(ids["train"] + ids["dev"]) == NAMES[:30]
    assert (len(ids["train"]), len(ids["dev"])) == (25, 5)


@pytest.mark.parametrize("count", [1, 4, 15])
def test_dev_has_as_many_files_as_asked_for(corpus: Path, tmp_path: Path, count: int) -> None:
    manifests = prepare(corpus, tmp_path / "out", dev=count)
    assert len(read_manifest(manifests["dev"])) == count
    assert len(read_manifest(manifests["train"])) == 30 - count


def test_dev_cannot_take_all_the_training_files(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key 'dev'.*less than or equal to 15.*30"):
        prepare(corpus, tmp_path / "out", dev=30)


def test_missing_recordings_are_counted(corpus: Path, tmp_path: Path) -> None:
    (corpus / f"{NAMES[7]}.wav").unlink()
    with pytest.raises(DataError, match=r"59 recordings .* came, yesno has 60"):
        prepare(corpus, tmp_path / "out")


def test_recording_of_another_corpus_is_named(corpus: Path, tmp_path: Path, tone: Any) -> None:
    tone(corpus / "hello.wav")
    with pytest.raises(DataError, match=r"not named by zeros and ones .*1 \(hello\.wav\)"):
        prepare(corpus, tmp_path / "out")


def test_missing_corpus_is_downloaded_once(
    corpus: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        tar.add(corpus, arcname="waves_yesno")
    server.content = memory.getvalue()
    checksum = ("sha256", hashlib.sha256(server.content).hexdigest())
    monkeypatch.setattr(yesno, "_ARCHIVE", Archive(server.url, "waves_yesno", checksum))
    monkeypatch.setenv("ASR_CORPORA", str(tmp_path / "elsewhere"))
    for _ in range(2):
        manifests = prepare_corpus("yesno", {}, corpus=None, output=tmp_path / "out")
    assert len(server.ranges) == 1
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["waves_yesno"]
    audio = read_manifest(manifests["test"])[0].audio_path
    assert audio == tmp_path / "elsewhere" / "waves_yesno" / f"{NAMES[30]}.wav"


def test_real_corpus_has_eight_words_a_file(tmp_path: Path) -> None:
    corpus = Path(os.environ.get("ASR_CORPORA", ""), "waves_yesno")
    if "ASR_CORPORA" not in os.environ or not corpus.is_dir():
        pytest.skip("needs waves_yesno below ASR_CORPORA")
    manifests = prepare(corpus, tmp_path)
    utterances = [one for path in manifests.values() for one in read_manifest(path)]
    assert len(utterances) == 60
    assert all(len((one.text or "").split()) == 8 for one in utterances)
    assert all(4 < one.duration < 8 and one.sample_rate == 8000 for one in utterances)


def spoken(path: Path, *, words: int = 8, rate: int = 8000) -> None:
    """Write bursts of noise with pauses between them."""
    chance = np.random.default_rng(len(path.stem) + words)
    parts = [np.zeros(rate // 4)]
    for number in range(words):
        length, pause = 0.3 + 0.02 * number, 0.2 + 0.01 * number
        parts += [chance.normal(0, 0.2, round(length * rate)), np.zeros(round(pause * rate))]
    samples = np.concatenate(parts)
    soundfile.write(path, samples + chance.normal(0, 1e-3, len(samples)), rate)


def test_strings_are_joined_from_words_cut_in_the_pauses(corpus: Path, tmp_path: Path) -> None:
    name = NAMES[7]
    spoken(corpus / f"{name}.wav")
    lengths, longest = [0.3 + 0.02 * number for number in range(8)], 0.27
    said = dict(enumerate(name.replace("0", "no").replace("1", "yes").split("_")))
    lines = read_manifest(prepare(corpus, tmp_path / "out", strings=20)["train"])
    strings = [one for one in lines if "recordings" in one.extra]
    assert len(strings) == 20
    for one in strings:
        words = [int(word.removeprefix(f"{name}-")) for word in one.extra["recordings"]]
        assert one.text == " ".join(said[word] for word in words)
        cut = sum(lengths[word] + 0.2 for word in words)  # with 0.1 s on either side
        pauses = (len(words) + 1) * (2 * longest + 0.2)
        assert cut - 0.06 * len(words) <= one.duration <= cut + 0.06 * len(words) + pauses
        assert soundfile.info(one.audio_path).duration == pytest.approx(one.duration)
    used = {word for one in strings for word in one.extra["recordings"]}
    assert used == {f"{name}-{number}" for number in range(8)}


@pytest.mark.parametrize("words", [7, 9])
def test_file_without_seven_clear_pauses_is_used_whole_only(
    corpus: Path, tmp_path: Path, words: int, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken(corpus / f"{NAMES[7]}.wav", words=words)
    lines = read_manifest(prepare(corpus, tmp_path / "out", strings=5)["train"])
    assert [one.id for one in lines if "recordings" in one.extra] == []
    said = capsys.readouterr().err
    assert "yesno: 25 of 25 training files are not cut into words" in said
    assert f"25 ({NAMES[1]}, {NAMES[2]}, {NAMES[3]} ...)" in said
    assert NAMES[7] in {one.id for one in lines}


def test_only_files_that_lend_no_words_are_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        spoken(corpus / f"{name}.wav", words=7 if name == NAMES[8] else 8)
    prepare(corpus, tmp_path / "out", strings=5)
    assert "yesno: 1 of 25 training files" in (said := capsys.readouterr().err)
    assert f": 1 ({NAMES[8]})" in said
    prepare(corpus, tmp_path / "none", strings=0)
    assert capsys.readouterr().err == ""


def test_dev_and_test_are_whole_files_and_lend_no_words(corpus: Path, tmp_path: Path) -> None:
    for name in NAMES:
        spoken(corpus / f"{name}.wav")
    splits = {
        name: read_manifest(path)
        for name, path in prepare(corpus, tmp_path / "out", strings=40).items()
    }
    sizes = {name: len(lines) for name, lines in splits.items()}
    assert sizes == {"train": 25 + 40, "dev": 5, "test": 30}
    lent = {
        word.rsplit("-", 1)[0]
        for one in splits["train"]
        for word in one.extra.get("recordings", [])
    }
    assert lent <= {one.id for one in splits["train"]}


def test_the_pauses_of_the_files_are_heard_between_the_words_of_the_strings(
    corpus: Path, tmp_path: Path
) -> None:
    """A tone stands in the long pause at the end of a file, and nowhere else."""
    path = corpus / f"{NAMES[7]}.wav"
    spoken(path)
    samples, rate = soundfile.read(path)
    tone = 0.005 * np.sin(2 * np.pi * 3000 * np.arange(rate) / rate)
    soundfile.write(path, np.concatenate([samples, tone]), rate)
    lines = read_manifest(prepare(corpus, tmp_path / "out", strings=20)["train"])
    places = []
    for one in lines:
        if "recordings" in one.extra:
            string, _ = soundfile.read(one.audio_path)
            second = np.abs(np.fft.rfft(string[: rate // 2]))
            places.append(second[1500] > 3 * np.median(second))
    assert any(places), "it opens some strings"
    assert not all(places)
