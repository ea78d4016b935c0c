import json
import sys
from pathlib import Path

import pytest

from asr.cli import main
from asr.recipe.config import default_recipe, dump_recipe


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `asr compare` as the console script does; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["asr", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_experiments_that_have_only_begun_are_compared_by_their_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, layers in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        dump_recipe(default_recipe([f"encoder.layers={layers}"]), tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "one"]
    assert run(monkeypatch, *folders, "--json", tmp_path / "out.json") == 0
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if "│" in line
    ]
    assert ["encoder.layers", "1", "2"] in rows
    assert rows[-1] == ["not up to date", *["1 prepare: not made yet"] * 2]
    written = json.loads((tmp_path / "out.json").read_text())["experiments"]
    assert [one["settings"] for one in written] == [{"encoder.layers": 1}, {"encoder.layers": 2}]
    (tmp_path / "out.json").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_experiments_of_one_name_are_told_apart_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, layers in (("a/x", 1), ("b/x", 2)):
        Path(name).mkdir(parents=True)
        dump_recipe(default_recipe([f"encoder.layers={layers}"]), Path(name))
    assert run(monkeypatch, "a/x", "b/x", "--json", "out.json") == 0
    written = json.loads(Path("out.json").read_text())["experiments"]
    assert [one["name"] for one in written] == ["a/x", "b/x"]


def test_what_is_no_experiment_ends_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path) == 2
    assert "there is no recipe.yaml in it; expected an experiment folder" in capsys.readouterr().err
