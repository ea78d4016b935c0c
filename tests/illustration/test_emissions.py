import re

import pytest
import torch

from asr.bundle import ModelText
from asr.decoding.confidence import Calibration
from asr.illustration.emissions import Emissions
from asr.text import Normalizer
from asr.tokens import Characters

MODEL = ModelText(Characters(" abc"), Normalizer("basic"), 0.04)
BLANK, SPACE, A, B = 0, 1, 2, 3


def emit(*frames: dict[int, float]) -> Emissions:
    """Frames of token probabilities; what is left over is shared by the other tokens."""
    rows = torch.zeros(len(frames), len(MODEL.tokens))
    for row, known in zip(rows, frames, strict=True):
        row[:] = (1 - sum(known.values())) / (len(row) - len(known))
        for token, probability in known.items():
            row[token] = probability
    return Emissions(rows.log(), MODEL, Calibration())


SPOKEN = emit({A: 0.75}, {BLANK: 0.99}, {B: 0.9}, {SPACE: 0.98}, {BLANK: 0.99}, {A: 0.5, B: 0.45})


def points(path: str) -> dict[int, int]:
    """The highest point of a path at each frame, as a probability in percent."""
    found: dict[int, int] = {}
    for frame, height in re.findall(r"(\d+),(\d+)", path):
        found[int(frame)] = max(found.get(int(frame), 0), 100 - int(height))
    return found


def test_curves_are_the_probabilities_of_the_frames() -> None:
    curves = {curve.symbol: curve for curve in SPOKEN.probabilities("ab a").curves}
    assert set(curves) == {"<blank>", "␣", "a", "b", "c"}
    a = points(curves["a"].path)
    assert (a[0], a[5]) == (75, 50)
    assert points(curves["<blank>"].path)[1] == 99
    assert curves["<blank>"].colour is None
    assert curves["a"].colour != curves["b"].colour


def test_a_token_that_is_never_probable_has_no_curve() -> None:
    curves = emit({BLANK: 0.9}, {A: 0.9}).probabilities("").curves
    assert [curve.symbol for curve in curves] == ["<blank>", "a"]


def test_curves_stay_within_the_frames() -> None:
    for curve in SPOKEN.probabilities("").curves:
        assert set(points(curve.path)) <= set(range(6))


def test_tokens_stand_where_they_are_said_in_the_colours_of_their_curves() -> None:
    panel = SPOKEN.probabilities("ab a")
    assert [one.symbol for one in panel.tokens] == ["a", "b", "␣", "a"]
    assert [one.middle for one in panel.tokens] == pytest.approx([0.02, 0.1, 0.14, 0.22])
    colours = {curve.symbol: curve.colour for curve in panel.curves}
    assert all(one.colour == colours[one.symbol] for one in panel.tokens)
    assert (panel.frames, panel.end) == (6, pytest.approx(0.24))


def test_words_have_times_and_confidences() -> None:
    first, second = SPOKEN.words_of("AB, a?!") or []
    assert (first.text, first.start, first.end) == ("ab", 0.0, pytest.approx(0.12))
    assert (second.text, second.start) == ("a", pytest.approx(0.2))
    assert first.confidence == pytest.approx((0.75 * 0.9) ** 0.5)
    assert second.confidence == pytest.approx(0.5)


def test_a_text_that_does_not_fit_has_curves_and_no_tokens() -> None:
    assert SPOKEN.words_of("abcabcabc") is None
    panel = SPOKEN.probabilities("abcabcabc")
    assert (len(panel.tokens), len(panel.curves)) == (0, len(SPOKEN.probabilities("").curves))


def test_characters_that_the_model_does_not_know_are_passed_over() -> None:
    assert [word.text for word in SPOKEN.words_of("axb ž a") or []] == ["ab", "a"]
