import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from asr.errors import DataError
from data_prep.unpack import unpack

Make = Callable[[Path, dict[str, bytes]], None]


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def make_gzipped_tar(path: Path, files: dict[str, bytes]) -> None:
    make_tar(path, files, "w:gz")


def make_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)


every_format = pytest.mark.parametrize("make", [make_tar, make_gzipped_tar, make_zip])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A place for an archive, two folders deep so that `..` has somewhere to go."""
    (tmp_path / "around" / "corpora").mkdir(parents=True)
    return tmp_path / "around" / "corpora" / "archive"


def refuse(archive: Path, match: str) -> None:
    """Unpacking fails with this message and changes nothing anywhere."""
    around = archive.parent.parent.parent
    before = sorted(around.rglob("*"))
    with pytest.raises(DataError, match=match):
        unpack(archive, archive.parent / "corpus", inside="corpus")
    assert sorted(around.rglob("*")) == before


@every_format
def test_files_and_folders_come_out_as_they_went_in(make: Make, archive: Path) -> None:
    files = {"corpus/a.txt": b"a", "corpus/b/c.bin": bytes(100_000), "corpus/b/empty": b""}
    make(archive, files)
    unpack(archive, archive.parent / "got", inside="corpus")
    got = {
        path.relative_to(archive.parent / "got").as_posix(): path.read_bytes()
        for path in (archive.parent / "got").rglob("*")
        if path.is_file()
    }
    assert got == {name.removeprefix("corpus/"): content for name, content in files.items()}


@every_format
@pytest.mark.parametrize(
    "name", ["../evil", "corpus/../../evil", "corpus/..", "corpus\\..\\..\\evil"]
)
def test_path_that_climbs_out_is_refused(make: Make, archive: Path, name: str) -> None:
    make(archive, {"corpus/good": b"good", name: b"evil"})
    refuse(archive, r"refused: member '.*' is a path with '\.\.'")


@every_format
@pytest.mark.parametrize("name", ["/evil", "C:\\evil", "\\evil"])
def test_absolute_path_is_refused(make: Make, archive: Path, name: str) -> None:
    make(archive, {"corpus/good": b"good", name: b"evil"})
    refuse(archive, r"refused: member '.*evil' is an absolute path")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("goal", ["../../..", "/etc/passwd", "good"])
def test_link_in_a_tar_is_refused(archive: Path, kind: bytes, goal: str) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("corpus/link")
        entry.type, entry.linkname = kind, goal
        tar.addfile(entry)
        through = tarfile.TarInfo("corpus/link/evil")
        through.size = 4
        tar.addfile(through, io.BytesIO(b"evil"))
    refuse(archive, f"refused: member 'corpus/link' is a link to '{goal}'")


def test_link_in_a_zip_is_refused(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as zipped:
        entry = zipfile.ZipInfo("corpus/link")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(entry, "../../..")
    refuse(archive, "refused: member 'corpus/link' is a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(archive: Path, kind: bytes) -> None:
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("corpus/device")
        entry.type = kind
        tar.addfile(entry)
    refuse(archive, "refused: member 'corpus/device' is a device or pipe")


def test_name_that_comes_twice_is_refused(archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("corpus/a"))
    refuse(archive, "corpus/a' comes twice")


@every_format
def test_archive_without_the_folder_says_what_it_has(make: Make, archive: Path) -> None:
    make(archive, {"another/a.txt": b"a"})
    refuse(archive, "folder 'corpus' was expected; it has: another")


def test_archive_cut_short_is_refused(archive: Path) -> None:
    make_gzipped_tar(archive, {"corpus/a": bytes(range(256)) * 1000})
    archive.write_bytes(archive.read_bytes()[:-30])
    refuse(archive, "damaged archive .*download it again")


def test_wrong_gzip_checksum_is_refused(archive: Path) -> None:
    make_gzipped_tar(archive, {"corpus/a": b"a"})
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1  # the first byte of the checksum
    archive.write_bytes(content)
    refuse(archive, "damaged archive .*CRC")


def test_damaged_zip_is_refused(archive: Path) -> None:
    make_zip(archive, {"corpus/a": b"hello" * 100})
    content = bytearray(archive.read_bytes())
    content[40] ^= 0xFF
    archive.write_bytes(content)
    refuse(archive, "damaged archive")


def test_failed_check_leaves_nothing(archive: Path) -> None:
    def check(folder: Path) -> None:
        raise DataError(f"{len(list(folder.iterdir()))} of 2 are there")

    make_tar(archive, {"corpus/a": b"a"})
    with pytest.raises(DataError, match="1 of 2 are there"):
        unpack(archive, archive.parent / "corpus", inside="corpus", check=check)
    assert [path.name for path in archive.parent.iterdir()] == ["archive"]


def test_folder_that_exists_is_left_alone(archive: Path) -> None:
    make_tar(archive, {"corpus/a": b"new"})
    (archive.parent / "corpus").mkdir()
    (archive.parent / "corpus" / "mine").write_text("kept")
    refuse(archive, "exists already")
