"""N-best lists ranked again: by each model, as much as its weight says."""

from collections.abc import Sequence

import pytest
import torch

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.rescoring import Rescorer, RescoringSettings
from asr.tokens import Characters

TOKENS = Characters(" ab")


def fond_of_b(texts: Sequence[str]) -> list[float]:
    return [0.0 if text == "b" else -5.0 for text in texts]


@pytest.mark.parametrize(("weight", "first"), [(0.0, "a"), (0.1, "a"), (1.0, "b")])
def test_the_second_model_alone_turns_the_order(weight: float, first: str) -> None:
    """There is no other model, and by sound "a" is twice as probable as "b"."""
    rows = torch.tensor([[1e-6, 1e-6, 0.666, 0.333]]).log()
    settings = RescoringSettings(nbest=10, rnn_weight=weight)
    found = Rescorer(BeamDecoder(TOKENS, BeamSettings()), TOKENS, settings, fond_of_b)(rows)
    assert found[0].text == first
    assert {one.text for one in found} >= {"a", "b"}
    by_text = {one.text: one.score for one in found}
    expected = torch.tensor(0.333).log().item()
    assert by_text["b"] == pytest.approx(expected, abs=1e-4)
    assert by_text["a"] == pytest.approx(torch.tensor(0.666).log().item() - 5 * weight, abs=1e-4)
    assert [one.score for one in found] == sorted(by_text.values(), reverse=True)


def test_the_blank_is_penalised_as_in_the_search() -> None:
    """Two frames, a letter and a blank: the penalty is worth one frame to each of two paths."""
    rows = torch.tensor([[0.4, 1e-9, 0.6, 1e-9], [0.7, 1e-9, 0.3, 1e-9]]).log()
    decoder = BeamDecoder(TOKENS, BeamSettings(blank_penalty=2.0))
    rescorer = Rescorer(decoder, TOKENS, RescoringSettings())
    found = {one.text: one.score for one in rescorer(rows)}
    blank = torch.tensor(-2.0).exp().item()
    expected = torch.tensor(0.6 * 0.3 + (0.6 * 0.7 + 0.4 * 0.3) * blank).log().item()
    assert found["a"] == pytest.approx(expected, abs=1e-4)


def test_as_many_texts_are_ranked_as_are_wanted() -> None:
    rows = torch.full((4, 4), 0.25).log()
    for wanted, listed, found in ((1, 2, 2), (5, 2, 5), (5, 7, 7)):
        decoder = BeamDecoder(TOKENS, BeamSettings(nbest=wanted))
        rescorer = Rescorer(decoder, TOKENS, RescoringSettings(nbest=listed))
        assert len(rescorer(rows)) == found
