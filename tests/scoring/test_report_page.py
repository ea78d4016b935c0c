"""The report in a real browser: searched, sorted, turned over, heard, without a complaint."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browser import Page, open_browser
from synthetic_speech import RATE, write_utterances

from asr.illustration.exhibition import Exhibition
from asr.manifest import Utterance
from asr.scoring.analysis import Questions, analyse
from asr.scoring.comparison import compare
from asr.scoring.report import Reported, write_report
from asr.scoring.scored import score_set
from asr.scoring.test_set import System, TestSet
from asr.scoring.transcripts import transcripts_of
from asr.text import Normalizer

EVIL = "</script><script>document.title='taken'</script><!--<img src=x onerror=alert(1)>"
RULE = Normalizer("none")
COUNT = 120


def make_report(folder: Path, utterances: list[Utterance], heard: dict[str, Any]) -> Path:
    """Score hypothesis records {id: {"text": …, "words": …}} and write FOLDER/out/report.html."""
    said = transcripts_of(utterances)
    system = System("test", {key: one["text"] for key, one in heard.items()}, heard, 0)
    test_set = TestSet(said.texts, said.attributes, [system], [])
    analysis = analyse(test_set, system, normalizer=RULE, questions=Questions())
    exhibition = Exhibition(folder / "out", RULE, utterances, pictures=4)
    reported, errors = exhibition.report(test_set, system, analysis)
    assert not errors
    path = folder / "out/report.html"
    write_report(path, [reported], title="Scores", facts={EVIL: EVIL})
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 utterances, parts of one recording; u7 has two errors, u8 one, u9's words are evil."""
    folder = tmp_path_factory.mktemp("report with space")
    (part,) = write_utterances(folder / "50% #1", ["abc fed cab"])
    samples, _ = soundfile.read(part.audio_path)
    soundfile.write(part.audio_path, np.tile(samples, COUNT), RATE)
    utterances = [
        Utterance(
            f"u{number}",
            part.audio_path,
            part.duration,
            EVIL if number == 9 else f"abc fed w{number}",
            offset=number * part.duration,
            speaker=f"s{number % 3}",
        )
        for number in range(COUNT)
    ]
    heard = {
        one.id: {
            "text": one.text,
            "words": [
                {"text": word, "start": 0.1, "end": 0.2, "confidence": 0.99 - number / 125}
                for word in (one.text or "").split()
            ],
        }
        for number, one in enumerate(utterances)
    }
    heard["u7"] = {"text": "abd w7 now"}
    heard["u8"] = {"text": "abc fed"}
    return make_report(folder, utterances, heard)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    """The report, opened anew; a test that makes the console complain fails."""
    browser.complaints.clear()
    browser.open(report)
    yield browser
    assert browser.complaints == []


def ids(page: Page) -> list[str]:
    return page.texts(".utterances tbody th")


def press(page: Page, name: str) -> None:
    """Click on the heading of a column."""
    number = 1 + page.texts(".utterances thead th").index(name)
    page.click(f".utterances thead th:nth-child({number}) button")


def test_a_page_has_fifty_and_the_worst_come_first(page: Page) -> None:
    assert len(ids(page)) == 50
    assert ids(page)[:3] == ["u7", "u8", "u0"]
    assert page.texts(".place") == ["1 to 50 of 120"]


def test_pages_are_turned_to_the_end_and_back(page: Page) -> None:
    seen = ids(page)
    for place in ("51 to 100 of 120", "101 to 120 of 120"):
        page.click(".on")
        assert page.texts(".place") == [place]
        seen += ids(page)
    assert sorted(seen) == sorted(f"u{number}" for number in range(COUNT))
    assert page.run("document.querySelector('.on').disabled")
    page.click(".back")
    assert page.texts(".place") == ["51 to 100 of 120"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("FED W11", [f"u{number}" for number in (11, *range(110, 120))]),
        ("fed → w7", ["u7"]),
        ("w8 → ***", ["u8"]),
        ("no such word", []),
        ("</script>", ["u9"]),
    ],
)
def test_search_goes_over_all_pages(page: Page, words: str, found: list[str]) -> None:
    page.type("[type=search]", words)
    assert ids(page) == found


def test_a_frequent_error_finds_its_utterances(page: Page) -> None:
    page.click("[data-search='abc → abd']")
    assert ids(page) == ["u7"]
    assert page.run("document.querySelector('[type=search]').value") == "abc → abd"


def test_wrong_only_and_with_pictures(page: Page) -> None:
    page.click(".wrong")
    assert ids(page) == ["u7", "u8"]
    page.click(".wrong")
    page.click(".pictured")
    assert len(ids(page)) == 4


