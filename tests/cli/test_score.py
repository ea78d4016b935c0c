import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_model import make_bundle

from asr.bundle import save_bundle
from asr.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `asr score` as the console script does; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["asr", "score", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    reference, hypothesis = tmp_path / "ref.txt", tmp_path / "hyp.txt"
    reference.write_text("a One two.\nb three four\nc !\n", encoding="utf-8")
    hypothesis.write_text("c uh\nb three for four\na one\n", encoding="utf-8")
    return reference, hypothesis


def test_score_prints_rates_and_kinds_of_error(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *files) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "hyp.txt" in line)
    # 4 words: "two" missed, "for" and "uh" invented.
    assert [cell.strip() for cell in row.split("│")][2:5] == ["3", "4", "75.00 %"]
    assert [cell.strip() for cell in row.split("│")][8:11] == ["0", "1", "2"]
    assert "normalizer: basic" in out
    assert "1 references were not empty and became so" in out


def test_score_writes_json_and_html(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    json_path, html_path = tmp_path / "out/s.json", tmp_path / "out/s.html"
    assert run(monkeypatch, *files, "--json", json_path, "--html", html_path) == 0
    assert json.loads(json_path.read_text())["sets"][0]["words"]["insertions"] == 2
    assert '"id":["a","b","c"]' in html_path.read_text(encoding="utf-8")


def test_a_missing_id_ends_with_status_2_and_one_line_that_names_it(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text("a one two\nc x\n", encoding="utf-8")
    assert run(monkeypatch, *files) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "1 of 3 references have no hypothesis (b)" in captured.err
    assert captured.out == ""


def test_an_unknown_normaliser_ends_with_status_2(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *files, "--normalizer", "baisc") == 2
    assert "normalizer 'baisc' is not known; known: none, basic, english" in capsys.readouterr().err


def test_a_narrow_terminal_gets_names_and_whole_numbers(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for columns, last in ((80, "CER"), (200, "ins")):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run(monkeypatch, *files) == 0
        out = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        head, row = (
            [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]
            for line in out.splitlines()
            if "┃ " in line or "│ " in line
        )
        assert head[-1] == last
        assert "…" not in out.split("95 %:")[0]
        assert ("make it wider" in out) == (last == "CER")
        assert len(row) == len(head)


def test_half_a_pair_of_utf_16_is_an_escape_in_the_c_locale(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "text": "x\\ud800"}\n')
    command = [sys.executable, "-m", "asr", "score", *[str(tmp_path / "a.jsonl")] * 2]
    done = subprocess.run(
        [*command, "--show-normalised"],
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"x\\ud800" in done.stdout


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"speaker": ["a"]}, "key 'speaker': ['a'] came"),
        ({"duration": "1.5"}, "key 'duration': '1.5' came"),
        ({"duration": float("nan")}, "key 'duration': nan came"),
    ],
)
def test_references_are_what_they_should_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: dict[str, object],
    message: str,
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "a", "text": "x"} | more) + "\n")
    assert run(monkeypatch, path, path) == 2
    assert f"{path}:1: {message}" in capsys.readouterr().err


