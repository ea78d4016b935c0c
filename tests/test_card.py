"""The card of a model: the author's words, what was measured, and nothing lost."""

from typing import Any

import pytest
import torch

from asr.card import CardSettings, card_rows
from asr.decoding.beam import BeamSettings
from asr.errors import ConfigError, ModelError
from asr.tokens import Characters
from asr.tuning.card import measured_card
from asr.tuning.model import DevelopmentSet, tune_decoder

TOKENS = Characters(" ab")


def saying(text: str) -> torch.Tensor:
    """Log-probabilities (U, V) whose best path is the text, a blank after each token."""
    rows = torch.full((2 * len(text), len(TOKENS)), -9.0)
    for place, token in enumerate(TOKENS.encode(text)):
        rows[2 * place, token] = rows[2 * place + 1, 0] = 0.0
    return rows.log_softmax(1)


def test_only_what_was_said_is_on_the_card() -> None:
    card = CardSettings(title="English", limits=("read speech",))
    assert card.to_json() == {"title": "English", "limits": ["read speech"]}
    assert CardSettings().to_json() == {}


def test_a_card_is_strict() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'license'; did you mean 'licence'"):
        CardSettings.parse({"license": "MIT"}, "recipe.yaml: card")


def test_rates_are_those_of_each_mode_and_speed_counts_model_and_decoding() -> None:
    dev = DevelopmentSet(
        [saying("a b"), saying("b b"), saying("ab")],
        ["a b", "b a", "ab"],
        TOKENS,
        speakers=["x", "y", "y"],
        audio_seconds=10.0,
        model_seconds=5.0,
    )
    tuned = tune_decoder(dev, decoder=None, settings=BeamSettings())
    card = measured_card(dev, tuned, device="cpu", weights="int8")
    assert (card["dev"]["utterances"], card["dev"]["words"]) == (3, 5)
    (found,) = card["dev"]["modes"].values()
    assert found["wer"] == pytest.approx(1 / 5)
    assert found["cer"] == pytest.approx(1 / 8)
    low, high = found["wer_interval"]
    assert low == pytest.approx(0.0), "speaker x drawn twice"
    assert high == pytest.approx(1 / 3), "speaker y drawn twice"
    assert card["real_time_factor"]["modes"]["greedy"] == pytest.approx(0.5, rel=0.05)
    assert "CPU core" in card["real_time_factor"]["on"]
    assert (
        "cuda" in measured_card(dev, tuned, device="cuda", weights="int8")["real_time_factor"]["on"]
    )
    assert card["measured_with"] == "int8"


def rows_of(card: dict[str, Any], weights: str = "float32") -> str:
    return "\n".join(f"{key}: {value}" for key, value in card_rows(card, weights))


def test_the_authors_words_come_first_and_lists_line_by_line() -> None:
    card = {"seed": 1, "training_hours": 1.23456, "licence": "CC0", "limits": ["one", "two"]}
    assert rows_of(card).splitlines() == [
        "licence: CC0",
        "limits: one",
        ": two",
        "seed: 1",
        "training hours: 1.235",
    ]


def test_figures_of_dev_are_in_percent_with_their_intervals() -> None:
    rates = {"wer": 0.1, "wer_interval": [0.08, 0.12], "cer": 0.05, "cer_interval": [0.04, 0.06]}
    card: dict[str, Any] = {
        "dev": {"utterances": 1200, "words": 9000, "modes": {"tuned": rates}},
        "dev_wer": 0.2,
        "dev_cer": 0.1,
        "real_time_factor": {"modes": {"tuned": 0.25}, "on": "2 CPU cores"},
        "calibration_error": 0.0123,
        "measured_with": "float32",
    }
    said = rows_of(card, "int8")
    assert "dev: 1,200 utterances, 9,000 words" in said
    assert "dev, tuned: WER 10.00 % (8.00 to 12.00), CER 5.00 % (4.00 to 6.00)" in said
    assert "tuned 0.25, on 2 CPU cores" in said
    assert "off by 0.012" in said
    assert "20.00 %" not in said, "that of stage 7 is the same as greedy's"
    assert "measured with weights in float32" in said
    assert "measured with" not in rows_of(card)


def test_a_card_of_before_says_what_it_said() -> None:
    assert "dev, greedy: WER 12.50 %" in rows_of({"dev_wer": 0.125, "name": "old"})
    assert rows_of({}) == ""


@pytest.mark.parametrize("dev", [{}, {"utterances": 1, "words": "many", "modes": {}}], ids=str)
def test_a_damaged_card_is_an_error_of_the_model(dev: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="card: its figures cannot be read"):
        card_rows({"dev": dev}, "float32")


def test_a_card_does_not_command_the_terminal() -> None:
    assert card_rows({"title": "a\x1b[31mb\x07"}, "float32") == [("title", "a\\x1b[31mb\\x07")]
