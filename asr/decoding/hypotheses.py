"""Hypothesis files: one JSON object a line, with an utterance's id, its text and the score."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

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
    record = {"id": identifier, "text": hypothesis.text, "score": round(hypothesis.score, 4)}
    return json.dumps(record, ensure_ascii=False)


def require_all(
    answers: Iterable[tuple[Utterance, Hypothesis | AsrError]], *, total: int, what: str
) -> dict[str, Hypothesis]:
    """Collect the hypotheses of a test set, with a progress bar.

    Raises:
        DataError: naming the recordings that could not be transcribed.
    """
    hypotheses: dict[str, Hypothesis] = {}
    errors: list[str] = []
    console = Console(stderr=True)
    hidden = not console.is_terminal
    for utterance, answer in track(
        answers, what, total=total, console=console, disable=hidden, transient=True
    ):
        if isinstance(answer, AsrError):
            errors.append(f"{utterance.id}: {answer}")
        else:
            hypotheses[utterance.id] = answer
    if errors:
        more = "; …" if len(errors) > 5 else ""
        raise DataError(
            f"{what}: {len(errors)} of {total} recordings cannot be transcribed: "
            f"{'; '.join(errors[:5])}{more}; mend them, or take them out of the test set"
        )
    return hypotheses
