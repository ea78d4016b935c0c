"""Transcripts to score, from manifests, hypothesis files, Kaldi's text, sclite's trn and ctm."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from asr.errors import DataError
from asr.manifest import Utterance, read_manifest
from asr.scoring.lines import first_few, read_lines, read_text, unique
from asr.scoring.sclite import CtmWord, read_ctm, read_trn

Missing = Literal["error", "count"]

_FORMATS = (
    "a JSON-lines manifest, JSON lines with 'id' and 'text', lines of 'id text', "
    "or sclite's .trn, .ctm or .stm"
)


class TranscriptPair(NamedTuple):
    """What was said and what was recognised in one utterance."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Transcripts:
    """What a file says of each utterance, by its id and in the file's order."""

    texts: Mapping[str, str]
    # What else is known: speaker, duration in seconds, words with times, and a manifest's own keys.
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_utterances(path: Path) -> list[Utterance]:
    """The recordings of a manifest; none where the file is no manifest."""
    if path.suffix in {".trn", ".ctm", ".stm"}:
        return []
    return read_manifest(path) if _is_manifest(path, list(read_lines(path, _FORMATS))) else []


def read_attributed(path: Path) -> Transcripts:
    """Read transcripts and what else is said of their utterances.

    The file is a JSON-lines manifest, a hypothesis file (JSON lines with `id` and `text`), sclite's
    `.trn` or `.ctm` (whose recordings are the utterances), told by these suffixes, or Kaldi's
    `id text`, where a line with an id only is an empty transcript.

    Raises:
        DataError: naming file and line, for anything that is not as it should be.
    """
    if path.suffix == ".trn":
        return Transcripts(read_trn(path))
    if path.suffix == ".ctm":
        return _ctm_transcripts(path)
    if path.suffix == ".stm":
        raise DataError(f"{path}: an .stm came; expected it as the reference of .ctm hypotheses")
    lines = list(read_lines(path, _FORMATS))
    if not lines:
        raise DataError(f"{path}: there are no transcripts in it; expected {_FORMATS}")
    if _is_manifest(path, lines):
        return _manifest_transcripts(path)
    if not lines[0][1].startswith("{"):
        return Transcripts(unique(path, ((number, *_parse_kaldi(line)) for number, line in lines)))
    records = unique(path, _records(path, lines))
    return Transcripts({key: record["text"] for key, record in records.items()}, records)


def read_parallel(path: Path) -> Transcripts:
    """Read a transcript a line; the id of each is its line's number, from 1. Raises DataError."""
    text = read_text(path, "a transcript a line")
    lines = text.removesuffix("\n").split("\n") if text else []
    return Transcripts({str(number): line.strip() for number, line in enumerate(lines, start=1)})


def word_records(words: list[CtmWord]) -> list[dict[str, Any]]:
    """Words with times as hypothesis files have them; confidence None where it is not known."""
    return [
        {
            "text": word.text,
            "start": word.start,
            "end": word.start + word.duration,
            "confidence": word.confidence,
        }
        for word in words
    ]


def match(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    *,
    where: str = "transcripts",
    missing: Missing = "error",
) -> list[TranscriptPair]:
    """Pair references with hypotheses by id, in the order of the references.

    Args:
        references: by utterance id.
        hypotheses: by utterance id.
        where: what messages call them.
        missing: whether a missing hypothesis is an error or counts as empty.

    Raises:
        DataError: naming the first ids that only one side has, and how many there are.
    """
    lacking = [identifier for identifier in references if identifier not in hypotheses]
    extra = [identifier for identifier in hypotheses if identifier not in references]
    problems = []
    if lacking and missing == "error":
        problems.append(
            f"{len(lacking)} of {len(references)} references have no hypothesis "
            f"({first_few(lacking)})"
        )
    if extra:
        problems.append(
            f"{len(extra)} of {len(hypotheses)} hypotheses have no reference ({first_few(extra)})"
        )
    if problems:
        raise DataError(
            f"{where}: {'; '.join(problems)}; expected the same ids on both sides: "
            "decode the very utterances that are scored"
        )
    return [TranscriptPair(key, text, hypotheses.get(key, "")) for key, text in references.items()]


def _is_manifest(path: Path, lines: list[tuple[int, str]]) -> bool:
    """Whether the first line is a JSON object that names a recording."""
    if not lines or not lines[0][1].startswith("{"):
        return False
    number, line = lines[0]
    return "audio_filepath" in _parse_json(line, f"{path}:{number}")


def _parse_kaldi(line: str) -> tuple[str, str]:
    identifier, *rest = line.split(maxsplit=1)
    return identifier, rest[0] if rest else ""


def _records(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, line in lines:
        where = f"{path}:{number}"
        record = _parse_json(line, where)
        identifier, text = record.get("id"), record.get("text")
        if not isinstance(identifier, str) or not identifier:
            raise DataError(f"{where}: key 'id': {identifier!r} came; expected a non-empty string")
        if not isinstance(text, str):
            raise DataError(
                f"{where}: key 'text': {text!r} came; expected a transcript, '' if empty"
            )
        speaker, duration = record.get("speaker"), record.get("duration")
        if not isinstance(speaker, str | int | None):
            raise DataError(f"{where}: key 'speaker': {speaker!r} came; expected a name")
        if speaker is not None:
            record["speaker"] = str(speaker)
        if not isinstance(duration, int | float | None) or not math.isfinite(duration or 0):
            raise DataError(f"{where}: key 'duration': {duration!r} came; expected seconds")
        yield number, identifier, record


def _parse_json(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}); expected one JSON object") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: {type(record).__name__} came; expected one JSON object")
    return record


def _manifest_transcripts(path: Path) -> Transcripts:
    utterances = read_manifest(path)
    untranscribed = [utterance.id for utterance in utterances if utterance.text is None]
    if untranscribed:
        raise DataError(
            f"{path}: {len(untranscribed)} of {len(utterances)} utterances have no key 'text' "
            f"({first_few(untranscribed)}); scoring needs a transcript of each ('' if nothing "
            "is said)"
        )
    return transcripts_of(utterances)


def transcripts_of(utterances: Iterable[Utterance]) -> Transcripts:
    """What a manifest says of its utterances; one that is not transcribed says nothing."""
    listed = list(utterances)
    return Transcripts(
        {utterance.id: utterance.text or "" for utterance in listed},
        {
            utterance.id: {
                **utterance.extra,
                "speaker": utterance.speaker,
                "duration": utterance.duration,
            }
            for utterance in listed
        },
    )


def _ctm_transcripts(path: Path) -> Transcripts:
    channels = read_ctm(path)
    recordings = [recording for recording, _ in channels]
    twice = sorted({one for one in recordings if recordings.count(one) > 1})
    if twice:
        raise DataError(
            f"{path}: {len(twice)} recordings have several channels ({first_few(twice)}); "
            "expected one, or an stm file as reference, which has the channels too"
        )
    return Transcripts(
        {name: " ".join(word.text for word in words) for (name, _), words in channels.items()},
        {name: {"words": word_records(words)} for (name, _), words in channels.items()},
    )
