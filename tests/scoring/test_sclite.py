from pathlib import Path

import pytest

from asr.errors import DataError
from asr.scoring.sclite import CtmWord, Segment, assign, read_ctm, read_stm, read_trn


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_trn_has_the_id_in_brackets_behind_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.trn", ";; a comment", "the cat  sat (jo-1)", "(jo-2)", "(uh) no(mo)")
    assert read_trn(path) == {"jo-1": "the cat  sat", "jo-2": "", "mo": "(uh) no"}


def test_ctm_words_come_by_channel_in_the_order_of_their_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ctm",
        ";; a comment",
        "talk 1 2.0 0.5 two 0.9",
        "talk 1 1.0 0.5 one NA",
        "talk B 0 1 other",
    )
    assert read_ctm(path) == {
        ("talk", "1"): [CtmWord("one", 1.0, 0.5, None), CtmWord("two", 2.0, 0.5, 0.9)],
        ("talk", "B"): [CtmWord("other", 0.0, 1.0, None)],
    }


def test_stm_segments_have_speaker_times_and_text_without_labels(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.stm",
        ';; CATEGORY "0" "" ""',
        "talk 1 anna 0.5 2.25 <o,f0,female> the cat <sat>",
        "talk 1 inter_segment_gap 2.25 3 <o,,>",
        "talk 1 bea 3 4 ignore_time_segment_in_scoring",
        "talk 1 bea 4 5",
    )
    segments = read_stm(path)
    assert segments[0] == Segment(("talk", "1"), "anna", 0.5, 2.25, "the cat <sat>")
    assert segments[0].id == "talk-1-0.500-2.250"
    assert [segment.scored for segment in segments] == [True, False, False, True]
    assert segments[3].text == ""


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("a.trn", "no id", r"a.trn:1: 'no id' has no id; expected lines of 'text \(id\)'"),
        ("a.trn", "{ cat / cats } (a)", r"a.trn:1: alternatives"),
        ("a.trn", ";; nothing", r"a.trn: there are no transcripts in it"),
        ("a.ctm", "talk 1 0.5 word", r"a.ctm:1: 'talk 1 0.5 word' came; expected lines of"),
        ("a.ctm", "talk 1 x 0.5 word", r"a.ctm:1: 'x' came; expected a number"),
        ("a.ctm", "talk 1 -1 0.5 word", r"a.ctm:1: '-1' came; expected a number"),
        ("a.ctm", "talk 1 nan 0.5 word", r"a.ctm:1: 'nan' came; expected a number"),
        ("a.stm", "talk 1 anna 0.5", r"a.stm:1: 'talk 1 anna 0.5' came"),
        ("a.stm", "talk 1 anna 2 1 x", r"a.stm:1: the segment ends at 1, before it starts at 2"),
        ("a.stm", "talk 1 inter_segment_gap 1 2", r"a.stm: there are no segments to score"),
    ],
)
def test_mistakes_are_named_with_file_and_line(
    tmp_path: Path, name: str, line: str, message: str
) -> None:
    read = {".trn": read_trn, ".ctm": read_ctm, ".stm": read_stm}[Path(name).suffix]
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / name, line))


def segment(start: float, end: float, text: str = "x", channel: str = "1") -> Segment:
    return Segment(("talk", channel), "anna", start, end, text)


def word(text: str, start: float, end: float) -> CtmWord:
    return CtmWord(text, start, end - start, None)


def texts(words: list[CtmWord], segments: list[Segment]) -> list[list[str]]:
    shared = assign({("talk", "1"): words}, segments)
    return [[one.text for one in shared.words[place.id]] for place in segments]


def test_words_go_where_their_midpoint_lies() -> None:
    words = [word("a", 0.9, 1.2), word("b", 1.9, 2.3), word("c", 2.5, 2.6)]
    assert texts(words, [segment(1, 2), segment(2, 3)]) == [["a"], ["b", "c"]]


def test_a_midpoint_on_the_border_belongs_to_what_starts_there() -> None:
    assert texts([word("a", 1.5, 2.5)], [segment(1, 2), segment(2, 3)]) == [[], ["a"]]


def test_a_short_segment_within_a_long_one_takes_its_words_and_no_more() -> None:
    words = [word("a", 1, 2), word("b", 4, 5), word("c", 8, 9)]
    assert texts(words, [segment(0, 10), segment(4, 5)]) == [["a", "c"], ["b"]]


def test_words_outside_and_in_ignored_segments_are_told_apart() -> None:
    ignored = segment(2, 3, "IGNORE_TIME_SEGMENT_IN_SCORING")
    words = [word("a", 1, 2), word("b", 2, 3), word("c", 5, 6)]
    shared = assign({("talk", "1"): words}, [segment(1, 2), ignored])
    assert list(shared.words) == ["talk-1-1.000-2.000"]
    assert shared.not_scored == 1
    assert [one.text for one in shared.outside] == ["c"]


def test_channels_without_a_word_are_left_out() -> None:
    shared = assign({("talk", "1"): [word("a", 1, 2)]}, [segment(0, 3), segment(0, 3, channel="2")])
    assert list(shared.words) == ["talk-1-0.000-3.000"]
