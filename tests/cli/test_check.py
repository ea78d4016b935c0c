import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_speech import make_texts, write_utterances

from asr.cli import main
from asr.lm.arpa import read_arpa
from asr.lm.packed import write_packed
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
        (["--set", "minseconds=1"], "unknown key 'minseconds'; did you mean 'min_seconds'"),
        (["--set", "max_seconds=9", "--max-seconds", "8"], "say the same; expected one of them"),
        (["--lm", "nowhere.txt"], "--lm nowhere.txt: cannot be read"),
        (["--remove", "clipped"], "--remove: came without --fix"),
        (["--remove", "nonsense"], "--remove: came without --fix"),
        (["--force"], "--force: came without --fix"),
        (["--device", "cpu"], "--device: came without --model"),
        (["--rank-by", "loss"], "--rank-by: came without --model"),
        (["--model", "m", "--normalizer", "none"], "--normalizer none: came with --model"),
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


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("likely-wrong", "found only with --model"),
        ("lm-oov", "found only with --lm"),
        ("leak-audio", "several utterances share it"),
        ("duplicate-text", "several utterances share it"),
    ],
)
def test_what_will_not_be_found_or_not_alone_cannot_be_removed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problem: str,
    message: str,
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes"])
    assert run(monkeypatch, manifest, "--fix", tmp_path / "b.jsonl", "--remove", problem) == 2
    assert f"--remove {problem}: {message}" in capsys.readouterr().err
    assert not (tmp_path / "b.jsonl").exists()


def test_a_limit_can_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "yes or no"
    manifest = make_manifest(tmp_path / "a", [text, text])
    run(monkeypatch, manifest)
    assert "duplicate-text" not in capsys.readouterr().out
    run(monkeypatch, manifest, "--set", "repeated_words=3")
    assert "duplicate-text" in capsys.readouterr().out


def test_what_makes_utterances_unusable_can_be_moved_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What too-short advises, and a share of unusable utterances that is borne."""
    manifest = make_manifest(tmp_path / "a", ["yes", "no"])
    soundfile.write(tmp_path / "a/0.wav", np.random.default_rng(1).uniform(-1, 1, 400), 8000)
    short = [replace(one, duration=0.05) for one in read_manifest(manifest)[:1]]
    write_manifest(manifest, short + read_manifest(manifest)[1:])
    assert run(monkeypatch, manifest) == 2
    assert "too-short" in capsys.readouterr().out
    assert run(monkeypatch, manifest, "--set", "min_seconds=0.05") == 0
    assert "too-short" not in capsys.readouterr().out
    assert run(monkeypatch, manifest, "--set", "max_bad_fraction=0.5") == 0
    assert "too-short" in capsys.readouterr().out
    assert run(monkeypatch, manifest, "--set", "max_bad_fraction=0.4") == 2
    assert run(monkeypatch, manifest, "--set", "min_seconds=0", "--set", "max_seconds=0.5") == 2
    assert "too-long" in capsys.readouterr().out


def test_what_nothing_can_read_is_borne_in_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes", "no"])
    manifest.write_text(manifest.read_text() + "{}\n")
    assert run(monkeypatch, manifest, "--set", "max_bad_fraction=1") == 2


def test_the_options_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The normaliser decides which characters there are; a reported problem can be removed too."""
    manifest = make_manifest(tmp_path / "a", ["Yes!", "room 12"])
    run(monkeypatch, manifest)
    assert "Y 1" not in capsys.readouterr().out
    run(monkeypatch, manifest, "--normalizer", "none")
    assert "Y 1" in capsys.readouterr().out
    output = tmp_path / "clean.jsonl"
    assert run(monkeypatch, manifest, "--fix", output) == 0
    assert [one.id for one in read_manifest(output)] == ["u0", "u1"]
    assert run(monkeypatch, manifest, "--fix", output, "--force", "--remove", "digits") == 0
    assert [one.id for one in read_manifest(output)] == ["u0"]
    (removed,) = read_manifest(tmp_path / "clean.removed.jsonl")
    assert removed.id == "u1"
    assert removed.extra["removed"][0]["problem"] == "digits"


