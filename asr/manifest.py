"""Utterances and JSON-lines manifests with NeMo's keys.

    {"audio_filepath": "a.wav", "duration": 1.5, "text": "yes", "id": "a", "speaker": "jo"}

Relative audio paths are relative to the manifest's own folder, so a corpus folder can be moved.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from asr.errors import DataError
from asr.files import whole_file

_KNOWN = {"audio_filepath", "duration", "text", "offset", "id", "speaker", "sample_rate"}


@dataclass(frozen=True)
class Utterance:
    """One stretch of one recording, and what was said in it."""

    id: str
    audio_path: Path
    duration: float  # seconds
    text: str | None = None  # None: not transcribed
    offset: float = 0.0  # seconds from the start of the file
    speaker: str | None = None
    sample_rate: int | None = None  # Hz, as recorded in the file
    extra: Mapping[str, Any] = field(default_factory=dict)  # further keys, kept as they came


def read_manifest(path: Path) -> list[Utterance]:
    """Read and validate a JSON-lines manifest.

    Raises:
        DataError: with file, line number and key, for anything that is not as it should be.
    """
    utterances: list[Utterance] = []
    first_line: dict[str, int] = {}
    for number, utterance in read_lines(path):
        if isinstance(utterance, DataError):
            raise utterance
        if utterance.id in first_line:
            raise DataError(
                f"{path}:{number}: key 'id': '{utterance.id}' was given already on line "
                f"{first_line[utterance.id]}; every utterance needs an id of its own"
            )
        first_line[utterance.id] = number
        utterances.append(utterance)
    if not utterances:
        raise DataError(f"{path}: the manifest has no utterances; expected one JSON object a line")
    return utterances


def read_lines(path: Path) -> Iterator[tuple[int, Utterance | DataError]]:
    """Read a manifest line by line: line numbers, and the utterance or what is wrong with it.

    Raises:
        DataError: the file is missing or not UTF-8.
    """
    try:
        # Not splitlines: it also cuts at characters that JSON allows in a string (U+2028).
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such manifest; check the path") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a readable UTF-8 manifest ({error})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, _parse_line(line, f"{path}:{number}", path.parent)
        except DataError as error:
            yield number, error


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest, whole or not at all; audio below its folder is named relative to it."""
    folder = Path(os.path.abspath(path.parent))
    with whole_file(path) as temporary, _open(temporary) as file:
        for utterance in utterances:
            file.write(json.dumps(_to_record(utterance, folder), ensure_ascii=False) + "\n")


def _open(path: Path) -> TextIO:
    # Half a pair of UTF-16 becomes the escape that it was in the JSON it came from.
    return path.open("w", encoding="utf-8", errors="backslashreplace")


def _parse_line(line: str, where: str, folder: Path) -> Utterance:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}); expected one JSON object") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: {type(record).__name__} came; expected one JSON object")
    audio = _value(record, "audio_filepath", str, where, required=True)
    duration = _seconds(record, "duration", where, required=True)
    identifier = _value(record, "id", str, where)
    sample_rate = _value(record, "sample_rate", int, where)
    if sample_rate is not None and sample_rate <= 0:
        raise DataError(f"{where}: key 'sample_rate': {sample_rate} came; expected Hz above 0")
    offset = _seconds(record, "offset", where) or 0.0
    return Utterance(
        id=identifier or _default_id(audio, offset),
        audio_path=folder / audio,
        duration=duration or 0.0,
        text=_value(record, "text", str, where),
        offset=offset,
        speaker=_value(record, "speaker", str, where),
        sample_rate=sample_rate,
        extra={key: value for key, value in record.items() if key not in _KNOWN},
    )


def _default_id(audio: str, offset: float) -> str:
    """An id for the manifests (NeMo's own) that have none: the path, and where in the file."""
    stem = str(Path(audio).with_suffix(""))
    return f"{stem}@{offset:.2f}" if offset else stem


def _value(
    record: dict[str, Any], key: str, kind: type, where: str, *, required: bool = False
) -> Any:
    value = record.get(key)
    if value is None:
        if required:
            raise DataError(f"{where}: key '{key}' is missing; every line needs it")
        return None
    wrong_type = not isinstance(value, kind) or isinstance(value, bool)
    if wrong_type or (kind is str and key != "text" and not value):
        raise DataError(f"{where}: key '{key}': {value!r} came; expected {_EXPECTED[kind]}")
    return value


_EXPECTED = {str: "a non-empty string", int: "a whole number"}


def _seconds(
    record: dict[str, Any], key: str, where: str, *, required: bool = False
) -> float | None:
    value = record.get(key)
    if value is None and not required:
        return None
    if value is None:
        raise DataError(f"{where}: key '{key}' is missing; every line needs it (in seconds)")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{where}: key '{key}': {value!r} came; expected a number of seconds")
    try:
        seconds = float(value)
    except OverflowError:  # a whole number of 400 digits
        value = seconds = math.inf
    if not math.isfinite(seconds) or seconds < 0:
        raise DataError(f"{where}: key '{key}': {value} came; expected seconds, 0 or more")
    return seconds


def _to_record(utterance: Utterance, folder: Path) -> dict[str, Any]:
    audio = Path(os.path.abspath(utterance.audio_path))
    inside = audio.is_relative_to(folder)
    record: dict[str, Any] = {
        "id": utterance.id,
        "audio_filepath": audio.relative_to(folder).as_posix() if inside else str(audio),
        "duration": round(utterance.duration, 6),
    }
    optional = {
        "offset": utterance.offset or None,
        "text": utterance.text,
        "speaker": utterance.speaker,
        "sample_rate": utterance.sample_rate,
    }
    record.update({key: value for key, value in optional.items() if value is not None})
    return record | dict(utterance.extra)