def test_a_heading_sorts_all_pages_and_sorts_backwards_when_clicked_again(page: Page) -> None:
    press(page, "id")
    assert ids(page)[:3] == ["u0", "u1", "u2"]
    press(page, "id")
    assert ids(page)[:3] == ["u119", "u118", "u117"]
    heads = page.run(
        "[...document.querySelectorAll('.utterances thead th')].map(one => one.ariaSort)"
    )
    assert heads == ["descending", *[None] * 6]


def test_those_without_a_confidence_stand_last_either_way(page: Page) -> None:
    press(page, "confidence")
    assert ids(page)[0] == "u119"
    press(page, "confidence")
    assert ids(page)[0] == "u0"
    page.click(".on")
    page.click(".on")
    assert ids(page)[-2:] == ["u7", "u8"]


def test_errors_are_marked_and_words_are_shaded_by_doubt(page: Page) -> None:
    page.type("[type=search]", "abc → abd")
    kinds = page.run("[...document.querySelectorAll('tbody .words b')].map(one => one.className)")
    assert kinds == ["s", "s", "s"]
    assert page.texts("tbody .words b") == ["abcabd", "fedw7", "w7now"]
    page.type("[type=search]", "w100")
    shades = page.run(
        "[...document.querySelectorAll('tbody .words u')]"
        ".map(one => one.style.getPropertyValue('--unsure'))"
    )
    assert shades == ["69%"] * 3  # 0.85 of 100 % - 19 %


def test_text_from_outside_stays_text(page: Page) -> None:
    assert page.run("document.title") == "Scores"
    page.type("[type=search]", "onerror")
    assert ids(page) == ["u9"]
    assert "".join(page.texts("tbody .words b")).count("onerror=alert(1)>") == 2
    assert page.run("document.querySelectorAll('img').length") == 0


def test_a_recording_is_heard_from_its_own_beginning(page: Page) -> None:
    page.type("[type=search]", "w8 → ***")
    begin, now = page.run(
        """new Promise((done, fail) => {
          const player = document.querySelector("audio");
          let begin = null;
          player.addEventListener("error", () => fail(player.error.message));
          player.addEventListener("timeupdate", () => {
            begin ??= player.currentTime;
            if (player.currentTime > begin + 0.2) done([begin, player.currentTime]);
          });
          player.play().catch(fail);
        })"""
    )
    length = json.loads(page.run("document.querySelector('[data-seconds]').dataset.seconds"))
    assert begin == pytest.approx(8 * length, abs=0.3)
    assert begin + 0.2 < now < begin + length


def test_a_click_into_a_picture_plays_from_there_and_the_line_follows(page: Page) -> None:
    page.type("[type=search]", "w8 → ***")
    page.click(".drawing [data-seconds] > svg")
    place, length = page.run(
        """new Promise(done => {
          const player = document.querySelector("audio");
          player.addEventListener("seeked", () => setTimeout(() => done(
            [player.currentTime, Number(document.querySelector("[data-seconds]").dataset.seconds)]
          ), 50));
        })"""
    )
    assert place - 8 * length == pytest.approx(length / 2, abs=0.15)
    line = page.run(
        "document.querySelector('.drawing line[visibility=visible]').getAttribute('x1')"
    )
    assert 40 < float(line.removesuffix("%")) < 70


def test_a_long_picture_is_scrolled_and_widens_nothing(page: Page) -> None:
    inner, outer, table, around = page.run(
        """(() => {
          const held = document.querySelector("[data-seconds]");
          held.querySelector("svg").style.minWidth = "5000px";
          const table = document.querySelector(".utterances");
          return [held.scrollWidth, held.clientWidth, table.offsetWidth,
            table.parentElement.clientWidth];
        })()"""
    )
    assert inner >= 5000
    assert outer < table == around


def test_of_two_systems_those_are_shown_in_which_one_is_better(
    browser: Page, tmp_path: Path
) -> None:
    said = {f"u{number}": "one two three" for number in range(5)}
    one = said | {"u0": "one", "u1": "one two", "u2": "two three"}
    two = said | {"u0": "one two", "u2": "one two", "u3": ""}
    sets = [score_set(n, said, heard, normalizer=RULE) for n, heard in (("A", one), ("B", two))]
    path = tmp_path / "two.html"
    comparison = compare(*sets)
    write_report(
        path, [Reported(scored) for scored in sets], title="Two", facts={}, comparison=comparison
    )
    browser.complaints.clear()
    browser.open(path)
    (label,) = set(browser.texts("section:nth-of-type(1) select option:nth-child(2)"))
    assert label == "better in A (1)"
    found = []
    for value in ("1", "2", "0", ""):
        browser.run(
            f"(field => {{ field.value = {value!r};"
            "field.dispatchEvent(new Event('change', {bubbles: true})); })"
            "(document.querySelector('section:nth-of-type(2) select.better'))"
        )
        found.append(sorted(browser.texts("section:nth-of-type(2) .utterances tbody th")))
    assert found == [["u3"], ["u0", "u1"], ["u2", "u4"], sorted(said)]
    assert browser.complaints == []
