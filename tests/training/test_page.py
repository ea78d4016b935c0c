"""training.html: one whole page that fetches nothing, escapes what was said, and shows it all."""

import math
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from asr.training.advice import Episode, Finding
from asr.training.charts import charts
from asr.training.page import sample_histories, write_page
from asr.training.plot import COLOURS, draw

Record = dict[str, Any]
SETTINGS: dict[str, Any] = {
    "seed": 1,
    "encoder": {"cell": "lstm"},
    "training": {"epochs": 40, "optimizer": {"clip_norm": 5.0}},
}
VOID = {"meta", "br", "input", "link", "img", "hr"}
EVIL = "<script>alert('&amp;')</script>"


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where a tag is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def record(epoch: int, **more: Any) -> Record:
    layers = ("all", "layer 1 norm", "layer 1 ahead", "layer 1 back", "layer 2 ahead", "head")
    numbers = {
        "epoch": epoch,
        "step": 100 * epoch,
        "loss": 3.0 / epoch,
        "dev_loss": 2.5 / epoch,
        "dev_wer": 1.0 / epoch,
        "dev_cer": 0.5 / epoch,
        "dev_infinite": [],
        "blank_share": 0.7,
        "emitted_ratio": 0.9,
        "learning_rate": 1e-3,
        "seconds": 60.0 * epoch,
        "speed": 100.0,
        "padding_share": 0.05,
        "gradient_norm": {name: {"mean": 1.0 + epoch, "max": 4.0} for name in layers},
        "clipped_share": 0.1,
        "skipped_steps": 0,
        "infinite_losses": {},
        "data_wait": 0.02,
        "throughput": 120.0,
        "samples": [{"id": "u1", "reference": "where to", "hypothesis": "w" * min(epoch, 3)}],
    }
    return numbers | more


def page_of(folder: Path, records: list[Record], *found: Episode) -> str:
    write_page(folder / "training.html", records, episodes=found, settings=SETTINGS)
    assert [path.name for path in folder.iterdir()] == ["training.html"]
    return (folder / "training.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    text = page_of(tmp_path, [record(epoch) for epoch in range(1, 41)])
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "script", "image"} & set(page.tags)
    assert not {"src", "href", "srcset"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|@import|url\(", text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert len(text) < 100_000


def test_every_chart_is_well_formed_and_has_only_the_pages_colours(tmp_path: Path) -> None:
    found = charts([record(1), record(2, skipped_steps=1)], clip_norm=5.0)
    assert "Steps left out" not in [chart.title for chart in charts([record(1)], clip_norm=5.0)]
    titles = [chart.title for chart in found]
    assert len(set(titles)) == 11
    for chart in found:
        root = ElementTree.fromstring(draw(chart))
        assert root.attrib["role"] == "img"
        assert "#" not in draw(chart), chart.title
    used = re.findall(r"var\(--(c\d)\)", "".join(draw(chart) for chart in found))
    text = page_of(tmp_path, [record(1), record(2)])
    assert all(f"--{name}: #" in text for name in used)
    assert all(text.count(f"--c{number}: #") == 2 for number in range(COLOURS)), "light and dark"


def test_what_was_said_is_shown_as_text(tmp_path: Path) -> None:
    samples = [{"id": EVIL, "reference": EVIL, "hypothesis": EVIL}]
    finding = Finding("exploding", EVIL, EVIL)
    layers = {EVIL: {"mean": 1.0, "max": 1.0}, "layer 1 ahead": {"mean": 1.0, "max": 1.0}}
    broken = record(1, samples=samples, infinite_losses={EVIL: 1}, gradient_norm=layers)
    page = Page(page_of(tmp_path, [broken], Episode(finding, 1, 1)))
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 6


def test_layers_are_shown_in_order_one_colour_each_and_dashed_backwards() -> None:
    (chart,) = [c for c in charts([record(1)], clip_norm=5.0) if "layer" in c.title]
    assert [(curve.label, curve.colour, curve.dashed) for curve in chart.curves] == [
        ("layer 1 ahead", 0, False),
        ("layer 1 back", 0, True),
        ("layer 2 ahead", 1, False),
        ("head", 2, False),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0])
def test_numbers_that_cannot_be_drawn_leave_a_gap(tmp_path: Path, value: float) -> None:
    norms = {"all": {"mean": value, "max": value}, "layer 1 ahead": {"mean": value, "max": value}}
    odd = record(2, loss=value, dev_loss=value, gradient_norm=norms, throughput=value)
    records = [record(1), record(2), odd | {"epoch": 3}, record(4), record(5)]
    Page(page_of(tmp_path, records))
    Page(page_of(tmp_path, [record(1) | odd]))
    (norm,) = [one for one in charts(records, clip_norm=5.0) if one.title == "Gradient norm"]
    lines = re.findall(r'<path d="([^"]*)"', draw(norm))
    assert len(lines) == 2
    for line in lines:
        # Two strokes of two epochs each, and nothing between them.
        assert re.sub(r"[-\d. ]", "", line) == "MLML"


def test_records_of_an_earlier_version_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    keys = ("epoch", "step", "loss", "dev_loss", "dev_wer", "dev_cer", "seconds", "speed")
    old = {key: record(1)[key] for key in keys}
    page = Page(page_of(tmp_path, [old]))
    assert page.tags.count("figure") == 2
    assert "What it recognises" not in page.text


def test_hypotheses_stand_latest_first_and_equal_neighbours_together() -> None:
    heard = ["", "", "w", "wh", "wh", "w"]
    records = [
        record(epoch, samples=[{"id": "u1", "reference": "where", "hypothesis": text}])
        for epoch, text in enumerate(heard, start=1)
    ]
    (history,) = sample_histories(records)
    assert (history.id, history.reference) == ("u1", "where")
    assert history.rows == (("6", "w"), ("4 to 5", "wh"), ("3", "w"), ("1 to 2", ""))


def test_findings_are_told_with_their_epochs_the_present_ones_first(tmp_path: Path) -> None:
    past = Episode(Finding("all blank", "Blanks only.", "Wait."), 3, 6)
    now = Episode(Finding("overfitting", "By heart.", "Stop."), 9, 10)
    text = " ".join(Page(page_of(tmp_path, [record(10)], past, now)).text.split())
    assert "Overfitting, since epoch 9 By heart. Stop. All blank, epochs 3 to 6, over" in text


def test_settings_and_the_best_epoch_are_told(tmp_path: Path) -> None:
    records = [record(1), record(2, dev_wer=0.125), record(3, dev_wer=0.5)]
    text = " ".join(Page(page_of(tmp_path, records)).text.split())
    assert "best dev WER12.50% (CER 25.00%), epoch 2" in text
    assert "about 37 min left" in text
    assert "encoder.celllstm" in text
    assert "training.optimizer.clip_norm5.0" in text


def test_a_page_of_a_hundred_epochs_is_drawn_in_little_time(tmp_path: Path) -> None:
    """A few hundredths of a second; the bound leaves room for a busy machine."""
    records = [record(epoch) for epoch in range(1, 101)]
    started = time.process_time()
    page_of(tmp_path, records)
    assert time.process_time() - started < 0.5
