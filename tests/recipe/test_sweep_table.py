"""The table and the picture of a sweep, from made-up measurements."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from asr.recipe import sweep_picture
from asr.recipe.grid import combine, parse_axes
from asr.recipe.measurements import Measurements, Rates
from asr.recipe.sweep_picture import draw
from asr.recipe.sweep_table import Row, print_table, write_csv, write_json, write_markdown

CELLS, WAYS, LAYERS = (
    "encoder.cell=tanh,lstm",
    "encoder.bidirectional=false,true",
    "encoder.layers=1,2,4",
)


def make_rows(*over: str, diverged: str = "", wer: float = 0.0625) -> list[Row]:
    rows = []
    for number, combination in enumerate(combine(parse_axes(over)), start=1):
        if combination.name == diverged:
            rows.append(
                Row(combination, "diverged", "no finite gradient; lower it", Measurements())
            )
            continue
        rates = {"dev": Rates(wer, wer / 2), "test": Rates(wer * number, wer / 4)}
        measured = Measurements(12345, 15, 1100, 61.4, 25000.0, rates)
        rows.append(Row(combination, "done", "", measured))
    return rows


def test_markdown_is_a_table_to_paste(tmp_path: Path) -> None:
    write_markdown(tmp_path / "sweep.md", make_rows(CELLS, diverged="cell=lstm"))
    assert (tmp_path / "sweep.md").read_text().splitlines() == [
        "| cell | parameters | dev WER | dev CER | test WER | test CER | epochs | training s "
        "| frames/s | note |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        "| tanh | 12,345 | 6.25 % | 3.12 % | 6.25 % | 1.56 % | 15 | 61 | 25,000 |  |",
        "| lstm |  |  |  |  |  |  |  |  | diverged: no finite gradient |",
    ]


def test_csv_has_plain_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "sweep.csv", make_rows(WAYS))
    with (tmp_path / "sweep.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["bidirectional"], second["bidirectional"]) == ("false", "true")
    assert float(second["test WER"]) == 0.125
    assert int(first["parameters"]) == 12345
    assert "note" not in first  # nothing to note


def test_json_has_all_there_is(tmp_path: Path) -> None:
    write_json(tmp_path / "sweep.json", make_rows(LAYERS, diverged="layers=2"), "tones")
    data = json.loads((tmp_path / "sweep.json").read_text())
    assert data["recipe"] == "tones"
    first, second, _ = data["rows"]
    assert first["settings"] == {"encoder.layers": 1}
    assert first["rates"]["test"] == {"wer": 0.0625, "cer": 0.015625}
    assert (first["folder"], first["steps"], first["seconds"]) == ("layers=1", 1100, 61.4)
    assert (second["outcome"], second["reason"]) == ("diverged", "no finite gradient; lower it")


def test_table_on_stdout_has_a_line_a_combination(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(make_rows(CELLS, LAYERS, diverged="cell=tanh,layers=4"))
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert [line[:3] for line in cells][1:4] == [
        ["tanh", "2", "12,345"],
        ["tanh", "4", ""],
        ["lstm", "1", "12,345"],
    ]
    assert cells[2][-1] == "diverged: no finite gradient"


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draws rows; gives the figure, whose PNG has been written."""
    figures: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            figures.append(self)

    monkeypatch.setattr(sweep_picture, "Figure", Kept)

    def call(rows: list[Row]) -> Figure:
        assert draw(tmp_path / "sweep.png", rows)
        assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
        return figures[-1]

    return call


def test_three_settings_are_colour_panel_and_axis(drawn: Any) -> None:
    figure = drawn(make_rows(CELLS, WAYS, LAYERS))
    panels = figure.axes
    assert [one.get_title() for one in panels[:2]] == [
        "bidirectional = false",
        "bidirectional = true",
    ]
    assert [panels[0].get_ylabel(), panels[2].get_ylabel()] == ["dev WER", "test WER"]
    assert panels[2].get_xlabel() == "layers"
    assert [one.get_text() for one in panels[2].get_xticklabels()] == ["1", "2", "4"]
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "cell"
    assert [one.get_text() for one in legend.get_texts()] == ["tanh", "lstm"]
    # lstm, bidirectional, on test: the last three of twelve rows.
    lstm = next(line for line in panels[3].lines if line.get_label() == "lstm")
    assert list(lstm.get_xdata()) == [1, 2, 4]
    assert list(lstm.get_ydata()) == [0.625, 0.6875, 0.75]


def test_a_training_that_diverged_is_a_cross_and_no_point(drawn: Any) -> None:
    figure = drawn(make_rows(CELLS, LAYERS, diverged="cell=tanh,layers=4"))
    tanh, cross = figure.axes[0].lines[:2]
    assert list(tanh.get_xdata()) == [1, 2]
    assert (list(cross.get_xdata()), cross.get_marker()) == ([4], "x")
    (legend,) = figure.legends
    assert [one.get_text() for one in legend.get_texts()] == ["tanh", "lstm", "diverged"]


def test_words_stand_side_by_side_and_numbers_where_they_belong(drawn: Any) -> None:
    words = drawn(make_rows("encoder.cell=tanh,relu,gru")).axes[-1]
    assert list(words.lines[0].get_xdata()) == [0, 1, 2]
    near = drawn(make_rows("encoder.dropout=0.1,0.2,0.3")).axes[-1]
    assert near.get_xscale() == "linear"
    wide = drawn(make_rows("training.optimizer.learning_rate=1e-4,1e-3")).axes[-1]
    assert wide.get_xscale() == "log"
    assert list(wide.lines[0].get_xdata()) == [1e-4, 1e-3]


def test_lines_go_from_left_to_right(drawn: Any) -> None:
    (line, _) = drawn(make_rows("encoder.layers=4,1,2")).axes[0].lines
    assert list(line.get_xdata()) == [1, 2, 4]


def test_rates_far_apart_get_a_logarithmic_axis(drawn: Any) -> None:
    near, far = make_rows(CELLS, LAYERS), make_rows(CELLS, WAYS, LAYERS)  # 1 to 6, 1 to 12
    assert [one.get_yscale() for one in drawn(near).axes] == ["linear"] * 2
    assert [one.get_yscale() for one in drawn(far).axes] == ["log"] * 4
    assert drawn(make_rows(CELLS, wer=0.0)).axes[0].get_ylim() == (0, 1)


def test_no_picture_where_there_is_nothing_to_draw_or_too_much(tmp_path: Path) -> None:
    path = tmp_path / "sweep.png"
    assert not draw(path, make_rows("encoder.cell=tanh", diverged="cell=tanh"))
    assert not draw(path, make_rows(CELLS, WAYS, LAYERS, "seed=1,2"))
    assert not path.exists()
