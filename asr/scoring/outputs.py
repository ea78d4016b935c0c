"""Scores and transcripts in the forms of NIST's sclite: trn, pra (alignments), ctm."""

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from asr.errors import DataError
from asr.files import write_text
from asr.scoring.error_rate import Edit
from asr.scoring.scored import ScoredSet, ScoredUtterance
from asr.text import Normalizer

_LETTER = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
_GAP = "***"


def write_trn(path: Path, scored: ScoredSet, *, reference: bool) -> None:
    """Write one side of a scored set as it was compared, normalised: `text (id)` a line."""
    side = "reference" if reference else "hypothesis"
    lines = []
    for utterance in scored.utterances:
        units = (getattr(edit, side) for edit in utterance.alignment.edits)
        text = " ".join(unit for unit in units if unit is not None)
        lines.append(f"{text} ({_safe(utterance.id)})".lstrip())
    _write_lines(path, lines)


def write_pra(path: Path, scored: ScoredSet) -> None:
    """Write every alignment, reference above hypothesis.

    As sclite's `pra`, but the case stays as it is: what is wrong is told by the line `Eval:`.
    """
    blocks = [_alignment_lines(utterance) for utterance in scored.utterances]
    _write_lines(path, [line for block in blocks for line in [*block, ""]])


def write_ctm(
    path: Path,
    scored: ScoredSet,
    attributes: Mapping[str, Mapping[str, Any]],
    *,
    normalizer: Normalizer,
) -> None:
    """Write the words with their times, each normalised by itself; the recordings are the ids.

    A rule that makes one word of several, as `english` does of numbers, makes others there.

    Raises:
        DataError: a hypothesis has text and no times.
    """
    lines = []
    for utterance in scored.utterances:
        words = attributes.get(utterance.id, {}).get("words")
        if words is None and any(edit.hypothesis for edit in utterance.alignment.edits):
            raise DataError(
                f"{scored.name}: id '{utterance.id}' has no key 'words' with times, which --ctm "
                "writes; 'asr decode' writes them, and .ctm files have them"
            )
        lines += _ctm_lines(_safe(utterance.id), words or [], normalizer, scored.name)
    _write_lines(path, lines)


def _ctm_lines(identifier: str, words: Any, normalizer: Normalizer, name: str) -> list[str]:
    lines = []
    if not isinstance(words, list):
        raise DataError(
            f"{name}: id '{identifier}': key 'words': {words!r} came; expected a list of objects"
        )
    for word in words:
        try:
            text, start, end = normalizer(word["text"]), word["start"], word["end"]
            confidence = word.get("confidence")
            given = "" if confidence is None else f" {confidence:.4f}"
            # A rule may make two words of one ("it's"): they share its time.
            parts = text.split()
            length = (end - start) / max(len(parts), 1)
            lines += [
                f"{identifier} 1 {start + number * length:.3f} {length:.3f} {part}{given}"
                for number, part in enumerate(parts)
            ]
        except (TypeError, KeyError, ValueError, AttributeError):
            raise DataError(
                f"{name}: id '{identifier}': {word!r} came in 'words'; expected objects with "
                "text, start and end (seconds)"
            ) from None
    return lines


def _alignment_lines(utterance: ScoredUtterance) -> list[str]:
    counts = utterance.words
    columns = [_column(edit) for edit in utterance.alignment.edits]
    rows = (
        (" ".join(cells).rstrip() for cells in zip(*columns, strict=True)) if columns else [""] * 3
    )
    said, heard, verdict = rows
    numbers = (counts.hits, counts.substitutions, counts.deletions, counts.insertions)
    return [
        f"id: ({_safe(utterance.id)})",
        f"Scores: (#C #S #D #I) {' '.join(map(str, numbers))}",
        f"REF:  {said}".rstrip(),
        f"HYP:  {heard}".rstrip(),
        f"Eval: {verdict}".rstrip(),
    ]


def _column(edit: Edit) -> tuple[str, str, str]:
    cells = (edit.reference or _GAP, edit.hypothesis or _GAP, _LETTER[edit.kind])
    width = max(map(cell_len, cells))
    said, heard, letter = (cell + " " * (width - cell_len(cell)) for cell in cells)
    return said, heard, letter


def _safe(identifier: str) -> str:
    """An id that cannot be taken for anything else: spaces, brackets and `%` percent-encoded."""
    return re.sub(r"[\s()%]|^;", lambda found: urllib.parse.quote(found[0], safe=""), identifier)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
