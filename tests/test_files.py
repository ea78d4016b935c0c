import errno
import os
import stat
from pathlib import Path

import pytest
from full_disk import no_room_beyond

from asr.errors import ConfigError, DataError
from asr.files import refuse_overlap, refuse_unwritable, whole_file, write_text


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


def test_a_disk_that_fills_up_within_the_block_is_named_too(tmp_path: Path) -> None:
    def fill(size: int) -> None:
        with whole_file(tmp_path / "a.txt") as temporary, temporary.open("wb") as file:
            file.write(bytes(size))

    fill(10)
    with (
        pytest.raises(DataError, match=r"a\.txt: cannot be written \(File too large\)"),
        no_room_beyond(1 << 16),
    ):
        fill(1 << 17)
    assert (tmp_path / "a.txt").read_bytes() == bytes(10)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_trouble_within_the_block_is_not_taken_for_the_disks(tmp_path: Path) -> None:
    def read() -> None:
        with whole_file(tmp_path / "a.txt"):
            (tmp_path / "none").read_bytes()

    with pytest.raises(FileNotFoundError, match="none"):
        read()


def test_a_link_goes_on_leading_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "inner" / "out.txt")
    for words in ("new", "newer"):
        write_text(tmp_path / "link", words)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "inner" / "out.txt").read_text() == words


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
def test_a_pipe_gets_what_is_written_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "words")
    assert os.read(reader, 100) == b"words"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_what_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below.txt", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match="cannot be written"):
            refuse_unwritable(path)
    refuse_unwritable(tmp_path / "new" / "out.txt")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_read_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "read")
    (tmp_path / "read").touch()
    refuse_overlap([tmp_path / "read"], [tmp_path / "written", None, Path(os.devnull)])
    for outputs in ([tmp_path / "read"], [tmp_path / "link"], [tmp_path / "x", tmp_path / "x"]):
        with pytest.raises(ConfigError, match="given for two things"):
            refuse_overlap([tmp_path / "read"], outputs)
