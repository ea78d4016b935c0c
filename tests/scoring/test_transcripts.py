import json
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.scoring.transcripts import TranscriptPair, match, read_attributed


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def manifest_line(identifier: str, **more: object) -> str:
    return json.dumps({"id": identifier, "audio_filepath": "a.wav", "duration": 1.0, **more})


def test_kaldi_text_maps_ids_to_transcripts_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "text", "b-2 hello  world", "", "a-1\tyes")
    assert list(read_attributed(path).texts.items()) == [("b-2", "hello  world"), ("a-1", "yes")]


def test_a_line_with_an_id_only_is_an_empty_transcript(tmp_path: Path) -> None:
    assert read_attributed(write(tmp_path / "text", "a", "b x")).texts == {"a": "", "b": "x"}


def test_hypothesis_lines_need_no_audio(tmp_path: Path) -> None:
    path = write(tmp_path / "hyp.jsonl", '{"id": "a", "text": "ja", "score": -3.5}')
    assert read_attributed(path).texts == {"a": "ja"}


def test_manifests_give_their_texts_and_speakers(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        manifest_line("a", text="yes", speaker="jo"),
        manifest_line("b", text=""),
    )
    assert read_attributed(path).texts == {"a": "yes", "b": ""}
    known = read_attributed(path).attributes
    assert {key: one["speaker"] for key, one in known.items()} == {"a": "jo", "b": None}


def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a yes\n", encoding="utf-8-sig")
    assert read_attributed(path).texts == {"a": "yes"}


def test_a_line_separator_inside_a_transcript_stays_there(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "text": "one\u2028two"}, ensure_ascii=False)
    assert read_attributed(write(tmp_path / "hyp", line)).texts == {"a": "one\u2028two"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a yes", "b no", "a yes"], r"text:3: id 'a' was given already on line 1"),
        (['{"id": "a", "text": "x"}', '{"id": "a", "text": "x"}'], r"text:2: id 'a' was given"),
        (['{"id": "a", "text": "x"}', "b y"], r"text:2: not JSON"),
        (['{"id": "a", "text": "x"}', "[1]"], r"text:2: list came; expected one JSON object"),
        (['{"id": "a", "text": "x"}', '{"text": "x"}'], r"text:2: key 'id': None came"),
        (['{"id": "a"}'], r"text:1: key 'text': None came; expected a transcript"),
        (['{"id": 7, "text": "x"}'], r"text:1: key 'id': 7 came"),
        ([""], r"text: there are no transcripts in it"),
    ],
)
def test_mistakes_are_named_with_file_and_line(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_attributed(write(tmp_path / "text", *lines))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: there is no such file"):
        read_attributed(tmp_path / "none")


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a caf\xe9\n")
    with pytest.raises(DataError, match="text: not a readable UTF-8 text file"):
        read_attributed(tmp_path / "text")


def test_untranscribed_utterances_cannot_be_scored(tmp_path: Path) -> None:
    path = write(tmp_path / "m", *(manifest_line(f"u{number}") for number in range(7)))
    with pytest.raises(DataError, match=r"7 of 7 utterances have no key 'text' \(u0, .*u4, …\)"):
        read_attributed(path)


def test_pairs_come_in_the_order_of_the_references() -> None:
    pairs = match({"b": "x", "a": "y"}, {"a": "1", "b": "2"})
    assert pairs == [TranscriptPair("b", "x", "2"), TranscriptPair("a", "y", "1")]


def test_ids_on_one_side_only_are_named_and_counted() -> None:
    references = {f"r{number}": "" for number in range(8)}
    with pytest.raises(DataError) as error:
        match(references, {"r0": "", "x": "", "y": ""}, where="dev")
    message = str(error.value)
    assert message.startswith("dev: 7 of 8 references have no hypothesis (r1, r2, r3, r4, r5, …)")
    assert "2 of 3 hypotheses have no reference (x, y)" in message
