import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from asr.errors import DataError
from asr.scoring.comparison import compare
from asr.scoring.error_rate import ErrorCounts
from asr.scoring.report import Plot, Reported, write_json, write_report
from asr.scoring.scored import ScoredSet, score_set
from asr.scoring.slices import slice_set
from asr.scoring.tables import format_interval, format_rate, print_table
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


def read_page(path: Path, *sets: Reported, **values: Any) -> str:
    write_report(path, sets, **{"title": "Scores", "facts": {}} | values)
    return path.read_text(encoding="utf-8")


def read_columns(text: str) -> dict[str, Any]:
    """What the page's script is given of the only set."""
    (found,) = re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)
    columns: dict[str, Any] = json.loads(found)
    return columns


def test_report_is_one_page_that_fetches_nothing(scored: ScoredSet, tmp_path: Path) -> None:
    text = read_page(tmp_path / "r.html", Reported(scored), facts={"model": "m"})
    page = Page(text)
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "srcset"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|url\(|@import", text)
    assert (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; media-src 'self' file:",
    ) in page.attributes


def test_report_has_every_utterance_and_the_edits_of_each(
    scored: ScoredSet, tmp_path: Path
) -> None:
    columns = read_columns(read_page(tmp_path / "r.html", Reported(scored)))
    assert columns["id"] == ["a", "b", "c", "d"]
    assert columns["edits"] == ["==", "=I=", "I", "D"]
    assert columns["speaker"] == ["jo", "mo", "jo", None]


def test_rates_stand_above_their_intervals(scored: ScoredSet, tmp_path: Path) -> None:
    text = read_page(tmp_path / "r.html", Reported(scored))
    intervals = scored.intervals
    for rate, interval in (
        (scored.summary.words.rate, intervals.words),
        (scored.summary.characters.rate, intervals.characters),
        (scored.summary.sentence_error_rate, intervals.sentences),
    ):
        assert f"{format_rate(rate)}<small>{format_interval(interval)}</small>" in text
    # "jo", "mo", and "d", who is nobody's.
    assert "percentile bootstrap over\n3 speakers (few: take it as rough); 1,000" in text


def test_slices_are_drawn_where_their_rates_are(scored: ScoredSet, tmp_path: Path) -> None:
    slices = slice_set(scored, {"a": "hall", "b": "hall", "c": "car", "d": "car"})
    plot = Reported(scored, slices={"room": slices}).plots["room"]
    highest = max(max(one.summary.words.rate, one.interval.high) for one in slices)
    assert plot.end == pytest.approx(1.05 * highest)
    assert plot.place(highest) == "95.24%"
    assert plot.place(0.0) == "0.00%"
    text = read_page(tmp_path / "r.html", Reported(scored, slices={"room": slices}))
    for one in slices:
        assert f'<circle cx="{plot.place(one.summary.words.rate)}"' in text
        low, high = (plot.place(end) for end in one.interval)
        assert f'<line class="range" x1="{low}" x2="{high}"' in text


@pytest.mark.parametrize(
    ("rate", "ticks"),
    [
        (0.0, [0, 0.5, 1]),
        (0.1, [0, 0.05, 0.1]),
        (0.4, [0, 0.1, 0.2, 0.3, 0.4]),
        (3.0, [0, 1, 2, 3]),
    ],
)
def test_axes_have_round_numbers(rate: float, ticks: list[float]) -> None:
    assert Plot(rate, []).ticks == pytest.approx(ticks)


def test_frequent_errors_are_listed_with_what_finds_them(scored: ScoredSet, tmp_path: Path) -> None:
    page = Page(read_page(tmp_path / "r.html", Reported(scored)))
    found = [value for name, value in page.attributes if name == "data-search"]
    assert found == ["five → ***", "*** → for", "*** → uh", "five →"]


def test_markup_from_outside_stays_text_in_the_page_and_in_its_data(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><!--"
    scored = score_set(
        evil, {evil: evil}, {evil: "x"}, normalizer=Normalizer("none"), speakers={evil: evil}
    )
    reported = Reported(scored, recordings={evil: evil})
    text = read_page(tmp_path / "r.html", reported, title=evil, facts={evil: evil})
    page = Page(text)
    assert page.tags.count("script") == 2  # the page's own: its data and its program
    assert evil in page.text
    columns = read_columns(text)
    assert [columns[key] for key in ("id", "speaker", "said")] == [[evil], [evil], [evil]]
    assert columns["start"] == evil


def test_report_of_ten_thousand_utterances_stays_small(tmp_path: Path) -> None:
    references = {
        f"u{number}": "one two three four five six seven eight" for number in range(10000)
    }
    hypotheses = dict.fromkeys(references, "one too three four six seven eight nine")
    scored = score_set("dev", references, hypotheses, normalizer=Normalizer("none"))
    read_page(tmp_path / "r.html", Reported(scored))
    assert (tmp_path / "r.html").stat().st_size < 1_500_000


def test_two_systems_are_compared_in_the_page(scored: ScoredSet, tmp_path: Path) -> None:
    better = score_set(
        "better", REFERENCES, REFERENCES, normalizer=Normalizer("basic"), speakers=SPEAKERS
    )
    comparison = compare(scored, better)
    text = read_page(tmp_path / "r.html", Reported(scored), Reported(better), comparison=comparison)
    assert comparison.sentence in text
    assert text.count("<section>") == 2
