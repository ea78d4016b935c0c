import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.doctor.cleaning import refuse_existing, removed_path, write_cleaned
from asr.doctor.examination import check_manifest
from asr.doctor.findings import CheckReport, Finding
from asr.doctor.settings import CheckSettings
from asr.errors import ConfigError, DataError
from asr.manifest import Utterance, read_manifest
from asr.text import Normalizer

RATE = 8000


def examine(folder: Path, texts: dict[str, str]) -> CheckReport:
    utterances = []
    noise = np.random.default_rng(0)
    for name, text in texts.items():
        path = folder / f"{name}.wav"
        soundfile.write(path, noise.uniform(-0.5, 0.5, RATE), RATE)
        utterances.append(Utterance(name, path, 1.0, text, extra={"take": 3}))
    # The last one once more, with the same id.
    utterances.append(replace(utterances[-1], text="once more"))
    return check_manifest(utterances, CheckSettings(), normalizer=Normalizer("basic"))


def read_removed(output: Path) -> dict[str, list[str]]:
    lines = removed_path(output).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {
        record.get("id", record.get("line")): [one["problem"] for one in record["removed"]]
        for record in records
    }


def test_what_is_kept_and_what_is_removed_is_the_manifest(tmp_path: Path) -> None:
    report = examine(tmp_path, {"a": "yes", "b": "?!", "c": "room 12", "d": "no"})
    before = sorted(path.read_bytes() for path in tmp_path.glob("*.wav"))
    output = tmp_path / "clean.jsonl"
    cleaned = write_cleaned(output, report, set())
    kept = read_manifest(output)
    assert [(one.id, one.text, dict(one.extra)) for one in kept] == [
        ("a", "yes", {"take": 3}),
        ("c", "room 12", {"take": 3}),
        ("d", "no", {"take": 3}),
    ]
    assert all(one.audio_path.exists() for one in kept)
    assert read_removed(output) == {"b": ["empty-text"], "d": ["duplicate-id"]}
    assert (cleaned.kept, cleaned.removed) == (3, 2)
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.wav")) == before


def test_what_is_only_reported_is_removed_where_that_is_asked_for(tmp_path: Path) -> None:
    report = examine(tmp_path, {"a": "yes", "b": "?!", "c": "room 12", "d": "no"})
    output = tmp_path / "clean.jsonl"
    write_cleaned(output, report, {"digits"})
    assert [one.id for one in read_manifest(output)] == ["a", "d"]
    assert read_removed(output)["c"] == ["digits"]


def test_the_first_of_two_with_one_id_stays_though_the_other_is_a_copy(tmp_path: Path) -> None:
    report = examine(tmp_path, {"a": "yes", "d": "no"})
    assert report.counts["duplicate-audio"] == 1
    write_cleaned(tmp_path / "clean.jsonl", report, {"duplicate-audio"})
    assert [(one.id, one.text) for one in read_manifest(tmp_path / "clean.jsonl")] == [
        ("a", "yes"),
        ("d", "no"),
    ]


def test_lines_that_nobody_can_read_are_listed(tmp_path: Path) -> None:
    report = examine(tmp_path, {"a": "yes", "d": "no"})
    bad = Finding("line 3", None, "bad-line", "not JSON")
    output = tmp_path / "clean.jsonl"
    assert write_cleaned(output, report.with_findings([bad]), set()).removed == 2
    assert read_removed(output) == {"d": ["duplicate-id"], "line 3": ["bad-line"]}


def test_nothing_is_written_where_nothing_is_left(tmp_path: Path) -> None:
    report = examine(tmp_path, {"a": "?", "b": "!"})
    report = replace(report, examined=report.examined[:2])
    with pytest.raises(DataError, match=r"clean\.jsonl: no utterance is left"):
        write_cleaned(tmp_path / "clean.jsonl", report, set())
    assert not list(tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize("there", ["clean.jsonl", "clean.removed.jsonl"])
def test_files_that_are_there_are_not_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).touch()
    with pytest.raises(ConfigError, match=rf"{there} is there already.*--force"):
        refuse_existing(tmp_path / "clean.jsonl")
