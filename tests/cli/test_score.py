import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "<article" in html_path.read_text(encoding="utf-8")


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


def test_scoring_does_not_import_torch(files: tuple[Path, Path]) -> None:
    code = (
        "import sys; from asr.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "score", *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
