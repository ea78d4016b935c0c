"""The picture, from made-up curves; that a warning is an error holds its layout too."""

import math
import re

import pytest

from asr.diagnosis.decay import GradientDecay, ModelGradients, Side, relative
from asr.diagnosis.picture import draw_gradients, to_png, to_svg


def make_result(
    model: str, norms: list[float], *, layers: int = 1, sides: tuple[Side, ...] = ("past",)
) -> ModelGradients:
    seconds = 0.02 * layers
    parts = [*range(1, layers + 1), None]
    decays = tuple(
        GradientDecay(part, side, *relative(norms), seconds) for part in parts for side in sides
    )
    return ModelGradients(model, "tanh", "as saved", seconds, decays)


@pytest.mark.parametrize(
    "norms",
    [
        [0.5**k for k in range(200)],
        [0.0] * 20,
        [1.3**k for k in range(200)],
        [1.0, 1e20, *[math.inf] * 9],
        [1.0, *[0.0] * 9],
        [1.0] * 9,
    ],
    ids=["vanishing", "none", "exploding", "infinite", "gone at once", "level"],
)
def test_every_kind_of_curve_can_be_drawn(norms: list[float]) -> None:
    figure = draw_gradients([make_result("m", norms)])
    assert to_png(figure).startswith(b"\x89PNG")
    assert "nan" not in to_svg(figure).lower()


def test_a_curve_of_the_past_lies_left_of_0_and_one_of_the_future_right() -> None:
    norms = [0.8**k for k in range(11)]
    figure = draw_gradients([make_result("m", norms, sides=("past", "future"))])
    past, future = figure.axes[0].lines[:2]
    assert list(past.get_xdata()) == pytest.approx([-20 * k for k in range(11)])
    assert list(future.get_xdata()) == pytest.approx([20 * k for k in range(11)])
    assert list(past.get_ydata()) == list(future.get_ydata()) == pytest.approx(norms)


def test_there_is_a_panel_for_each_layer_and_one_for_the_whole_model() -> None:
    norms = [0.8**k for k in range(11)]
    svg = to_svg(draw_gradients([make_result("a", norms), make_result("b", norms, layers=4)]))
    titles = re.findall(r">(Layer \d|Whole model)<", svg)
    assert titles == ["Layer 1", "Layer 2", "Layer 3", "Layer 4", "Whole model"]
    assert svg.count(">a (tanh)<") == svg.count(">b (tanh)<") == 1
    # Frames of different length share no axis of frames.
    assert "encoder frames" not in svg


@pytest.mark.parametrize("name", ["m", "cell=lstm,bidirectional=true,layers=2", "cell=gru," * 10])
def test_long_names_are_inside_the_picture(name: str) -> None:
    figure = draw_gradients([make_result(f"{name}{one}", [1.0, 0.5]) for one in range(4)])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("name", "shown"),
    [("<b>&", "&lt;b&gt;&amp; (tanh)"), (r"a$\b$", r"a$\b$ (tanh)"), ("_", " (tanh)")],
)
def test_the_name_of_a_model_is_plain_text_in_the_picture(name: str, shown: str) -> None:
    assert f">{shown}<" in to_svg(draw_gradients([make_result(name, [1.0, 0.5, 0.2])]))
