import io
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from asr.errors import ConfigError, DataError
from asr.manifest import read_manifest
from data_prep import corpus_fingerprint, librispeech, prepare_corpus

SUBSETS = ("train-clean-5", "own-training", "dev-clean-2")


@pytest.fixture
def corpus(tmp_path: Path, tone: Any) -> Path:
    """Three subsets of one chapter and three utterances each; the second one's audio is Opus."""
    root = tmp_path / "corpora" / "LibriSpeech"
    for reader, subset in enumerate(SUBSETS, start=10):
        chapter = root / subset / str(reader) / "7"
        suffix = ".opus" if subset == "own-training" else ".flac"
        lines = []
        for number in range(3):
            identifier = f"{reader}-7-{number:04d}"
            tone(chapter / f"{identifier}{suffix}", seconds=0.5 + number / 10, rate=16000)
            lines.append(f"{identifier} HELLO IT'S NUMBER {number}\n")
        (chapter / f"{reader}-7.trans.txt").write_text("".join(lines))
    return root


def prepare(corpus: Path, output: Path, **options: Any) -> dict[str, Path]:
    return prepare_corpus("librispeech", options, corpus=corpus, output=output)


def test_default_is_mini_librispeech(corpus: Path, tmp_path: Path) -> None:
    manifests = prepare(corpus, tmp_path / "out")
    assert list(manifests) == ["train", "dev"]
    utterances = read_manifest(manifests["train"])
    assert [one.id for one in utterances] == ["10-7-0000", "10-7-0001", "10-7-0002"]
    assert [one.text for one in utterances] == [f"HELLO IT'S NUMBER {n}" for n in range(3)]
    assert [one.duration for one in utterances] == pytest.approx([0.5, 0.6, 0.7])
    assert {(one.speaker, one.sample_rate) for one in utterances} == {("10", 16000)}
    assert utterances[1].audio_path == corpus / "train-clean-5" / "10" / "7" / "10-7-0001.flac"


def test_flac_and_opus_subsets_make_one_training_set(corpus: Path, tmp_path: Path) -> None:
    manifests = prepare(corpus, tmp_path / "out", train=["train-clean-5", "own-training"])
    kinds = Counter(one.audio_path.suffix for one in read_manifest(manifests["train"]))
    assert kinds == {".flac": 3, ".opus": 3}


def test_flac_is_preferred_where_both_are_there(corpus: Path, tmp_path: Path, tone: Any) -> None:
    tone(corpus / "own-training/11/7/11-7-0001.flac", seconds=0.9, rate=16000)
    manifests = prepare(corpus, tmp_path / "out", train="own-training")
    suffixes = [one.audio_path.suffix for one in read_manifest(manifests["train"])]
    assert suffixes == [".opus", ".flac", ".opus"]


def test_each_test_subset_is_a_split_of_its_own_name(corpus: Path, tmp_path: Path) -> None:
    manifests = prepare(corpus, tmp_path / "out", test=["own-training", "dev-clean-2"])
    assert list(manifests) == ["train", "dev", "own-training", "dev-clean-2"]
    assert read_manifest(manifests["dev-clean-2"]) == read_manifest(manifests["dev"])
    assert {one.speaker for one in read_manifest(manifests["own-training"])} == {"11"}


def test_missing_subset_lists_those_there_and_those_known(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no subset 'dev-other'") as caught:
        prepare(corpus, tmp_path / "out", dev="dev-other")
    assert "there: dev-clean-2, own-training, train-clean-5;" in str(caught.value)
    assert "train-clean-100" in str(caught.value)


def test_utterances_without_a_recording_are_counted_and_named(corpus: Path, tmp_path: Path) -> None:
    for number in (0, 2):
        (corpus / f"train-clean-5/10/7/10-7-000{number}.flac").unlink()
    with pytest.raises(DataError, match=r"without a recording: 2 \(10-7-0000, 10-7-0002\)"):
        prepare(corpus, tmp_path / "out")


def test_recordings_without_a_transcript_are_counted_and_named(
    corpus: Path, tmp_path: Path, tone: Any
) -> None:
    tone(corpus / "train-clean-5/10/7/10-7-0003.flac")
    with pytest.raises(DataError, match=r"recordings without a transcript: 1 \(10-7-0003\)"):
        prepare(corpus, tmp_path / "out")


def test_empty_subset_is_an_error(corpus: Path, tmp_path: Path) -> None:
    (corpus / "empty").mkdir()
    with pytest.raises(DataError, match="empty: nothing like READER/CHAPTER"):
        prepare(corpus, tmp_path / "out", train="empty")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("10-7-0001\n", "utterance '10-7-0001' has no text"),
        ("10-7-0000 AGAIN\n", "utterance '10-7-0000' comes twice"),
    ],
)
def test_bad_transcript_line_is_named_by_its_number(
    corpus: Path, tmp_path: Path, line: str, problem: str
) -> None:
    path = corpus / "train-clean-5/10/7/10-7.trans.txt"
    path.write_text("10-7-0000 HELLO\n" + line)
    with pytest.raises(DataError, match=rf"10-7\.trans\.txt:2: {problem}"):
        prepare(corpus, tmp_path / "out")


