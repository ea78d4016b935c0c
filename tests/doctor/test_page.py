import json
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import soundfile
from browser import find_browser

from asr.doctor.examination import check_manifest
from asr.doctor.page import plain, write_page
from asr.doctor.settings import CheckSettings
from asr.manifest import Utterance
from asr.text import Normalizer


class _Elements(HTMLParser):
    """The tags of a page, and what they refer to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.references: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]


def make_page(folder: Path, texts: list[str]) -> str:
    """A page in FOLDER/out on recordings in "FOLDER/two words", parts of one file of 9 s."""
    (folder / "two words").mkdir()
    path = folder / "two words/100% #1.wav"
    noise = np.random.default_rng(0)
    soundfile.write(path, noise.uniform(-0.5, 0.5, 9 * 8000), 8000)
    utterances = [
        Utterance(f"u{number}", path, 0.5, text, offset=number / 2)
        for number, text in enumerate(texts)
    ]
    report = check_manifest(utterances, CheckSettings(), normalizer=Normalizer("basic"))
    write_page(folder / "out/check.html", {"train": report})
    return (folder / "out/check.html").read_text(encoding="utf-8")


def rows(page: str) -> list[dict[str, Any]]:
    (found,) = re.findall(r'<script type="application/json" id="rows">(.*?)</script>', page, re.S)
    listed: list[dict[str, Any]] = json.loads(found)
    return listed


def test_players_refer_to_the_recordings_from_where_the_page_is(tmp_path: Path) -> None:
    page = make_page(tmp_path, ["yes", "room 7"])
    ((row),) = rows(page)
    assert (row["id"], row["problem"], row["set"]) == ("u1", "digits", "train")
    reference = urlparse(row["source"])
    assert reference.fragment == "t=0.5,1"
    assert (tmp_path / "out" / unquote(reference.path)).samefile(tmp_path / "two words/100% #1.wav")


def test_a_finding_has_its_number_and_threshold_where_there_is_one(tmp_path: Path) -> None:
    found = rows(make_page(tmp_path, ["room 7", "one two three four " * 400, "!"]))
    assert {row["problem"]: (row["number"], row["threshold"]) for row in found} == {
        "empty-text": ("0", "1"),
        "digits": ("1", "0"),
    }
    assert [plain(number) for number in (None, 16000, 0.00123456, 3.0)] == [
        "",
        "16,000",
        "0.001235",
        "3",
    ]


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = make_page(tmp_path, ["room 7"])
    assert _Elements(page).references == []
    assert "://" not in page


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    evil = "</script><script>alert(7)</script><img src=x>"
    page = make_page(tmp_path, [evil, "fine"])
    assert rows(page)[0]["text"] == evil
    elements = _Elements(page)
    assert elements.tags["script"] == 2
    assert elements.tags["img"] == 0


def test_what_cannot_be_used_comes_first(tmp_path: Path) -> None:
    found = rows(make_page(tmp_path, ["room 7", "?", "room 8", "!"]))
    assert [row["id"] for row in found] == ["u1", "u3", "u0", "u2"]


def test_a_page_without_findings_says_so(tmp_path: Path) -> None:
    page = make_page(tmp_path, ["fine", "good"])
    assert "Nothing is wrong with any of them" in page
    assert "<script" not in page


_DRIVE = """
<script>
const told = [];
window.addEventListener("error", event => told.push("error " + event.message));
document.addEventListener("securitypolicyviolation", event => told.push(event.violatedDirective));
const count = () => document.querySelectorAll("article").length;
told.push(count());
told.push(document.querySelector("article .measured").textContent.replace(",", ";"));
const search = document.getElementById("search");
search.value = "ROOM 7";
search.dispatchEvent(new Event("input"));
told.push(count());
search.value = "";
document.querySelector("[data-kind=empty-text]").click();
told.push(count());
const player = document.querySelector("audio");
const done = word => {
  told.push(word);
  document.body.replaceChildren("told: " + told.join(", "));
};
player.addEventListener("loadeddata", () => done("loaded"));
player.addEventListener("error", () => done("no sound"));
player.load();
player.preload = "auto";
</script>
"""


def test_in_a_browser_the_page_is_searched_filtered_and_heard(tmp_path: Path) -> None:
    browser = find_browser()
    page = make_page(tmp_path, ["room 7", "?", "room 8", "!", "room 77"])
    path = tmp_path / "out/driven.html"
    path.write_text(page.replace("</body>", f"{_DRIVE}</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    answer = subprocess.run(
        [browser, *options, profile, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "told: 5, measured 0; held against 1, 2, 2, loaded" in answer.stdout