def test_scoring_does_not_import_torch(files: tuple[Path, Path]) -> None:
    code = (
        "import sys; from asr.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "score", *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def write_manifest(path: Path, **more: list[object]) -> Path:
    """Four utterances of two speakers; further keys by lists of their values."""
    lines = []
    for number, text in enumerate(["one two", "three", "four five six", "seven"]):
        record = {
            "id": f"u{number}",
            "audio_filepath": "a.wav",
            "duration": 1.0 + number,
            "text": text,
            "speaker": "jo" if number < 2 else "mo",
        }
        lines.append(json.dumps(record | {key: values[number] for key, values in more.items()}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_hypotheses(path: Path, *texts: str, **more: list[object]) -> Path:
    lines = [
        json.dumps(
            {"id": f"u{number}", "text": text}
            | {key: values[number] for key, values in more.items()}
        )
        for number, text in enumerate(texts)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_intervals_say_over_what_and_how_they_were_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl")
    hypothesis = write_hypotheses(tmp_path / "hyp.jsonl", "one too", "three", "four", "seven")
    options = ["--json", tmp_path / "s.json", "--resamples", 200, "--seed", 3]
    assert run(monkeypatch, reference, hypothesis, *options) == 0
    out = capsys.readouterr().out
    assert "95 %: percentile bootstrap over 2 speakers, which are few" in out
    assert "; 200 resamples, seed 3" in out
    scored = json.loads((tmp_path / "s.json").read_text())["sets"][0]
    assert scored["normalizer"] == "basic"
    assert scored["sentence_error_rate"] == 0.5
    # Only jo (1 error in 3 words), only mo (2 in 4), or both.
    assert scored["intervals"]["word_error_rate"] == [1 / 3, 1 / 2]


def test_two_systems_are_compared_in_words_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl")
    one = write_hypotheses(tmp_path / "one.jsonl", "one too", "tree", "four", "seven")
    two = write_hypotheses(tmp_path / "two.jsonl", "one two", "three", "four five", "heaven")
    json_path = tmp_path / "s.json"
    assert run(monkeypatch, reference, one, two, "--json", json_path, "--trn", tmp_path / "t") == 0
    out = capsys.readouterr().out
    assert "fewer errors in: one.jsonl 1 utterances, two.jsonl 3; as many in 0" in out
    assert "matched-pairs test (MAPSSWE) of 4 segments" in out
    assert out.splitlines()[-1].startswith("No difference is shown: two.jsonl is ahead by 28.57")
    data = json.loads(json_path.read_text())
    assert [scored["name"] for scored in data["sets"]] == ["one.jsonl", "two.jsonl"]
    assert data["comparison"]["wins"] == [1, 3]
    assert data["comparison"]["better"] == [["u3"], ["u0", "u1", "u2"]]
    assert sorted(path.name for path in tmp_path.glob("t.*")) == [
        "t.hyp1.trn",
        "t.hyp2.trn",
        "t.ref.trn",
    ]


def test_slices_errors_and_vocabulary_are_printed_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl", room=["hall", "hall", "car", "car"])
    hypothesis = write_hypotheses(
        tmp_path / "hyp.jsonl",
        "one too",
        "three",
        "four",
        "seven",
        nbest=[["one two"], [], [], ["eleven"]],
    )
    (tmp_path / "words").write_text("one\ntwo\nthree\n", encoding="utf-8")
    options = ["--by", "room,rate", "--errors", 5, "--vocabulary", tmp_path / "words"]
    assert run(monkeypatch, reference, hypothesis, *options, "--json", tmp_path / "s.json") == 0
    out = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line for line in out.splitlines() if "│" in line}
    assert "50.00 %" in rows["car"]
    assert "33.33 %" in rows["hall"]
    assert "1 x two -> too" in out
    assert "1 of 1 five" in out
    assert "words in the vocabulary: 3, of these wrong (insertions aside): 1, 33.33 %" in out
    assert "oracle WER of the n-best lists of hyp.jsonl: 28.57 %" in out
    data = json.loads((tmp_path / "s.json").read_text())["sets"][0]
    assert list(data["slices"]) == ["room", "rate"]
    assert data["vocabulary"]["outside"] == 4
    assert data["confusions"]["words"][0] == {"word": "five", "wrong": 1, "said": 1}


def test_snr_is_measured_on_the_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(1).normal(size=8000 * 6) / 10, 8000)
    reference = write_manifest(tmp_path / "ref.jsonl")
    hypothesis = write_hypotheses(tmp_path / "hyp.jsonl", "one two", "three", "four", "seven")
    options = ["--by", "snr", "--json", tmp_path / "s.json"]
    assert run(monkeypatch, reference, hypothesis, *options) == 0
    slices = json.loads((tmp_path / "s.json").read_text())["sets"][0]["slices"]["snr"]
    assert sum(one["utterances"] for one in slices) == 4
    # White noise, more and less loud by chance: below 0 dB in all parts.
    assert all(float(one["label"]) < 0 for one in slices)
    reference.write_text('{"id": "u0", "text": "x"}\n', encoding="utf-8")
    write_hypotheses(hypothesis, "x")
    assert run(monkeypatch, reference, hypothesis, *options) == 2
    assert "names no recordings" in capsys.readouterr().err


def test_a_recording_that_cannot_be_read_costs_no_scores_but_its_snr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(1).normal(size=8000 * 6) / 10, 8000)
    reference = write_manifest(
        tmp_path / "ref.jsonl",
        audio_filepath=["gone.wav", "a.wav", "a.wav", "a.wav"],
        duration=[1.0, 0, 0.1, 3.0],
    )
    hypothesis = write_hypotheses(tmp_path / "hyp.jsonl", "one two", "three", "four", "seven")
    options = ["--by", "snr", "--json", tmp_path / "s.json"]
    assert run(monkeypatch, reference, hypothesis, *options) == 2
    captured = capsys.readouterr()
    assert "asr: --by snr: of 1 of 4 not known: u0: " in captured.err
    assert "gone.wav: no such file" in captured.err
    slices = json.loads((tmp_path / "s.json").read_text())["sets"][0]["slices"]["snr"]
    # The one that is gone, and one that is too short; a duration of 0 is the whole file.
    assert [one["utterances"] for one in slices if one["label"] == "(not known)"] == [2]
    assert len(slices) == 3
    assert all(one["label"] in captured.out for one in slices)


def test_scores_come_where_no_snr_is_known_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl")
    hypothesis = write_hypotheses(tmp_path / "hyp.jsonl", "one two", "three", "four", "seven")
    options = ["--by", "snr,speaker", "--json", tmp_path / "s.json"]
    assert run(monkeypatch, reference, hypothesis, *options) == 2
    captured = capsys.readouterr()
    assert "of 4 of 4 not known: u0: " in captured.err
    assert "not one recording can be measured, so nothing is cut by it" in captured.err
    assert list(json.loads((tmp_path / "s.json").read_text())["sets"][0]["slices"]) == ["speaker"]
    assert "28.57 %" in captured.out


def test_an_stm_reference_has_no_recordings_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.stm").write_text("talk 1 anna 0.0 2.0 <o> one two\n")
    (tmp_path / "h.ctm").write_text("talk 1 0.5 0.2 one\n")
    assert run(monkeypatch, tmp_path / "r.stm", tmp_path / "h.ctm", "--by", "snr") == 2
    err = capsys.readouterr().err
    assert f"--by snr: {tmp_path / 'r.stm'} names no recordings; give a manifest" in err
    assert err.count("\n") == 1


def test_the_page_says_what_the_terminal_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl")
    one = write_hypotheses(
        tmp_path / "one.jsonl", "one too", "tree", "four", "seven", nbest=[["one two"], [], [], []]
    )
    two = write_hypotheses(tmp_path / "two.jsonl", "one two", "three", "four five", "heaven")
    (tmp_path / "words").write_text("one\ntwo\nthree\n", encoding="utf-8")
    page = tmp_path / "s.html"
    options = ["--vocabulary", tmp_path / "words", "--html", page, "--pictures", 0]
    assert run(monkeypatch, reference, one, two, *options) == 0
    said = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(("fewer errors", "paired", "matched", "words ", "oracle", "No diff"))
    ]
    assert len(said) == 9  # the vocabulary of both systems, the oracle of one
    written = html.unescape(page.read_text(encoding="utf-8"))
    assert [line for line in said if line not in written] == []
    assert written.count('"better":[2,2,2,1]') == 2


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """A manifest whose recording is there, and hypotheses with two errors."""
    noise = np.random.default_rng(1).normal(size=8000 * 6) / 10
    soundfile.write(tmp_path / "a.wav", noise, 8000)
    hypothesis = tmp_path / "hyp.jsonl"
    write_hypotheses(hypothesis, "one too", "three", "four six", "seven")
    return write_manifest(tmp_path / "ref.jsonl"), hypothesis


