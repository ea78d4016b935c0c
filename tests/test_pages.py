from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from asr.pages import refer_to_recording, render_page


@pytest.mark.parametrize(
    ("offset", "duration", "part"),
    [(0.0, 2.5, "t=0,2.5"), (1.5, 2.5, "t=1.5,4"), (1.5, 0.0, "t=1.5"), (0.0, 0.0, "")],
)
def test_a_part_of_a_recording_is_a_media_fragment(
    offset: float, duration: float, part: str
) -> None:
    found = urlparse(refer_to_recording(Path("a.wav"), Path("."), offset=offset, duration=duration))
    assert (found.path, found.fragment) == ("a.wav", part)


def test_hours_into_a_recording_milliseconds_are_kept() -> None:
    found = refer_to_recording(Path("a.wav"), Path("."), offset=36000.001, duration=1.234)
    assert found == "a.wav#t=36000.001,36001.235"


def test_a_recording_is_found_from_the_page_whatever_its_name(tmp_path: Path) -> None:
    audio = tmp_path / "two words/100% #1?.wav"
    audio.parent.mkdir()
    audio.touch()
    page = tmp_path / "exp/10_score"
    page.mkdir(parents=True)
    found = urlparse(refer_to_recording(audio, page, offset=0.0, duration=0.0))
    assert (found.query, found.fragment) == ("", "")
    assert (page / unquote(found.path)).samefile(audio)


def test_half_a_pair_of_utf_16_is_shown_and_breaks_no_page(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>{{ said }}</p><script>{{ said|tojson }}</script>")
    page = render_page(tmp_path / "a.html", {"said": "a\ud800b\udc00 \U0001f44d"})
    shown = "a\ufffdb\ufffd \U0001f44d"
    assert page.encode("utf-8").decode() == f'<p>{shown}</p><script>"{shown}"</script>'
    assert refer_to_recording(Path("\ud800.wav"), Path("."), offset=0.0, duration=0.0) == "%3F.wav"
