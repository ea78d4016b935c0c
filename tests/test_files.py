import errno
import os
import stat
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.files import whole_file, write_text


def test_a_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/out.txt"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert os.listdir(path.parent) == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "out.txt", "a much longer first version")
    write_text(tmp_path / "out.txt", "zwölf\u2028")
    assert (tmp_path / "out.txt").read_bytes() == "zwölf\u2028".encode()


def test_a_result_is_as_readable_as_the_users_other_files(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "out", "x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "out")]
    assert modes[0] == modes[1]


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(DataError, match=r"file.below\.txt: cannot be written"):
        write_text(tmp_path / "file" / "below.txt", "words")


def test_folder_in_the_way_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with pytest.raises(DataError, match="report: cannot be written"):
        write_text(tmp_path / "report", "words")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, text: str, **_: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(DataError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_text(tmp_path / "a.txt", "words")
    assert not list(tmp_path.iterdir())