def test_the_page_has_players_and_pictures_of_the_worst(
    recorded: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "out/s.html"
    assert run(monkeypatch, *recorded, "--html", page, "--pictures", 2) == 0
    (found,) = re.findall(
        r'<script type="application/json">(.*?)</script>', page.read_text(encoding="utf-8"), re.S
    )
    columns = json.loads(found)
    assert [columns["start"] + one for one in columns["recording"]] == [
        f"../a.wav#t=0,{number}" for number in range(1, 5)
    ]
    assert sorted(columns["pictures"]) == ["u0", "u2"]
    assert ">speaker</th>" in page.read_text(encoding="utf-8")


def test_a_model_draws_its_probabilities(
    recorded: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(tmp_path / "model", make_bundle())
    page = tmp_path / "s.html"
    options = ["--html", page, "--pictures", 1, "--model", tmp_path / "model"]
    assert run(monkeypatch, *recorded, *options) == 0
    assert "probability" in page.read_text(encoding="utf-8")


def test_recordings_that_are_not_there_are_no_error_unless_pictures_are_asked_for(
    recorded: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.wav").unlink()
    page = tmp_path / "s.html"
    assert run(monkeypatch, *recorded, "--html", page) == 0
    assert "asr: hyp.jsonl: not drawn: u0: " in capsys.readouterr().err
    page.unlink()
    assert run(monkeypatch, *recorded, "--html", page, "--pictures", 1) == 2
    assert page.exists()
    assert run(monkeypatch, *recorded, "--html", page, "--pictures", 0) == 0


def test_pictures_want_a_page_and_recordings(
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *files, "--pictures", 3) == 2
    assert "give --html FILE, too" in capsys.readouterr().err
    assert run(monkeypatch, *files, "--html", tmp_path / "s.html", "--model", tmp_path) == 2
    assert "ref.txt: is no manifest, so there are no recordings" in capsys.readouterr().err


def test_missing_hypotheses_can_be_counted_and_are_named(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text("a one two\n", encoding="utf-8")
    assert run(monkeypatch, *files, "--missing", "count") == 0
    captured = capsys.readouterr()
    assert "2 of 3 hypotheses are missing and count as deleted (b, c)" in captured.err
    row = next(line for line in captured.out.splitlines() if "hyp.txt" in line)
    assert [cell.strip() for cell in row.split("│")][4] == "50.00 %"


def test_parallel_lines_are_scored_without_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.txt").write_text("one two\nthree\n", encoding="utf-8")
    (tmp_path / "h.txt").write_text("one\nthree\n", encoding="utf-8")
    assert run(monkeypatch, tmp_path / "r.txt", tmp_path / "h.txt", "--parallel") == 0
    out = capsys.readouterr().out
    assert "33.33 %" in out
    assert "over 2 utterances" in out


def test_lines_in_one_order_lack_none_that_could_be_counted(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *files, "--parallel", "--missing", "count") == 2
    captured = capsys.readouterr()
    assert "--missing count: came with --parallel" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("name", "errors"), [("none", 3), ("basic", 2), ("english", 0)])
def test_the_normaliser_decides_what_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, errors: int
) -> None:
    """Case is one to `none`, spelling and numbers to both that are not English."""
    (tmp_path / "ref.txt").write_text("a The colour twenty\n", encoding="utf-8")
    (tmp_path / "hyp.txt").write_text("a the color 20\n", encoding="utf-8")
    options = ["--normalizer", name, "--json", tmp_path / "s.json"]
    assert run(monkeypatch, tmp_path / "ref.txt", tmp_path / "hyp.txt", *options) == 0
    (scored,) = json.loads((tmp_path / "s.json").read_text())["sets"]
    assert scored["normalizer"] == name
    assert sum(scored["words"][kind] for kind in ("substitutions", "deletions")) == errors


def test_speakers_of_a_file_are_those_the_interval_is_drawn_over(
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "utt2spk").write_text("a jo\nb mo\nc jo\nd not-here\n", encoding="utf-8")
    options = ["--speakers", tmp_path / "utt2spk", "--by", "speaker", "--json", tmp_path / "s.json"]
    assert run(monkeypatch, *files, *options) == 0
    assert "bootstrap over 2 speakers" in capsys.readouterr().out
    (scored,) = json.loads((tmp_path / "s.json").read_text())["sets"]
    assert {one["label"]: one["utterances"] for one in scored["slices"]["speaker"]} == {
        "jo": 2,
        "mo": 1,
    }
    (tmp_path / "utt2spk").write_text("a jo\n", encoding="utf-8")
    assert run(monkeypatch, *files, *options) == 2
    assert "2 of 3 utterances have no speaker (b, c)" in capsys.readouterr().err


def test_what_the_normaliser_changes_is_shown(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *files, "--show-normalised") == 0
    out = capsys.readouterr().out
    assert "basic changes 2 of 3 texts of the references" in out
    assert "  a\n    - One two.\n    + one two\n" in out
    assert "basic changes 0 of 3 texts of hyp.txt" in out


def test_sclite_files_are_written_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_manifest(tmp_path / "ref.jsonl")
    words: list[object] = [
        [{"text": text, "start": 0.5, "end": 0.75, "confidence": 0.5}] for text in "abcd"
    ]
    hypothesis = write_hypotheses(tmp_path / "hyp.jsonl", *"abcd", words=words)
    options = ["--trn", tmp_path / "t", "--pra", tmp_path / "p", "--ctm", tmp_path / "c"]
    assert run(monkeypatch, reference, hypothesis, *options) == 0
    assert (tmp_path / "t.ref.trn").read_text().splitlines()[0] == "one two (u0)"
    assert (tmp_path / "t.hyp.trn").read_text().splitlines()[0] == "a (u0)"
    assert "Scores: (#C #S #D #I) 0 1 1 0" in (tmp_path / "p").read_text()
    assert (tmp_path / "c").read_text().splitlines()[0] == "u0 1 0.500 0.250 a 0.5000"
    capsys.readouterr()
    assert run(monkeypatch, reference, hypothesis, reference, "--ctm", tmp_path / "c") == 2
    assert "--pra and --ctm write one system" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "message"), [(2, "came twice"), (3, "3 hypotheses came")])
def test_hypotheses_are_one_or_two_different_ones(
    files: tuple[Path, Path],
    count: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, files[0], *[files[1]] * count) == 2
    assert message in capsys.readouterr().err
