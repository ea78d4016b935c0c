"""Hypothesis files: one JSON object a line, with an utterance's id, its text and the score."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from asr.decoding.hypothesis import Hypothesis
from asr.errors import AsrError, DataError
from asr.files import whole_file
from asr.manifest import Utterance


def write_hypotheses(path: Path, hypotheses: Mapping[str, Hypothesis]) -> None:
    """Write hypotheses by utterance id, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for identifier, hypothesis in hypotheses.items():
            file.write(hypothesis_line(identifier, hypothesis) + "\n")


def hypothesis_line(identifier: str, hypothesis: Hypothesis) -> str:
    """One hypothesis as one line of JSON."""
    record: dict[str, Any] = {"id": identifier, "text": hypothesis.text}
    record["score"] = round(hypothesis.score, 4)
    if hypothesis.words:
        record["words"] = [
            {
                "text": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in hypothesis.words
        ]
    if hypothesis.others:
        every = [(hypothesis.text, hypothesis.score), *hypothesis.others]
        record["nbest"] = [{"text": text, "score": round(score, 4)} for text, score in every]
    return json.dumps(record, ensure_ascii=False)


def collect(
    answers: Iterable[tuple[Utterance, Hypothesis | AsrError]], *, total: int, what: str
) -> tuple[dict[str, Hypothesis], dict[str, AsrError]]:
    """Sort answers into hypotheses and errors, both by utterance id, with a progress bar."""
    hypotheses: dict[str, Hypothesis] = {}
    errors: dict[str, AsrError] = {}
    console = Console(stderr=True)
    hidden = not console.is_terminal
    for utterance, answer in track(
        answers, what, total=total, console=console, disable=hidden, transient=True
    ):
        if isinstance(answer, AsrError):
            errors[utterance.id] = answer
        else:
            hypotheses[utterance.id] = answer
    return hypotheses, errors


def require_all(
    answers: Iterable[tuple[Utterance, Hypothesis | AsrError]], *, total: int, what: str
) -> dict[str, Hypothesis]:
    """Collect the hypotheses of a test set, with a progress bar.

    Raises:
        DataError: naming the recordings that could not be transcribed.
    """
    hypotheses, errors = collect(answers, total=total, what=what)
    if errors:
        named = [f"{identifier}: {error}" for identifier, error in errors.items()]
        more = "; …" if len(named) > 5 else ""
        raise DataError(
            f"{what}: {len(named)} of {total} recordings cannot be transcribed: "
            f"{'; '.join(named[:5])}{more}; mend them, or take them out of the test set"
        )
    return hypotheses
