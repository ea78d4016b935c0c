"""What a stage was made from and what it made, as kept in its folder; content hashes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from asr.files import write_text
from asr.settings import flatten

RECORD = "stage.json"  # in a finished folder
MARKER = "partial.json"  # in a folder that is being worked on
_NO_CONTENT = {RECORD, MARKER}

_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class Provenance:
    """All that decides what a stage makes; its key changes exactly if one of these does."""

    stage: str
    settings: Mapping[str, Any]  # plain JSON data
    external: str  # fingerprint of what lies outside the experiment
    inputs: Mapping[str, str]  # stage name -> content hash of its folder

    @property
    def key(self) -> str:
        """SHA-256 as 64 hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Marker:
    """Stands in a partial folder: whose work is in it."""

    provenance: Provenance
    seconds: float  # worked so far, where the earlier runs could still note it
    runs: int  # how often it was started
    launch: str  # the torchrun launch that works on it

    def write(self, folder: Path) -> None:
        """Write it into a partial folder, whole or not at all."""
        _write_json(folder / MARKER, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read a partial folder's marker; None where there is none that can be read."""
        return _read(cls, folder / MARKER)


@dataclass(frozen=True)
class StageRecord:
    """Stands in a finished folder: how it came about and what is in it."""

    stage: str
    key: str
    provenance: Provenance
    output: str  # content hash of the folder
    files: Mapping[str, int]  # path in the folder -> bytes
    seconds: float  # see `Marker.seconds`
    runs: int
    version: str  # of this package
    finished: str  # ISO 8601, with the time zone
    changed_by: str = ""  # the command that has changed the files since

    def write(self, folder: Path) -> None:
        """Write it into a folder whose content is complete."""
        _write_json(folder / RECORD, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read a finished folder's record; None where there is none that can be read."""
        return _read(cls, folder / RECORD)

    def damage(self, folder: Path) -> str:
        """Say which file is missing or has another size; '' if none. Reads no file."""
        for name, size in self.files.items():
            path = folder / name
            if not path.is_file():
                return f"damaged: {name} is missing"
            if path.stat().st_size != size:
                return f"damaged: {name} has {path.stat().st_size} bytes, {size} were written"
        return ""


def record_change(folder: Path, command: str) -> None:
    """Note in a finished folder, if it is one, that a command has changed the files in it.

    What the stages after it made from the old files is out of date from then on.
    """
    record = StageRecord.read(folder)
    if record:
        files = list_files(folder)
        output = content_hash(folder, files)
        replace(record, files=files, output=output, changed_by=command).write(folder)


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back (tuples are lists), so that they compare equal."""
    data: dict[str, Any] = json.loads(json.dumps(settings))
    return data


def list_files(folder: Path) -> dict[str, int]:
    """Size in bytes of every file below a folder, by its path there; the engine's own left out."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    return {name: size for name, size in names.items() if name not in _NO_CONTENT}


def content_hash(folder: Path, names: Mapping[str, int]) -> str:
    """SHA-256 over the names and contents of the files, whatever their dates are."""
    total = hashlib.sha256()
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{digest} {name}\0".encode())
    return total.hexdigest()


def changes(old: Provenance, new: Provenance) -> list[str]:
    """Say in words what differs."""
    found = []
    settings = _changed_settings(old.settings, new.settings)
    if settings:
        more = f" and {len(settings) - 3} more" if len(settings) > 3 else ""
        found.append(f"settings changed: {', '.join(settings[:3])}{more}")
    if old.external != new.external:
        found.append("files outside the experiment changed")
    for name in sorted({*old.inputs, *new.inputs}):
        if old.inputs.get(name) != new.inputs.get(name):
            found.append(f"input '{name}' changed")
    return found


def _changed_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = flatten(old), flatten(new)
    words = []
    for key in sorted({*before, *after}):
        if before.get(key, _ABSENT) != after.get(key, _ABSENT):
            words.append(f"{key} {_show(before, key)} -> {_show(after, key)}")
    return words


_ABSENT = object()


def _show(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "(not set)"


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _read(kind: type[_Kept], path: Path) -> _Kept | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return kind(**data | {"provenance": Provenance(**data["provenance"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