def test_unreadable_recordings_are_counted_and_named(corpus: Path, tmp_path: Path) -> None:
    (corpus / "train-clean-5/10/7/10-7-0001.flac").write_bytes(b"no audio at all")
    with pytest.raises(DataError, match=r"1 of 3 recordings cannot be read: .*10-7-0001\.flac"):
        prepare(corpus, tmp_path / "out")


def test_training_data_cannot_be_dev_or_test_data(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="subset 'train-clean-5' is in train and in dev or test"):
        prepare(corpus, tmp_path / "out", test="train-clean-5")


def test_fingerprint_sees_the_chosen_subsets_only(corpus: Path, tone: Any) -> None:
    before = corpus_fingerprint("librispeech", {}, corpus)
    tone(corpus / "own-training/11/7/11-7-0003.flac")
    assert corpus_fingerprint("librispeech", {}, corpus) == before
    tone(corpus / "dev-clean-2/12/7/12-7-0003.flac")
    assert corpus_fingerprint("librispeech", {}, corpus) != before


def serve_subset(server: Any, corpus: Path, subset: str) -> None:
    """Let the server give a subset as the archive of its public home, and remove the folder."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        tar.add(corpus / subset, arcname=f"LibriSpeech/{subset}")
    server.content = memory.getvalue()
    (corpus / subset).rename(corpus.parent / "moved away")


def test_missing_subset_is_downloaded_beside_the_others(
    corpus: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_subset(server, corpus, "dev-clean-2")
    monkeypatch.setenv("ASR_CORPORA", str(corpus.parent))
    monkeypatch.setattr(librispeech, "_URL", server.url)
    monkeypatch.setattr(librispeech, "_MINI_UTTERANCES", {"dev-clean-2": 3})
    manifests = prepare_corpus("librispeech", {}, corpus=None, output=tmp_path / "out")
    assert len(read_manifest(manifests["dev"])) == 3
    assert sorted(path.name for path in corpus.iterdir()) == sorted(SUBSETS)
    assert len(server.ranges) == 1


def test_downloaded_subset_that_is_not_whole_is_refused(
    corpus: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_subset(server, corpus, "dev-clean-2")
    monkeypatch.setenv("ASR_CORPORA", str(corpus.parent))
    monkeypatch.setattr(librispeech, "_URL", server.url)
    with pytest.raises(DataError, match="dev-clean-2: 3 utterances came, 1089 were expected"):
        prepare_corpus("librispeech", {}, corpus=None, output=tmp_path / "out")
    assert sorted(path.name for path in corpus.iterdir()) == ["own-training", "train-clean-5"]


def test_nothing_is_downloaded_where_one_subset_has_no_home(
    corpus: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_subset(server, corpus, "dev-clean-2")
    monkeypatch.setenv("ASR_CORPORA", str(corpus.parent))
    monkeypatch.setattr(librispeech, "_URL", server.url)
    with pytest.raises(DataError, match="no subset 'unheard-of'"):
        prepare_corpus("librispeech", {"test": "unheard-of"}, corpus=None, output=tmp_path)
    assert server.ranges == []


def test_real_training_half_has_its_1519_utterances(tmp_path: Path) -> None:
    corpus = Path(os.environ.get("ASR_CORPORA", ""), "LibriSpeech")
    if "ASR_CORPORA" not in os.environ or not (corpus / "train-clean-5").is_dir():
        pytest.skip("needs LibriSpeech/train-clean-5 below ASR_CORPORA")
    others = sorted(path.name for path in corpus.iterdir() if path.name.startswith("dev-clean"))
    if not others:
        pytest.skip("needs a dev-clean subset below ASR_CORPORA")
    manifests = prepare(corpus, tmp_path, dev=others[0])
    utterances = read_manifest(manifests["train"])
    assert len(utterances) == 1519
    assert len({one.speaker for one in utterances}) == 28
    assert sum(one.duration for one in utterances) / 3600 == pytest.approx(5.3, abs=0.1)
