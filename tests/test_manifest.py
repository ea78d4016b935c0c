import json
import shutil
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.manifest import Utterance, read_manifest, write_manifest

GOOD = {"audio_filepath": "a.wav", "duration": 1.5, "text": "yes", "id": "a"}


def write(path: Path, *records: object) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_all_keys_are_read(tmp_path: Path) -> None:
    more = {"offset": 0.5, "speaker": "jo", "sample_rate": 8000, "lang": "en"}
    path = write(tmp_path / "m.jsonl", GOOD | more)
    expected = Utterance(
        id="a",
        audio_path=tmp_path / "a.wav",
        duration=1.5,
        text="yes",
        offset=0.5,
        speaker="jo",
        sample_rate=8000,
        extra={"lang": "en"},
    )
    assert read_manifest(path) == [expected]


def test_writing_and_reading_again_changes_nothing(tmp_path: Path) -> None:
    utterances = [
        Utterance("é 1", tmp_path / "wav/a.wav", 1.25, "naïve\u2028\x85text", speaker="s"),
        Utterance("b", Path("/elsewhere/b.flac"), 0.1, None, offset=2.5, sample_rate=16000),
        Utterance("c", tmp_path / "c.wav", 3.0, "", extra={"lang": "de", "n": [1, 2]}),
    ]
    write_manifest(tmp_path / "m.jsonl", utterances)
    assert read_manifest(tmp_path / "m.jsonl") == utterances


def test_a_corpus_folder_can_be_moved(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write_manifest(old / "m.jsonl", [Utterance("a", old / "wav/a.wav", 1.0)])
    shutil.move(old, new)
    assert read_manifest(new / "m.jsonl")[0].audio_path == new / "wav/a.wav"


def test_relative_paths_are_relative_to_the_manifest_not_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.jsonl", GOOD | {"audio_filepath": "../x/a.wav"})
    monkeypatch.chdir("/")
    assert read_manifest(path)[0].audio_path == tmp_path / "../x/a.wav"


def test_a_manifest_written_from_a_relative_path_finds_its_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest(Path("m.jsonl"), [Utterance("a", Path("wav/a.wav"), 1.0)])
    assert json.loads((tmp_path / "m.jsonl").read_text())["audio_filepath"] == "wav/a.wav"


def test_manifests_without_ids_get_one_from_path_and_offset(tmp_path: Path) -> None:
    record = {"audio_filepath": "d/a.wav", "duration": 1}
    path = write(tmp_path / "m.jsonl", record, record | {"offset": 2.0})
    assert [utterance.id for utterance in read_manifest(path)] == ["d/a", "d/a@2.00"]


def test_blank_lines_and_a_byte_order_mark_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("\n" + json.dumps(GOOD) + "\r\n\n", encoding="utf-8-sig")
    assert [utterance.id for utterance in read_manifest(path)] == ["a"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "list came; expected one JSON object"),
        ({"duration": 1.0}, "key 'audio_filepath' is missing"),
        ({"audio_filepath": "b.wav"}, "key 'duration' is missing"),
        (GOOD | {"audio_filepath": ""}, "key 'audio_filepath': '' came; expected a non-empty"),
        (GOOD | {"audio_filepath": 3}, "key 'audio_filepath': 3 came"),
        (GOOD | {"duration": "1.5"}, "key 'duration': '1.5' came; expected a number of seconds"),
        (GOOD | {"duration": True}, "key 'duration': True came"),
        (GOOD | {"duration": -1}, "key 'duration': -1 came; expected seconds, 0 or more"),
        (GOOD | {"duration": float("nan")}, "key 'duration': nan came"),
        (GOOD | {"duration": 10**400}, "key 'duration': inf came"),
        (GOOD | {"offset": -0.5}, r"key 'offset': -0\.5 came"),
        (GOOD | {"text": 5}, "key 'text': 5 came"),
        (GOOD | {"speaker": ""}, "key 'speaker': '' came"),
        (GOOD | {"sample_rate": 8000.5}, r"key 'sample_rate': 8000\.5 came; expected a whole"),
        (GOOD | {"sample_rate": 0}, "key 'sample_rate': 0 came; expected Hz above 0"),
        (GOOD, "key 'id': 'a' was given already on line 1"),
    ],
)
def test_mistakes_are_named_with_file_line_and_key(
    tmp_path: Path, record: object, message: str
) -> None:
    path = write(tmp_path / "m.jsonl", GOOD, "", record)
    with pytest.raises(DataError, match=rf"m\.jsonl:3: {message}"):
        read_manifest(path)


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m\.jsonl: the manifest has no utterances"):
        read_manifest(write(tmp_path / "m.jsonl"))


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m\.jsonl: there is no such manifest"):
        read_manifest(tmp_path / "m.jsonl")


def test_a_recording_given_as_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xfe\x00\x81WAVE")
    with pytest.raises(DataError, match=r"a\.wav: not a readable UTF-8 manifest"):
        read_manifest(tmp_path / "a.wav")


def test_a_failed_write_leaves_the_old_manifest(tmp_path: Path) -> None:
    path = write(tmp_path / "m.jsonl", GOOD)
    unwritable = Utterance("b", tmp_path / "b.wav", 1.0, extra={"x": object()})
    with pytest.raises(TypeError):
        write_manifest(path, [unwritable])
    assert [utterance.id for utterance in read_manifest(path)] == ["a"]
