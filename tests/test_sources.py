import json
import os
from pathlib import Path, PurePosixPath

import pytest
import soundfile

from asr.audio import load_audio
from asr.errors import AudioError, ConfigError, DataError
from asr.sources import Source, find_sources, needs_standard_input


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def names(sources: list[Source]) -> list[str]:
    assert not [source.problem for source in sources if source.problem]
    return [source.name for source in sources]


def stems(sources: list[Source]) -> list[str]:
    return [str(source.stem) for source in sources]


def problems(sources: list[Source]) -> list[str]:
    return [str(source.problem) for source in sources if source.problem]


def write_manifest(path: str, *records: dict[str, object]) -> None:
    Path(path).write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")


def test_files_are_taken_as_they_come_whatever_they_are_called() -> None:
    touch("b.wav", "calls/a.raw", "[1].wav")
    sources = find_sources(["b.wav", Path("calls/a.raw"), "[1].wav"])
    assert names(sources) == ["b.wav", str(Path("calls/a.raw")), "[1].wav"]
    assert [source.path for source in sources] == [Path(source.name) for source in sources]
    assert stems(sources) == ["b", "a", "[1]"]
    assert {(source.offset, source.duration) for source in sources} == {(0.0, None)}


def test_a_missing_file_fails_when_it_is_opened_and_stops_no_other() -> None:
    soundfile.write("a.wav", [0.1] * 100, 8000)
    missing, there = find_sources(["none.wav", "a.wav"])
    assert missing.problem is None
    with pytest.raises(AudioError, match=r"^none\.wav: no such file"):
        load_audio(missing.path)
    assert len(load_audio(there.path).samples) == 100


def test_a_folder_stands_for_the_recordings_below_it_by_name() -> None:
    touch("c/b.wav", "c/a/2.M4A", "c/a/1.mp3", "c/notes.txt", "c/z.webm", "c/list.jsonl")
    touch("c/.hidden.wav", "c/.cache/x.wav")
    sources = find_sources(["c"])
    assert [source.path.as_posix() for source in sources] == [
        "c/a/1.mp3",
        "c/a/2.M4A",
        "c/b.wav",
        "c/z.webm",
    ]
    assert stems(sources) == ["a/1", "a/2", "b", "z"]
    assert stems(find_sources(["./c/"])) == ["a/1", "a/2", "b", "z"]


def test_what_a_folder_has_beside_recordings_is_counted() -> None:
    touch("c/b.wav", "c/a/notes.txt", "c/list.jsonl", "c/.hidden", "d/x.wav", "d/y", "e/z.wav")
    said: list[str] = []
    find_sources(["c", "e", "[d]", "b.wav"], tell=said.append)
    assert said == [
        "2 files of other kinds in c were left alone",
        "1 file of another kind in d was left alone",
    ]


def test_the_working_folder_and_a_hidden_one_that_is_named_are_searched() -> None:
    touch("a.wav", ".x/b.wav")
    assert names(find_sources(["."])) == ["a.wav"]
    assert stems(find_sources([".x"])) == ["b"]


def test_a_folder_without_recordings_is_a_problem_of_its_own() -> None:
    touch("c/notes.txt", "a.wav")
    empty, there = find_sources(["c", "a.wav"])
    assert isinstance(empty.problem, AudioError)
    assert str(empty.problem).startswith("c: no recordings in this folder; expected files that end")
    assert (there.name, there.problem) == ("a.wav", None)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_may_not_be_read_is_named() -> None:
    touch("c/a.wav", "c/d/b.wav")
    Path("c/d").chmod(0)
    try:
        sources = find_sources(["c"])
    finally:
        Path("c/d").chmod(0o700)
    assert [source.name for source in sources] == ["c/a.wav", "c/d"]
    assert problems(sources)[0].startswith("c/d: the folder cannot be read")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("c/*.mp3", {"c/1.mp3": "1"}),
        ("c/**/*.mp3", {"c/1.mp3": "1", "c/d/2.mp3": "d/2", "c/d/e/3.mp3": "d/e/3"}),
        ("c/*.txt", {"c/n.txt": "n"}),
        ("c/d/**", {"c/d/2.mp3": "2", "c/d/e/3.mp3": "e/3"}),
        ("c/*", {"c/1.mp3": "1", "c/d/2.mp3": "2", "c/d/e/3.mp3": "e/3"}),
        ("?/d/[0-9].mp3", {"c/d/2.mp3": "c/d/2"}),
        ("*/*.*3", {"c/1.mp3": "c/1"}),
    ],
)
def test_a_pattern_stands_for_what_the_shell_would_find(
    pattern: str, expected: dict[str, str]
) -> None:
    touch("c/1.mp3", "c/d/2.mp3", "c/d/e/3.mp3", "c/n.txt", "c/d/n.txt", "c/.h.mp3")
    sources = find_sources([pattern])
    assert dict(zip(names(sources), stems(sources), strict=True)) == expected


def test_a_pattern_that_fits_nothing_is_a_problem_of_its_own() -> None:
    assert problems(find_sources(["c/*.mp3"])) == [
        "c/*.mp3: no recording has a name of this pattern; check it"
    ]


def test_a_manifest_gives_its_parts_of_recordings() -> None:
    write_manifest(
        "test.jsonl",
        {"audio_filepath": "a.wav", "duration": 1.5, "offset": 2.0, "id": "one"},
        {"audio_filepath": "c/b.wav", "duration": 0},
    )
    first, second = find_sources(["test.jsonl"])
    assert first == Source("one", Path("a.wav"), first.stem, offset=2.0, duration=1.5)
    assert second == Source("c/b", Path("c/b.wav"), second.stem)
    assert stems([first, second]) == ["one", "c/b"]


