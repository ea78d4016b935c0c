import os
from pathlib import Path

import pytest

import data_prep
from asr.errors import ConfigError, DataError


def test_every_corpus_keeps_the_interface() -> None:
    for name in data_prep.CORPORA:
        module = data_prep.load_corpus(name)
        assert module.FOLDER is None or isinstance(module.FOLDER, str)
        assert callable(module.prepare)
        assert module.Options.model_config["extra"] == "forbid"


def test_unknown_corpus_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'librispech' is not known; did you mean 'librispeech'"):
        data_prep.load_corpus("librispech")


def test_corpus_far_from_all_names_is_pointed_to_own_data() -> None:
    with pytest.raises(ConfigError, match="for your own data use 'table'"):
        data_prep.load_corpus("qqq")


def test_named_folder_is_the_corpus_or_the_folder_around_it(tmp_path: Path) -> None:
    corpus = tmp_path / "waves_yesno"
    corpus.mkdir()
    assert data_prep.locate("yesno", corpus) == corpus
    assert data_prep.locate("yesno", tmp_path) == corpus


def test_environment_says_where_corpora_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_CORPORA", "/somewhere")
    assert data_prep.locate("fsdd", None) == Path("/somewhere/free-spoken-digit-dataset")
    monkeypatch.delenv("ASR_CORPORA")
    assert data_prep.locate("fsdd", None) == Path("corpora/free-spoken-digit-dataset")


def test_corpus_without_a_folder_has_no_place() -> None:
    assert data_prep.locate("synthesize", None) is None


def test_named_folder_that_is_missing_is_never_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such corpus folder"):
        data_prep.prepare_corpus("yesno", {}, corpus=tmp_path / "nowhere", output=tmp_path / "out")


def test_unknown_option_names_corpus_and_nearest_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus 'fsdd': unknown key 'heldout'.*'held_out'"):
        data_prep.prepare_corpus("fsdd", {"heldout": "theo"}, corpus=tmp_path, output=tmp_path)


def test_fingerprint_follows_name_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "waves_yesno" / "a" / "b.wav"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"12")
    os.utime(file, ns=(1, 1))

    def look() -> str:
        return data_prep.corpus_fingerprint("yesno", {}, tmp_path)

    seen = [look()]
    assert look() == seen[0]
    os.utime(file, ns=(2, 2))
    seen.append(look())
    file.write_bytes(b"123")
    os.utime(file, ns=(2, 2))
    seen.append(look())
    file.rename(file.with_name("c.wav"))
    seen.append(look())
    assert len(set(seen)) == 4


def test_link_that_leads_nowhere_counts_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "waves_yesno"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"12")

    def look() -> str:
        return data_prep.corpus_fingerprint("yesno", {}, tmp_path)

    before = look()
    (folder / "b.wav").symlink_to(tmp_path / "gone.wav")
    dangling = look()
    (tmp_path / "gone.wav").write_bytes(b"12")
    assert len({before, dangling, look()}) == 3


def test_corpus_not_there_yet_has_no_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_CORPORA", str(tmp_path))
    assert data_prep.corpus_fingerprint("fsdd", {}, None) == ""
