"""Transcripts go where the user wants them, and what cannot be done is refused beforehand."""

import json
from pathlib import Path

import pytest

from asr.decoding.hypothesis import Word
from asr.errors import ConfigError, DataError
from asr.transcript.delivery import Delivery
from asr.transcript.transcript import Segment, Transcript

TALK = Transcript("talk.wav", 3.0, (Segment((Word("good", 0.5, 1.0, 0.9),)),))
LEFT = Transcript("call.wav", 3.0, TALK.segments, channel=1)
STEM = Path("a/talk.v2")


def test_the_text_alone_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Delivery().write(TALK, STEM, alone=True)
    assert capsys.readouterr().out == "good\n"
    Delivery().write(TALK, STEM, alone=False)
    assert capsys.readouterr().out == "talk.wav\tgood\n"
    Delivery().write(LEFT, STEM, alone=True)
    assert capsys.readouterr().out == "call.wav (channel 1)\tgood\n"


def test_a_format_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Delivery(("json",)).write(TALK, STEM, alone=True)
    assert json.loads(capsys.readouterr().out)["text"] == "good"


def test_a_folder_gets_a_file_of_each_format(tmp_path: Path) -> None:
    Delivery(("srt", "textgrid"), folder=tmp_path / "out").write(TALK, STEM, alone=False)
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert found == ["out/a/talk.v2.TextGrid", "out/a/talk.v2.srt"]


def test_without_a_format_files_are_text(tmp_path: Path) -> None:
    Delivery(folder=tmp_path).write(TALK, Path("talk"), alone=True)
    Delivery(file=tmp_path / "named").write(TALK, STEM, alone=True)
    assert (tmp_path / "talk.txt").read_text() == "good\n"
    assert (tmp_path / "named").read_text() == "good\n"


def test_a_file_of_several_formats_gets_their_suffixes(tmp_path: Path) -> None:
    Delivery(("vtt", "json"), file=tmp_path / "talk").write(TALK, STEM, alone=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.json", "talk.vtt"]


@pytest.mark.parametrize(
    ("delivery", "stems", "error", "message"),
    [
        (Delivery(("srtt",)), ["a"], ConfigError, "did you mean 'srt'"),
        (
            Delivery(file=Path("x"), folder=Path("y")),
            ["a"],
            ConfigError,
            "give one of them",
        ),
        (Delivery(file=Path("x")), ["a", "b"], ConfigError, "one file for 2 recordings"),
        (Delivery(("srt", "vtt")), ["a"], ConfigError, "2 formats cannot go to standard output"),
        (Delivery(("srt",)), ["a", "b"], ConfigError, "as one srt; use --output-dir, or one of"),
        (Delivery(folder=Path("y")), ["a", "a"], DataError, "y/a: two recordings would be written"),
    ],
)
def test_what_cannot_be_done_is_refused(
    delivery: Delivery, stems: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        delivery.check([Path(stem) for stem in stems])


def test_what_can_be_done_is_not(tmp_path: Path) -> None:
    two = [Path("a"), Path("b")]
    Delivery().check(two)
    Delivery(("ctm",)).check(two)
    Delivery(("srt",)).check(two[:1])
    Delivery(("srt", "json"), folder=tmp_path).check(two)


def test_a_recording_and_what_stands_beside_it_are_not_overwritten(tmp_path: Path) -> None:
    talk = tmp_path / "talk.wav"
    with pytest.raises(ConfigError, match=r"talk\.wav: this file is given for two things"):
        Delivery(file=talk).check([Path("talk")], [talk])
    Delivery(folder=tmp_path).check([Path("talk")], [talk])
    (tmp_path / "talk.txt").write_text("what somebody has written")
    with pytest.raises(ConfigError, match=r"talk\.txt: there already, beside a recording"):
        Delivery(folder=tmp_path).check([Path("talk")], [talk])
    Delivery(folder=tmp_path, force=True).check([Path("talk")], [talk])
    Delivery(("json",), folder=tmp_path).check([Path("talk")], [talk])
    elsewhere = tmp_path / "elsewhere" / "talk.wav"
    Delivery(folder=tmp_path).check([Path("talk")], [elsewhere])
    talk.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="beside a recording"):
        Delivery(folder=tmp_path).check([Path("talk")], [talk])


def test_where_nothing_can_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        Delivery(folder=tmp_path / "file").check([Path("talk")])
    with pytest.raises(DataError, match="cannot be written"):
        Delivery(file=tmp_path).check([Path("talk")])
