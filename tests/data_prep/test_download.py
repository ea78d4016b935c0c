import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from full_disk import no_room_beyond

from asr.errors import DataError
from data_prep.download import Archive, fetch, install

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = ("sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "corpora" / "corpus.tar.gz"


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_download_has_the_servers_bytes(server: Any, target: Path) -> None:
    server.content = CONTENT
    fetch(server.url, target, checksum=SHA256)
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["corpus.tar.gz"]
    assert server.ranges == [None]


def test_cut_download_goes_on_where_it_stopped(server: Any, target: Path) -> None:
    server.content = CONTENT
    server.cuts = [300_000, 500_000]
    fetch(server.url, target, checksum=SHA256)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=800000-"]


def test_download_given_up_goes_on_the_next_time(server: Any, target: Path) -> None:
    server.content = CONTENT
    server.cuts = [400_000, 0, 0, 0]
    with pytest.raises(DataError, match=r"failed 3 times.*400000 bytes.*run the command again"):
        fetch(server.url, target, checksum=SHA256)
    assert left_over(target) == ["corpus.tar.gz.part"]
    server.cuts, server.ranges = [], []
    fetch(server.url, target, checksum=SHA256)
    assert server.ranges == ["bytes=400000-"]
    assert target.read_bytes() == CONTENT


def test_server_that_ignores_ranges_is_read_from_the_start(server: Any, target: Path) -> None:
    server.content = CONTENT
    server.knows_ranges = False
    server.cuts = [300_000]
    fetch(server.url, target)
    assert server.ranges == [None, "bytes=300000-"]
    assert target.read_bytes() == CONTENT


def test_server_that_tells_no_length_is_believed(server: Any, target: Path) -> None:
    server.content = CONTENT
    server.tells_length = False
    fetch(server.url, target, checksum=SHA256)
    assert target.read_bytes() == CONTENT


def test_part_that_is_whole_already_is_taken(server: Any, target: Path) -> None:
    server.content = CONTENT
    target.parent.mkdir()
    target.with_name("corpus.tar.gz.part").write_bytes(CONTENT)
    fetch(server.url, target, checksum=SHA256)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]
    assert target.read_bytes() == CONTENT


def test_part_longer_than_the_file_is_dropped(server: Any, target: Path) -> None:
    server.content = CONTENT
    target.parent.mkdir()
    target.with_name("corpus.tar.gz.part").write_bytes(CONTENT + b"more")
    fetch(server.url, target, checksum=SHA256)
    assert target.read_bytes() == CONTENT


def test_overloaded_server_is_asked_again(server: Any, target: Path) -> None:
    server.content = CONTENT
    server.passing_failures = 2
    fetch(server.url, target)
    assert target.read_bytes() == CONTENT


def test_missing_file_is_not_asked_for_twice(server: Any, target: Path) -> None:
    server.status = 404
    with pytest.raises(DataError, match=r"corpus.tar.gz: the server answered 404 .*--corpus"):
        fetch(server.url, target)
    assert len(server.ranges) == 1
    assert left_over(target) == []


def test_nobody_at_the_address_is_an_error(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_prep.download.RETRY_WAITS", ())
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(DataError, match=r"failed 1 times.*Connection refused"):
        fetch("http://127.0.0.1:9/corpus.tar.gz", target)


def test_wrong_bytes_are_removed(server: Any, target: Path) -> None:
    server.content = b"wrong" + CONTENT[5:]
    came = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(DataError, match=rf"has sha256 {came}, expected {SHA256[1]}; removed"):
        fetch(server.url, target, checksum=SHA256)
    assert left_over(target) == []


def test_file_that_is_there_is_checked_and_not_asked_for(server: Any, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    fetch(server.url, target, checksum=SHA256)
    assert server.ranges == []
    target.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"7 bytes.*expected"):
        fetch(server.url, target, checksum=SHA256)
    assert not target.exists()


def test_folder_that_cannot_be_made_is_named(server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file: a download cannot be written.*ASR_CORPORA"):
        fetch(server.url, tmp_path / "file" / "corpus.tar.gz")


def make_archive(names: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        for name, content in names.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def accept(folder: Path) -> None:
    assert (folder / "a.txt").read_bytes() == b"hello"


def test_installed_corpus_is_the_folder_and_nothing_else(server: Any, tmp_path: Path) -> None:
    server.content = make_archive({"top/inner/a.txt": b"hello", "top/other.txt": b"not taken"})
    folder = tmp_path / "corpora" / "inner"
    install(Archive(server.url, "top/inner"), folder, check=accept)
    assert (folder / "a.txt").read_bytes() == b"hello"
    assert left_over(folder) == ["inner"]


def test_corpus_that_fails_its_check_leaves_nothing(server: Any, tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        raise DataError(f"{len(list(folder.iterdir()))} file came, 3000 were expected")

    server.content = make_archive({"top/a.txt": b"hello"})
    folder = tmp_path / "corpora" / "top"
    with pytest.raises(DataError, match="1 file came, 3000 were expected"):
        install(Archive(server.url, "top"), folder, check=refuse)
    assert left_over(folder) == []


def test_corpus_with_an_empty_file_leaves_nothing(server: Any, tmp_path: Path) -> None:
    server.content = make_archive({"top/a.txt": b"hello", "top/b.wav": b""})
    folder = tmp_path / "corpora" / "top"
    with pytest.raises(DataError, match=r"1 files of 0 bytes came, such as b\.wav"):
        install(Archive(server.url, "top"), folder, check=accept)
    assert left_over(folder) == []


def test_download_that_finds_no_room_is_kept(server: Any, tmp_path: Path) -> None:
    server.content = make_archive({"top/a.txt": b"hello", "top/zeros": bytes(1 << 16)})
    folder = tmp_path / "corpora" / "corpus"
    archive = Archive(server.url, "top")
    with (
        pytest.raises(DataError, match=r"corpus\.archive: cannot be unpacked .*too large.*is kept"),
        no_room_beyond(1 << 15),
    ):
        install(archive, folder, check=accept)
    assert left_over(folder) == ["corpus.archive"]
    asked = len(server.ranges)
    install(archive, folder, check=accept)
    assert left_over(folder) == ["corpus"]
    assert len(server.ranges) == asked


def test_page_instead_of_an_archive_is_refused(server: Any, tmp_path: Path) -> None:
    server.content = b"<html>log in to this network first</html>" * 100
    folder = tmp_path / "corpora" / "top"
    with pytest.raises(DataError, match=r"top\.archive: damaged archive"):
        install(Archive(server.url, "top"), folder, check=accept)
    assert left_over(folder) == []
