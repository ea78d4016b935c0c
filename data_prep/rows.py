"""Rows of the user's own data: read from a table, or found in a folder with .txt files."""

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asr.audio import AUDIO_SUFFIXES
from asr.errors import ConfigError, DataError

# The names that a column of each kind has where the user does not say.
_USUAL_NAMES = {
    "path": ("path", "audio", "file", "filename", "audio_filepath", "wav"),
    "text": ("text", "transcript", "sentence", "transcription"),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "split": ("split", "subset"),
}
_NAMED = 5


@dataclass(frozen=True)
class Row:
    """One recording and its transcript, as the user wrote them; nothing is checked yet."""

    where: str  # "line 3", or the file in a folder
    path: str  # as written
    audio: Path
    text: str
    speaker: str | None = None
    split: str | None = None  # "": there is a split column, and the cell is empty
    problem: str | None = None  # why the row cannot be used, where that is known already


def walk(folder: Path) -> list[Path]:
    """Return all files below a folder, sorted; hidden files and folders are left out.

    Links to folders are followed, and no folder is entered twice.
    """
    found: list[Path] = []
    entered: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        seen = (name for name in folders if not name.startswith("."))
        # Links last: what lies in the folder itself keeps its own names.
        folders[:] = sorted(seen, key=lambda name: (Path(place, name).is_symlink(), name))
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
    return sorted(found)


def read_folder(folder: Path) -> Iterator[Row]:
    """Yield a row for each recording below a folder; `jo/a.wav` is transcribed in `jo/a.txt`.

    Raises:
        DataError: there are no recordings.
    """
    files = walk(folder)
    recordings = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not recordings:
        raise DataError(
            f"{folder}: no recordings in this folder; expected {', '.join(AUDIO_SUFFIXES)} files, "
            "each with a .txt file of the same name"
        )
    _name_lonely_texts(folder, files, recordings)
    first: dict[Path, Path] = {}
    for path in recordings:
        stem = path.with_suffix("")
        text, problem = _read_text(stem.with_name(f"{stem.name}.txt"))
        if stem in first:
            problem = f"{first[stem].name} has the same transcript; keep one of the two"
        first.setdefault(stem, path)
        name = path.relative_to(folder).as_posix()
        yield Row(name, name, path, text, problem=problem)


def read_table(path: Path, columns: Mapping[str, str | None]) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file; blank lines are passed over.

    Args:
        columns: kind ("path", "text", "speaker", "split") -> the column's name; None looks for the
            usual names of that kind.

    Raises:
        ConfigError: there is no column of a name that was given.
        DataError: the file is not UTF-8 or not well formed, or has no column of paths or texts.
    """
    text = _decode(path)
    header = next(line for line in text.splitlines() if line.strip())
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=header.count)
    # Tab- and bar-separated corpora (Common Voice, LJ Speech) write quotes as plain characters.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter in "\t|" else csv.QUOTE_MINIMAL
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
    yield from _to_rows(_numbered(reader, path), path, columns)


def _name_lonely_texts(folder: Path, files: list[Path], recordings: list[Path]) -> None:
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".txt"}
    lonely = sorted(texts.keys() - {path.with_suffix("") for path in recordings})
    if lonely:
        names = ", ".join(str(texts[stem].relative_to(folder)) for stem in lonely[:_NAMED])
        more = ", ..." if len(lonely) > _NAMED else ""
        print(
            f"{folder}: {len(lonely)} .txt files have no recording: {names}{more}", file=sys.stderr
        )


def _read_text(path: Path) -> tuple[str, str | None]:
    try:
        return path.read_text(encoding="utf-8-sig").strip(), None
    except FileNotFoundError:
        return "", f"there is no transcript {path.name} beside it"
    except (OSError, UnicodeDecodeError) as error:
        return "", f"{path.name} is not readable UTF-8 text ({error})"


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the table as "
            "UTF-8, which spreadsheets call 'CSV UTF-8'"
        ) from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty; expected a header and a row a recording")
    return text


def _numbered(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the number of the line on which it starts."""
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}:{start}: not a well-formed row ({error}); is a quotation mark not closed? "
            'A quotation mark inside a quoted text is written twice ("")'
        ) from None


def _to_rows(
    lines: Iterator[tuple[int, list[str]]], path: Path, names: Mapping[str, str | None]
) -> Iterator[Row]:
    _, header = next(lines, (0, []))
    columns = _find_columns([name.strip() for name in header], path, names)
    for number, cells in lines:
        if len(cells) == len(header):
            cell = {kind: cells[index] for kind, index in columns.items()}
            yield _to_row(cell, path.parent, f"line {number}")
            continue
        problem = (
            f"has {len(cells)} cells, the header has {len(header)}; a text with the delimiter "
            "in it needs quotation marks around it"
        )
        yield Row(f"line {number}", cells[0], path.parent / cells[0], "", problem=problem)


def _to_row(cell: Mapping[str, str], folder: Path, where: str) -> Row:
    name = cell["path"].strip()
    return Row(
        where=where,
        path=name,
        audio=folder / name,
        text=cell["text"],
        speaker=cell.get("speaker", "").strip() or None,
        split=cell["split"].strip() if "split" in cell else None,
        problem=None if name else "no path",
    )


def _find_columns(header: list[str], path: Path, names: Mapping[str, str | None]) -> dict[str, int]:
    """Find the columns: kind -> index. Columns that are optional and not there are left out."""
    lowered = [name.lower() for name in header]
    there = ", ".join(f"'{name}'" for name in header)
    columns = {}
    for kind, usual in _USUAL_NAMES.items():
        chosen = names[kind]
        wanted = usual if chosen is None else (chosen.strip().lower(),)
        found = next((name for name in wanted if name in lowered), None)
        if found is not None:
            columns[kind] = lowered.index(found)
        elif chosen is not None:
            raise ConfigError(
                f"{path}: {kind}_column is '{chosen}', but the columns are {there}; "
                f"set {kind}_column to one of them"
            )
        elif kind in ("path", "text"):
            raise DataError(
                f"{path}: no {kind} column found: the columns are {there}, expected one named "
                f"{', '.join(usual)}; set {kind}_column to the right one"
            )
    return columns
