"""Hypothesis files, and the demand that no recording of a test set is missing."""

import json
from pathlib import Path

import pytest

from asr.decoding.hypotheses import (
    collect,
    hypothesis_line,
    require_all,
    write_hypotheses,
)
from asr.decoding.hypothesis import Hypothesis
from asr.errors import AudioError
from asr.manifest import Utterance
from asr.scoring.transcripts import read_attributed

HYPOTHESES = {
    "jo-2": Hypothesis('l\'été "là"\u2028', (1,), (0,), -1.23456),
    "jo-1": Hypothesis("", (), (), 0.0),
}


def utterances(count: int) -> list[Utterance]:
    return [Utterance(f"u{number}", Path(f"u{number}.wav"), 1.0) for number in range(count)]


def test_the_scorer_reads_what_is_written(tmp_path: Path) -> None:
    write_hypotheses(tmp_path / "test.jsonl", HYPOTHESES)
    expected = {identifier: one.text for identifier, one in HYPOTHESES.items()}
    assert read_attributed(tmp_path / "test.jsonl").texts == expected


def test_a_line_has_id_text_and_score() -> None:
    line = hypothesis_line("jo-2", HYPOTHESES["jo-2"])
    assert json.loads(line) == {"id": "jo-2", "text": 'l\'été "là"\u2028', "score": -1.2346}
    assert "\n" not in line
    assert "été" in line, "readable, not escaped"


def test_hypotheses_are_collected_by_id() -> None:
    one, other = utterances(2)
    answers = [(other, HYPOTHESES["jo-1"]), (one, HYPOTHESES["jo-2"])]
    found = require_all(answers, total=2, what="test")
    assert found == {"u0": HYPOTHESES["jo-2"], "u1": HYPOTHESES["jo-1"]}


def test_every_recording_that_failed_is_counted_and_the_first_are_named() -> None:
    answers = [
        (one, AudioError(f"{one.audio_path}: silent") if one.id != "u3" else HYPOTHESES["jo-1"])
        for one in utterances(8)
    ]
    with pytest.raises(Exception, match="test: 7 of 8 recordings cannot be transcribed") as raised:
        require_all(answers, total=8, what="test")
    message = str(raised.value)
    assert "u0: u0.wav: silent; u1: u1.wav: silent" in message
    assert "; …" in message
    assert "u3" not in message


def test_errors_are_kept_apart_and_all_of_them() -> None:
    answers = [
        (one, HYPOTHESES["jo-1"] if one.id == "u3" else AudioError(f"{one.id} is bad"))
        for one in utterances(8)
    ]
    hypotheses, errors = collect(answers, total=8, what="test")
    assert hypotheses == {"u3": HYPOTHESES["jo-1"]}
    assert {name: str(error) for name, error in errors.items()} == {
        f"u{number}": f"u{number} is bad" for number in (0, 1, 2, 4, 5, 6, 7)
    }


def test_nothing_is_said_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    require_all([(utterances(1)[0], HYPOTHESES["jo-1"])], total=1, what="test")
    assert capsys.readouterr().out == ""