@pytest.mark.parametrize("content", [None, "{", ""])
def test_a_bad_manifest_is_a_problem_of_its_own(content: str | None) -> None:
    touch("a.wav")
    if content is not None:
        Path("m.jsonl").write_text(content)
    bad, good = find_sources(["m.jsonl", "a.wav"])
    assert isinstance(bad.problem, DataError)
    assert str(bad.problem).startswith("m.jsonl")
    assert good.problem is None


@pytest.mark.parametrize(
    ("identifier", "stem"),
    [
        ("../../x", "x"),
        ("/etc/x", "etc/x"),
        ("a:b|c", "a_b_c"),
        ("..", "utterance"),
        ("a.b", "a.b"),
    ],
)
def test_no_id_leads_out_of_the_output_folder(identifier: str, stem: str) -> None:
    write_manifest("m.jsonl", {"audio_filepath": "a.wav", "duration": 1, "id": identifier})
    (source,) = find_sources(["m.jsonl"])
    assert source.name == identifier
    assert source.stem == PurePosixPath(stem)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a/x.wav", "b/x.wav"], ["a/x", "b/x"]),
        (["x.wav", "x.mp3"], ["x.wav", "x.mp3"]),
        (["x.wav", "x.wav"], ["x", "x-2"]),
        (["x.wav", "x.wav", "x-2.wav"], ["x", "x-3", "x-2"]),
        (["a", "b"], ["a/x", "b/x"]),
        (["a", "a/x.wav"], ["x", "x-2"]),
        (["x.wav", "X.wav"], ["x", "X-2"]),
        (["a/x.wav", "b/x.mp3", "x.wav.flac"], ["a/x", "b/x", "x.wav"]),
        (["one/2024/x.wav", "two/2024/x.wav"], ["x", "x-2"]),
        (["x.wav", "none/*.wav"], ["x", "problem"]),
    ],
)
def test_no_two_recordings_have_the_same_stem(arguments: list[str], expected: list[str]) -> None:
    touch("a/x.wav", "b/x.wav", "x.wav", "x.mp3")
    found = stems(find_sources(arguments))
    assert found == expected
    assert len({stem.casefold() for stem in found}) == len(found)


def test_folders_of_one_structure_are_told_apart_by_their_names() -> None:
    touch("jo/day/1.wav", "jo/2.wav", "al/day/1.wav", "al/3.wav")
    assert stems(find_sources(["jo", "al"])) == ["2", "jo/day/1", "3", "al/day/1"]


def test_two_manifests_with_the_same_ids_are_told_apart_by_their_names() -> None:
    for name in ("dev", "test"):
        write_manifest(f"{name}.jsonl", {"audio_filepath": "a.wav", "duration": 1, "id": "u1"})
    assert stems(find_sources(["dev.jsonl", "test.jsonl"])) == ["dev/u1", "test/u1"]


@pytest.mark.parametrize("content", ["a.wav\nc/b c.wav\n", "\ufeffa.wav\r\n\r\n  \r\nc/b c.wav"])
def test_a_list_has_a_path_on_each_line(content: str) -> None:
    Path("list.txt").write_bytes(content.encode())
    sources = find_sources([], "list.txt")
    assert names(sources) == ["a.wav", "c/b c.wav"]


def test_a_list_comes_after_the_arguments_and_holds_folders_but_no_patterns() -> None:
    touch("c/1.wav", "c/2.wav", "x.wav")
    Path("list").write_text("c\n*.wav\n-\n")
    assert names(find_sources(["x.wav"], "list")) == [
        "x.wav",
        str(Path("c/1.wav")),
        str(Path("c/2.wav")),
        "*.wav",
        "-",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows names are Unicode")
def test_names_in_a_list_need_not_be_utf8() -> None:
    name = b"caf\xe9.wav"
    Path(os.fsdecode(name)).write_bytes(b"x")
    Path("list").write_bytes(name + b"\n")
    (source,) = find_sources([], "list")
    assert source.path.is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"--files-from list: cannot be read \(No such file"),
        (b"", r"--files-from list: no paths in it; expected one on each line"),
        (b"\r\n \n", r"--files-from list: no paths in it"),
        (b"a.wav\0b.wav\0", r"--files-from list: this is no text; .* without -print0"),
    ],
)
def test_a_list_that_cannot_be_used_is_an_error_at_once(
    content: bytes | None, message: str
) -> None:
    if content is not None:
        Path("list").write_bytes(content)
    with pytest.raises(DataError, match=message):
        find_sources(["a.wav"], "list")


def test_standard_input_is_a_recording_or_a_list() -> None:
    kept = Path("kept")
    kept.write_text("a.wav\nb.wav\n")
    (source,) = find_sources(["-"], standard_input=kept)
    assert (source.name, source.path, str(source.stem)) == ("-", kept, "stdin")
    assert names(find_sources([], "-", standard_input=kept)) == ["a.wav", "b.wav"]
    assert needs_standard_input(["a.wav", "-"])
    assert needs_standard_input([], "-")
    assert not needs_standard_input(["a.wav"], "list")
    assert not needs_standard_input(["a.wav"])


@pytest.mark.parametrize(("arguments", "files_from"), [(["-"], "-"), (["-", "a.wav", "-"], None)])
def test_standard_input_is_not_two_things(arguments: list[str], files_from: str | None) -> None:
    with pytest.raises(ConfigError, match="standard input was given for two things"):
        find_sources(arguments, files_from, standard_input=Path("kept"))


def test_nothing_given_is_an_error_at_once() -> None:
    with pytest.raises(ConfigError, match="FILES: none came; expected recordings, folders"):
        find_sources([])
    with pytest.raises(ConfigError, match="FILES: an empty path came"):
        find_sources(["a.wav", ""])
