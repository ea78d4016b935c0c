"""Opening a packed model: what cannot be opened is named, and nothing is left behind."""

import tempfile
from pathlib import Path

import pytest
from flashlight.lib.text.dictionary import Dictionary

from asr.decoding.language_model import open_language_model, unpacked_ahead
from asr.errors import ModelError
from asr.lm.packed import write_packed
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams

NAMES = Dictionary(["a", "b", "<unk>"])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / "text").write_text("a b\nb a b\n")
    write_packed(tmp_path / "lm", train_ngrams([tmp_path / "text"], NgramSettings(order=2)).model)
    return tmp_path / "lm"


def first_score(path: Path) -> float:
    model = open_language_model(path, NAMES)
    return float(model.score(model.start(False), 0)[1])


def test_a_file_that_is_no_language_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none: not a packed n-gram model \(.*[Nn]o such file"):
        open_language_model(tmp_path / "none", NAMES)
    (tmp_path / "lm.arpa").write_text("\\data\\\n")
    with pytest.raises(ModelError, match=r"lm\.arpa: not a packed n-gram model"):
        open_language_model(tmp_path / "lm.arpa", NAMES)


def test_the_temporary_file_is_gone_when_the_model_is_open(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    model = open_language_model(packed, NAMES)
    assert list(place.iterdir()) == []
    assert model.score(model.start(False), 0)[1] < 0, "and it still speaks"
    assert capfd.readouterr() == ("", ""), "the library keeps quiet"


def test_where_there_is_no_room_to_unpack_is_said(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("asr.decoding.language_model.write_kenlm", full)
    with pytest.raises(ModelError, match=r"lm: cannot be unpacked into .*No space left.*TMPDIR"):
        open_language_model(packed, NAMES)


def test_a_model_unpacked_ahead_is_opened_once_and_gone(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    (tmp_path / "text").write_text("a a a\n")
    other = tmp_path / "other"
    write_packed(other, train_ngrams([tmp_path / "text"], NgramSettings(order=2)).model)
    alone = first_score(packed)
    with unpacked_ahead(packed):
        assert first_score(other) != alone, "another path is another model"
        assert first_score(packed) == alone
        assert not [path for path in place.rglob("*") if path.is_file()]
        assert first_score(packed) == alone, "as often as it is asked for"
    assert not list(place.iterdir())


def test_what_is_wrong_is_said_where_the_model_is_opened(tmp_path: Path) -> None:
    """Not before: whatever else is wrong comes first, as if nothing had begun."""
    (tmp_path / "lm").write_bytes(b"nonsense")
    with unpacked_ahead(tmp_path / "lm"):
        pass
    with (
        unpacked_ahead(tmp_path / "lm"),
        pytest.raises(ModelError, match="not a packed n-gram model"),
    ):
        open_language_model(tmp_path / "lm", NAMES)
