"""Transcripts to score: read from manifests, hypothesis files or Kaldi's text, matched by id."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from asr.errors import DataError
from asr.manifest import read_manifest

_FORMATS = "a JSON-lines manifest, JSON lines with 'id' and 'text', or lines of 'id text'"


class TranscriptPair(NamedTuple):
    """What was said and what was recognised in one utterance."""

    id: str
    reference: str
    hypothesis: str


def read_transcripts(path: Path) -> dict[str, str]:
    """Read the transcripts of a file, by utterance id and in the file's order.

    The file is a JSON-lines manifest, a hypothesis file (JSON lines with `id` and `text`), or
    Kaldi's `id text`, where a line with an id only is an empty transcript.

    Raises:
        DataError: naming file and line, for anything that is not as it should be.
    """
    lines = list(_lines(path))
    if not lines:
        raise DataError(f"{path}: there are no transcripts in it; expected {_FORMATS}")
    if _is_manifest(path, lines):
        return _manifest_transcripts(path)
    if not lines[0][1].startswith("{"):
        return _unique(path, ((number, *_parse_kaldi(line)) for number, line in lines))
    return _unique(path, ((number, *_parse_record(path, number, line)) for number, line in lines))


def read_speakers(path: Path) -> dict[str, str | None]:
    """Who speaks in each utterance, by id; empty where the file is no manifest."""
    if not _is_manifest(path, list(_lines(path))):
        return {}
    return {utterance.id: utterance.speaker for utterance in read_manifest(path)}


def match(
    references: Mapping[str, str], hypotheses: Mapping[str, str], *, where: str = "transcripts"
) -> list[TranscriptPair]:
    """Pair references with hypotheses by id, in the order of the references.

    Raises:
        DataError: naming the first ids that only one side has, and how many there are.
    """
    missing = [identifier for identifier in references if identifier not in hypotheses]
    extra = [identifier for identifier in hypotheses if identifier not in references]
    problems = []
    if missing:
        problems.append(
            f"{len(missing)} of {len(references)} references have no hypothesis "
            f"({_first_few(missing)})"
        )
    if extra:
        problems.append(
            f"{len(extra)} of {len(hypotheses)} hypotheses have no reference ({_first_few(extra)})"
        )
    if problems:
        raise DataError(
            f"{where}: {'; '.join(problems)}; expected the same ids on both sides: "
            "decode the very utterances that are scored"
        )
    return [TranscriptPair(key, text, hypotheses[key]) for key, text in references.items()]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and stripped lines, blank lines left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; expected {_FORMATS}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a readable UTF-8 text file ({error})") from None
    # Not splitlines: it also cuts at characters that may stand inside a transcript (U+2028).
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def _is_manifest(path: Path, lines: list[tuple[int, str]]) -> bool:
    """Whether the first line is a JSON object that names a recording."""
    if not lines or not lines[0][1].startswith("{"):
        return False
    number, line = lines[0]
    return "audio_filepath" in _parse_json(line, f"{path}:{number}")


def _unique(path: Path, transcripts: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    first_line: dict[str, int] = {}
    for number, identifier, text in transcripts:
        if identifier in texts:
            raise DataError(
                f"{path}:{number}: id '{identifier}' was given already on line "
                f"{first_line[identifier]}; expected one transcript an utterance: remove one"
            )
        texts[identifier] = text
        first_line[identifier] = number
    return texts


def _parse_kaldi(line: str) -> tuple[str, str]:
    identifier, *rest = line.split(maxsplit=1)
    return identifier, rest[0] if rest else ""


def _parse_record(path: Path, number: int, line: str) -> tuple[str, str]:
    where = f"{path}:{number}"
    record = _parse_json(line, where)
    identifier, text = record.get("id"), record.get("text")
    if not isinstance(identifier, str) or not identifier:
        raise DataError(f"{where}: key 'id': {identifier!r} came; expected a non-empty string")
    if not isinstance(text, str):
        raise DataError(f"{where}: key 'text': {text!r} came; expected a transcript, '' if empty")
    return identifier, text


def _parse_json(line: str, where: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}); expected one JSON object") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: {type(record).__name__} came; expected one JSON object")
    return record


def _manifest_transcripts(path: Path) -> dict[str, str]:
    utterances = read_manifest(path)
    untranscribed = [utterance.id for utterance in utterances if utterance.text is None]
    if untranscribed:
        raise DataError(
            f"{path}: {len(untranscribed)} of {len(utterances)} utterances have no key 'text' "
            f"({_first_few(untranscribed)}); scoring needs a transcript of each ('' if nothing "
            "is said)"
        )
    return {utterance.id: utterance.text or "" for utterance in utterances}


def _first_few(identifiers: list[str], most: int = 5) -> str:
    return ", ".join(identifiers[:most]) + (", …" if len(identifiers) > most else "")