def test_half_a_pair_of_utf_16_breaks_neither_page_nor_json_nor_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes 7 X", "no"])
    manifest.write_text(manifest.read_text().replace("X", "\\ud800"))
    outputs = {name: tmp_path / name for name in ("html", "json", "fix")}
    options = [one for name, path in outputs.items() for one in (f"--{name}", path)]
    assert run(monkeypatch, manifest, *options) == 0
    assert "U+D800" in capfd.readouterr().out
    assert "yes 7 \ufffd" in outputs["html"].read_text(encoding="utf-8")
    (found,) = json.loads(outputs["json"].read_text(encoding="utf-8")).values()
    details = {one["problem"]: one["detail"] for one in found["findings"]}
    assert "(U+D800) x 1" in details["not-normalised"]
    assert read_manifest(outputs["fix"])[0].text == "yes 7 \ud800"


@pytest.mark.parametrize("name", ["words.txt", "lm.arpa", "lexicon", "ngrams", "lm.safetensors"])
def test_words_that_the_language_model_lacks_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = {
        "words.txt": "yes 1\nno 2\n",
        "lm.arpa": "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-1\t</s>\n-1\tyes\n"
        "-1\tno\n\n\\end\\\n",
    }
    if name in words:
        (tmp_path / name).write_text(words[name])
    else:
        (tmp_path / "lm.arpa").write_text(words["lm.arpa"])
        folder = tmp_path if name == "lm.safetensors" else tmp_path / name
        write_packed(folder / "lm.safetensors", read_arpa(tmp_path / "lm.arpa"))
    if name == "lexicon":
        # It says what a search can find, whatever the n-grams are over.
        (tmp_path / name / "words.txt").write_text("yes\nno\n")
        (tmp_path / name / "lm.safetensors").write_text("not looked at")
    manifest = make_manifest(tmp_path / "a", ["yes no", "Yes maybe"])
    assert run(monkeypatch, manifest, "--lm", tmp_path / name) == 0
    assert "u1: 'maybe' in 'yes maybe'" in capsys.readouterr().out


def test_a_folder_or_a_model_that_has_no_words_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path / "a", ["yes"])
    assert run(monkeypatch, manifest, "--lm", tmp_path) == 2
    assert "has no language model and no lexicon; expected" in capsys.readouterr().err
    letters = "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-1\t</s>\n-1\ty\n"
    (tmp_path / "c.arpa").write_text(letters + "-1\tn\n\n\\end\\\n")
    write_packed(tmp_path / "c.safetensors", read_arpa(tmp_path / "c.arpa"))
    assert run(monkeypatch, manifest, "--lm", tmp_path / "c.safetensors") == 2
    assert "a model over characters, which lacks no word" in capsys.readouterr().err


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
    report = json.loads(found.read_text())[str(tmp_path / "m.jsonl")]
    ranking = report["ranking"]
    assert report["ranked_by"] == "excess"
    assert len(ranking) == 30
    assert ranking[0]["id"] == "u-007"
    assert ranking[0]["excess"] > ranking[1]["excess"]
    for name, key, sign in (("loss", "loss_per_frame", -1), ("alignment", "alignment", 1)):
        ordered = sorted(ranking, key=lambda one: one["ranks"][name])
        assert [one["ranks"][name] for one in ordered] == list(range(1, 31))
        assert ordered == sorted(ordered, key=lambda one: sign * one[key])
    # Once more, by the loss: the same numbers in another order.
    options = ["--model", tone_model, "--json", found, "--rank-by", "loss"]
    page = tmp_path / "check.html"
    run(monkeypatch, tmp_path / "m.jsonl", *options, "--html", page)
    out = capsys.readouterr().out
    assert "transcripts were ranked by loss: CTC loss a frame, in nats" in out
    report = json.loads(found.read_text())[str(tmp_path / "m.jsonl")]
    assert report["ranked_by"] == "loss"
    assert [one["ranks"]["loss"] for one in report["ranking"]] == list(range(1, 31))
    assert "by loss, " in page.read_text()
    assert "(rank 1), alignment " in page.read_text()
