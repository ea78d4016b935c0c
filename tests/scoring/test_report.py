import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.scoring.error_rate import ErrorCounts
from asr.scoring.report import write_json, write_report
from asr.scoring.scored import ScoredSet, score_set
from asr.scoring.tables import format_interval, print_table
from asr.text import Normalizer

REFERENCES = {"a": "One, two!", "b": "three four", "c": "?!", "d": "five"}
HYPOTHESES = {"a": "one two", "b": "three for four", "c": "uh", "d": ""}
SPEAKERS = {"a": "jo", "b": "mo", "c": "jo", "d": None}


@pytest.fixture
def scored() -> ScoredSet:
    return score_set(
        "dev", REFERENCES, HYPOTHESES, normalizer=Normalizer("basic"), speakers=SPEAKERS
    )


class Page(HTMLParser):
    """Collects a page's tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_sides_are_normalised_before_counting(scored: ScoredSet) -> None:
    assert scored.utterances[0].words == ErrorCounts(hits=2)
    assert scored.normalizer == "basic"


def test_totals_are_those_counted_by_hand(scored: ScoredSet) -> None:
    # 5 reference words; "for" and "uh" inserted, "five" deleted.
    assert scored.summary.words == ErrorCounts(hits=4, deletions=1, insertions=2)
    assert scored.summary.words.rate == pytest.approx(3 / 5)
    assert scored.summary.sentence_error_rate == pytest.approx(3 / 4)


def test_references_that_the_normaliser_empties_are_counted(scored: ScoredSet) -> None:
    assert scored.emptied_references == 1
    untouched = score_set("dev", {"a": " "}, {"a": ""}, normalizer=Normalizer("basic"))
    assert untouched.emptied_references == 0


def test_without_normalisation_case_and_punctuation_are_errors() -> None:
    scored = score_set("dev", REFERENCES, HYPOTHESES, normalizer=Normalizer("none"))
    assert scored.utterances[0].words.substitutions == 2


def test_speakers_add_up_to_the_utterances_that_name_one(scored: ScoredSet) -> None:
    assert list(scored.speakers) == ["jo", "mo"]
    assert scored.speakers["jo"].words == ErrorCounts(hits=2, insertions=1)
    assert scored.speakers["mo"].utterances == 1


def test_utterances_keep_the_order_of_the_references(scored: ScoredSet) -> None:
    assert [utterance.id for utterance in scored.utterances] == ["a", "b", "c", "d"]


def test_worst_utterances_come_first_in_the_report(scored: ScoredSet) -> None:
    # One error each: "uh" in silence and "five" of 1 word (rate 1), then 1 of 2 words.
    assert [utterance.id for utterance in scored.most_errors_first] == ["c", "d", "b", "a"]


def test_a_missing_hypothesis_is_an_error_that_names_set_and_id() -> None:
    with pytest.raises(DataError, match=r"dev: 1 of 2 references have no hypothesis \(b\)"):
        score_set("dev", {"a": "x", "b": "y"}, {"a": "x"}, normalizer=Normalizer("none"))


def test_json_holds_rates_counts_and_speakers(scored: ScoredSet, tmp_path: Path) -> None:
    write_json(tmp_path / "scores.json", [scored])
    data = json.loads((tmp_path / "scores.json").read_text())["sets"][0]
    assert data["name"] == "dev"
    assert data["word_error_rate"] == pytest.approx(0.6)
    assert data["words"] == {
        "reference_length": 5,
        "hits": 4,
        "substitutions": 0,
        "deletions": 1,
        "insertions": 2,
    }
    assert data["speakers"]["jo"]["utterances"] == 2


def test_table_shows_words_rates_and_kinds_of_error(
    scored: ScoredSet, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table([scored.to_json()])
    rows = [line for line in capsys.readouterr().out.splitlines() if "dev" in line]
    cells = [cell.strip() for cell in rows[0].split("│")[1:-1]]
    cer = f"{100 * scored.summary.characters.rate:.2f} %"
    interval = format_interval(scored.intervals.words)
    assert cells == ["dev", "4", "5", "60.00 %", interval, cer, "75.00 %", "0", "1", "2"]


def test_long_and_bracketed_names_survive_in_a_piped_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "[bold]a-rather-long-name-of-a-test-set-in-a-folder.jsonl"
    print_table([score_set(name, {"a": "x"}, {"a": "x"}, normalizer=Normalizer("none")).to_json()])
    assert name in capsys.readouterr().out


def test_report_is_one_page_that_fetches_nothing(scored: ScoredSet, tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", [scored], title="Scores", facts={"model": "m"})
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "srcset"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|url\(|@import", text)
    assert (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    ) in page.attributes


def test_report_shows_every_utterance_and_marks_each_error_without_colour(
    scored: ScoredSet, tmp_path: Path
) -> None:
    write_report(tmp_path / "r.html", [scored], title="Scores", facts={})
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    articles = text.split("<article")[1:]
    assert len(articles) == 4
    assert '<b class="d"><del>five</del><br><i>***</i></b>' in articles[1]
    assert '<b class="i"><i>***</i><br><ins>for</ins></b>' in articles[2]
    assert "60.00 %" in text


def test_report_shows_markup_in_transcripts_as_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    scored = score_set(
        evil, {evil: evil}, {evil: "x"}, normalizer=Normalizer("none"), speakers={evil: evil}
    )
    write_report(tmp_path / "r.html", [scored], title=evil, facts={evil: evil})
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1  # the page's own
    assert evil in page.text


def test_report_of_three_thousand_utterances_stays_small(tmp_path: Path) -> None:
    references = {f"u{number}": "one two three four five six seven eight" for number in range(3000)}
    hypotheses = dict.fromkeys(references, "one too three four six seven eight nine")
    scored = score_set("dev", references, hypotheses, normalizer=Normalizer("none"))
    write_report(tmp_path / "r.html", [scored], title="Scores", facts={})
    assert (tmp_path / "r.html").stat().st_size < 4_000_000
