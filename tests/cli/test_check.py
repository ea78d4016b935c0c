import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_speech import make_texts, write_utterances

from asr.cli import main
from asr.manifest import Utterance, read_manifest, write_manifest


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


def test_findings_that_are_only_reported_end_with_status_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["room 12", "no"])
    assert run(monkeypatch, manifest, "--html", tmp_path / "check.html") == 0
    captured = capsys.readouterr()
    (line,) = [line for line in captured.out.splitlines() if "digits" in line]
    assert "reported" in line
    assert "u0: 2 in 'room 12'" in line
    assert "hours a minute" in captured.err
    assert "room 12" in (tmp_path / "check.html").read_text()


def test_leakage_is_found_at_the_later_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [make_manifest(tmp_path / name, ["yes", "no"]) for name in ("train", "test")]
    assert run(monkeypatch, *sets, "--json", tmp_path / "found.json") == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found[str(sets[0])]["problems"] == {}
    assert found[str(sets[1])]["problems"] == {"leak-audio": 2, "leak-speaker": 1}
    assert "speaker 'jo' of 2 utterances is in" in capsys.readouterr().out


def test_bad_lines_and_ids_given_twice_are_findings_and_fix_leaves_them_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes", "no"])
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], "{}", lines[1], lines[0], ""]))
    output = tmp_path / "clean.jsonl"
    assert run(monkeypatch, manifest, "--fix", output) == 2
    captured = capsys.readouterr()
    assert "line 2: key 'audio_filepath' is missing" in captured.out
    assert "clean.jsonl: 2 utterances; 2 were left out" in captured.err
    assert [one.id for one in read_manifest(output)] == ["u0", "u1"]
    assert run(monkeypatch, output) == 0
    assert run(monkeypatch, manifest, "--fix", output) == 2
    assert "clean.jsonl is there already" in capsys.readouterr().err
    assert run(monkeypatch, manifest, "--fix", output, "--force") == 2
    assert "were left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fix", "b.jsonl"], "2 manifests came; expected one"),
        (["--json", "M"], "this file is given for two things"),
        (["--json", "x", "--html", "x"], "x: this file is given for two things"),
        (["--set", "clippedshare=1"], "unknown key 'clippedshare'; did you mean 'clipped_share'"),
        (["--lm", "nowhere.txt"], "--lm nowhere.txt: cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes"])
    monkeypatch.chdir(tmp_path)
    given = [str(manifest) if one == "M" else one for one in arguments]
    assert run(monkeypatch, manifest, manifest, *given) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_problem_that_there_is_not_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes"])
    assert run(monkeypatch, manifest, "--fix", tmp_path / "b.jsonl", "--remove", "clip") == 2
    assert "--remove clip: not a problem; there are: " in capsys.readouterr().err


def test_a_limit_can_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "yes or no"
    manifest = make_manifest(tmp_path / "a", [text, text])
    run(monkeypatch, manifest)
    assert "duplicate-text" not in capsys.readouterr().out
    run(monkeypatch, manifest, "--set", "repeated_words=3")
    assert "duplicate-text" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["words.txt", "lm.arpa"])
def test_words_that_the_language_model_lacks_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = {
        "words.txt": "yes 1\nno 2\n",
        "lm.arpa": "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-1\t</s>\n-1\tyes\n"
        "-1\tno\n\n\\end\\\n",
    }
    (tmp_path / name).write_text(words[name])
    manifest = make_manifest(tmp_path / "a", ["yes no", "Yes maybe"])
    assert run(monkeypatch, manifest, "--lm", tmp_path / name) == 0
    assert "u1: 'maybe' in 'yes maybe'" in capsys.readouterr().out


def test_with_a_model_likely_wrong_transcripts_are_ranked(
    tone_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    utterances = write_utterances(tmp_path / "a", make_texts(30, seed=9), name="u")
    utterances[7] = replace(utterances[7], text=(utterances[7].text or "")[::-1] + "z")
    write_manifest(tmp_path / "m.jsonl", utterances)
    found = tmp_path / "found.json"
    assert run(monkeypatch, tmp_path / "m.jsonl", "--model", tone_model, "--json", found) == 2
    assert "'z' (U+007A) x 1" in capsys.readouterr().out
    ranking = json.loads(found.read_text())[str(tmp_path / "m.jsonl")]["ranking"]
    assert len(ranking) == 30
    assert ranking[0]["id"] == "u-007"
    assert ranking[0]["excess"] > ranking[1]["excess"]
