import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.cli import main
from asr.manifest import Utterance, write_manifest


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `asr check` as the console script does; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["asr", "check", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def make_manifest(folder: Path, texts: list[str]) -> Path:
    noise = np.random.default_rng(0)
    utterances = []
    folder.mkdir()
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        soundfile.write(path, noise.uniform(-0.5, 0.5, 8000), 8000)
        utterances.append(Utterance(f"u{number}", path, 1.0, text, speaker="jo"))
    write_manifest(folder / "m.jsonl", utterances)
    return folder / "m.jsonl"


def test_good_data_ends_with_status_0_and_its_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, make_manifest(tmp_path / "a", ["Yes!", "no way"])) == 0
    out = capsys.readouterr().out
    assert "2 utterances, 0 of them unusable; 0.00 hours; 1 speakers" in out
    assert "characters per second: 3.0 to 6.0, median 4.5" in out
    assert "8 characters used: y 2" in out


def test_unusable_utterances_are_listed_and_end_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes", "", "no"])
    (tmp_path / "a/2.wav").write_text("not sound")
    assert run(monkeypatch, manifest, "--json", tmp_path / "found.json") == 2
    out = capsys.readouterr().out
    assert "3 utterances, 2 of them unusable" in out
    assert [line for line in out.splitlines() if "u1" in line and "empty-text" in line]
    assert [line for line in out.splitlines() if "u2" in line and "unreadable" in line]
    found = json.loads((tmp_path / "found.json").read_text())[str(manifest)]
    assert [finding["id"] for finding in found["findings"]] == ["u1", "u2"]


def test_a_bad_manifest_does_not_keep_the_others_from_being_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    assert run(monkeypatch, bad, make_manifest(tmp_path / "a", ["yes"])) == 2
    captured = capsys.readouterr()
    assert "bad.jsonl:1: key 'audio_filepath' is missing" in captured.err
    assert "1 utterances, 0 of them unusable" in captured.out


def test_the_longest_length_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, make_manifest(tmp_path / "a", ["yes"]), "--max-seconds", "0.5") == 2
    assert "too-long" in capsys.readouterr().out


def test_many_findings_are_cut_off_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, make_manifest(tmp_path / "a", [""] * 53)) == 2
    assert "and 50 more" in capsys.readouterr().out


def test_an_unknown_normaliser_ends_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes"])
    assert run(monkeypatch, manifest, "--normalizer", "x") == 2
    assert "normalizer 'x' is not known" in capsys.readouterr().err
