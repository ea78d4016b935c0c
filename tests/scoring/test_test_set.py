import json
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.scoring.test_set import read_test_set, with_speakers


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_any_form_is_matched_with_any_other_by_id(tmp_path: Path) -> None:
    manifest = {"id": "a", "audio_filepath": "a.wav", "duration": 2.0, "text": "one", "room": 3}
    reference = write(tmp_path / "ref.jsonl", json.dumps({**manifest, "speaker": "jo"}))
    files = [
        write(tmp_path / "kaldi", "a won"),
        write(tmp_path / "hyp.trn", "two (a)"),
        write(tmp_path / "hyp.ctm", "a 1 0 1 three 0.5", "a 1 1 1 four 0.5"),
        write(tmp_path / "hyp.jsonl", '{"id": "a", "text": "five", "nbest": ["one"]}'),
    ]
    test_set = read_test_set(reference, files)
    assert [system.texts["a"] for system in test_set.systems] == [
        "won",
        "two",
        "three four",
        "five",
    ]
    assert test_set.systems[2].attributes["a"]["words"][1] == {
        "text": "four",
        "start": 1.0,
        "end": 2.0,
        "confidence": 0.5,
    }
    assert test_set.systems[3].attributes["a"]["nbest"] == ["one"]
    assert test_set.attributes["a"] == {"room": 3, "speaker": "jo", "duration": 2.0}
    assert test_set.speakers == {"a": "jo"}


def test_parallel_lines_need_no_ids_and_may_be_empty(tmp_path: Path) -> None:
    reference = write(tmp_path / "ref.txt", "one two", "", "three")
    hypothesis = write(tmp_path / "hyp.txt", "one", "uh", "")
    test_set = read_test_set(reference, [hypothesis], parallel=True)
    assert test_set.references == {"1": "one two", "2": "", "3": "three"}
    assert test_set.systems[0].texts == {"1": "one", "2": "uh", "3": ""}


def test_parallel_files_have_equally_many_lines(tmp_path: Path) -> None:
    reference = write(tmp_path / "ref.txt", "one", "two")
    with pytest.raises(DataError, match=r"hyp.txt: 1 lines came, .*ref.txt has 2"):
        read_test_set(reference, [write(tmp_path / "hyp.txt", "one")], parallel=True)


def test_files_with_ids_are_not_parallel(tmp_path: Path) -> None:
    path = write(tmp_path / "ref.trn", "one (a)")
    with pytest.raises(DataError, match=r"ref.trn: .trn files have ids; --parallel is for plain"):
        read_test_set(path, [path], parallel=True)


def test_missing_hypotheses_are_errors_or_count_as_empty(tmp_path: Path) -> None:
    reference = write(tmp_path / "ref", "a one", "b two", "c three")
    hypothesis = write(tmp_path / "hyp", "b two")
    with pytest.raises(DataError, match=r"hyp: 2 of 3 references have no hypothesis \(a, c\)"):
        read_test_set(reference, [hypothesis])
    test_set = read_test_set(reference, [hypothesis], missing="count")
    assert test_set.systems[0].texts == {"a": "", "b": "two", "c": ""}
    assert test_set.systems[0].missing == 2
    assert "2 of 3 hypotheses are missing and count as deleted (a, c)" in test_set.notices[0]


def test_extra_hypotheses_stay_errors(tmp_path: Path) -> None:
    reference, hypothesis = write(tmp_path / "ref", "a one"), write(tmp_path / "hyp", "x one")
    with pytest.raises(DataError, match=r"1 of 1 hypotheses have no reference \(x\)"):
        read_test_set(reference, [hypothesis], missing="count")


def test_words_of_a_ctm_are_shared_out_to_the_segments_of_an_stm(tmp_path: Path) -> None:
    stm = write(
        tmp_path / "ref.stm",
        "talk 1 anna 0 2 <o> one two",
        "talk 1 inter_segment_gap 2 4 <o>",
        "talk 1 bea 4 6 <o> three",
        "talk 1 anna 6 7 <o> four",
    )
    ctm = write(
        tmp_path / "hyp.ctm",
        "talk 1 0.1 0.5 one 1",
        "talk 1 2.5 0.5 cough 1",
        "talk 1 4.5 0.5 tree 1",
        "talk 1 9.0 0.5 bye 1",
    )
    test_set = read_test_set(stm, [ctm])
    assert list(test_set.systems[0].texts.values()) == ["one", "tree", ""]
    assert list(test_set.speakers.values()) == ["anna", "bea", "anna"]
    assert [known["duration"] for known in test_set.attributes.values()] == [2.0, 2.0, 1.0]
    first, second, third = test_set.notices
    assert "1 of 4 segments do not count" in first
    assert "1 words in these segments are not scored" in second
    assert "1 words lie in no segment and are not scored (bye at 9.00 s)" in third


def test_recordings_that_only_one_side_has_are_named(tmp_path: Path) -> None:
    stm = write(tmp_path / "ref.stm", "talk 1 anna 0 2 one", "walk 1 anna 0 2 two")
    other = write(tmp_path / "other.ctm", "talk A 0 1 one")
    with pytest.raises(DataError, match=r"1 of 1 recordings and channels have no ref.* \(talk A\)"):
        read_test_set(stm, [other])
    ctm = write(tmp_path / "hyp.ctm", "talk 1 0 1 one")
    with pytest.raises(DataError, match=r"1 of 2 references have no hypothesis \(walk-1-"):
        read_test_set(stm, [ctm])
    assert list(read_test_set(stm, [ctm], missing="count").systems[0].texts.values()) == ["one", ""]


def test_an_stm_takes_a_ctm_only(tmp_path: Path) -> None:
    stm = write(tmp_path / "ref.stm", "talk 1 anna 0 2 one")
    with pytest.raises(DataError, match=r"hyp.trn: .trn came; expected .ctm beside an .stm"):
        read_test_set(stm, [write(tmp_path / "hyp.trn", "one (talk)")])
    with pytest.raises(DataError, match=r"ref.stm: an .stm came; expected it as the reference"):
        read_test_set(write(tmp_path / "text", "talk one"), [stm])


def test_a_ctm_with_two_channels_wants_an_stm(tmp_path: Path) -> None:
    ctm = write(tmp_path / "hyp.ctm", "talk 1 0 1 one", "talk 2 0 1 two")
    with pytest.raises(DataError, match=r"1 recordings have several channels \(talk\)"):
        read_test_set(write(tmp_path / "ref", "talk one"), [ctm])


def test_speakers_may_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    test_set = read_test_set(write(tmp_path / "r", "a x", "b y"), [write(tmp_path / "h", "a", "b")])
    utt2spk = write(tmp_path / "utt2spk", "a jo", "b mo", "c jo")
    assert with_speakers(test_set, utt2spk).speakers == {"a": "jo", "b": "mo"}
    with pytest.raises(DataError, match=r"1 of 2 utterances have no speaker \(b\)"):
        with_speakers(test_set, write(tmp_path / "few", "a jo"))


def test_systems_of_the_same_file_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    paths = [write(tmp_path / folder / "hyp", "a one") for folder in ("x", "y")]
    names = [one.name for one in read_test_set(write(tmp_path / "r", "a one"), paths).systems]
    assert names == list(map(str, paths))
