"""`asr settings`: on the terminal and as Markdown."""

import sys

import pytest
from typer.testing import CliRunner

from asr.cli import app, main


def test_a_section_is_printed_with_types_defaults_and_comments() -> None:
    result = CliRunner().invoke(app, ["settings", "training.schedule"])
    assert result.exit_code == 0
    (line,) = [one for one in result.output.splitlines() if "warmup_share" in one]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == ["training.schedule.warmup_share", "number, ≥ 0, < 1", "0.15", "of all steps"]
    assert "encoder" not in result.output


def test_markdown_has_the_same_rows() -> None:
    result = CliRunner().invoke(app, ["settings", "training.schedule", "--markdown"])
    row = "| `training.schedule.warmup_share` | number, ≥ 0, < 1 | `0.15` | of all steps |"
    assert row in result.output.splitlines()


def test_an_unknown_section_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["asr", "settings", "encodr"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "did you mean 'encoder'?" in (error := capsys.readouterr().err)
    assert error.count("\n") == 1
