"""The same figures as KenLM's lmplz on the same text.

The files in `data` were made by lmplz of KenLM 0.3.0, `harbour.txt` being written for it:

    lmplz -o 2 < harbour.txt > harbour.2.arpa
    lmplz -o 3 < harbour.txt > harbour.3.arpa
    head -5 harbour.txt | lmplz -o 2 --discount_fallback > five.2.arpa

The last text is too small for discounts by the formula.
"""

from pathlib import Path

import numpy as np
import pytest

from asr.lm.arpa import read_arpa
from asr.lm.model import NgramModel
from asr.lm.settings import NgramSettings
from asr.lm.training import Trained, train_ngrams

DATA = Path(__file__).parent / "data"


def by_words(model: NgramModel, values: list[np.ndarray]) -> dict[str, float]:
    """n-gram -> one of its numbers, as a logarithm to base 10."""
    found = {}
    for order, numbers in enumerate(values, start=1):
        columns = [[model.words[one] for one in column] for column in model.columns(order)]
        for words, value in zip(zip(*columns, strict=True), numbers / np.log(10), strict=True):
            found[" ".join(words)] = value
    return found


@pytest.fixture
def five(tmp_path: Path) -> Path:
    lines = (DATA / "harbour.txt").read_text().splitlines(keepends=True)
    (tmp_path / "five.txt").write_text("".join(lines[:5]))
    return tmp_path / "five.txt"


def train(path: Path, order: int) -> Trained:
    return train_ngrams([path], NgramSettings(order=order))


def assert_same(ours: NgramModel, theirs: NgramModel) -> None:
    mine, other = by_words(ours, ours.log_probs), by_words(theirs, theirs.log_probs)
    assert mine.keys() == other.keys()
    assert mine == pytest.approx(other, abs=1e-4)
    mine, other = by_words(ours, ours.backoffs), by_words(theirs, theirs.backoffs)
    # An n-gram that nothing follows is no context; what its weight is does not matter.
    followed = {key.rpartition(" ")[0] for key in by_words(ours, ours.log_probs)}
    for key in followed & mine.keys():
        assert mine[key] == pytest.approx(other[key], abs=1e-4), key


@pytest.mark.parametrize("order", [2, 3])
def test_probabilities_and_weights_are_those_of_lmplz(order: int) -> None:
    trained = train(DATA / "harbour.txt", order)
    assert trained.fallbacks is None
    assert_same(trained.model, read_arpa(DATA / f"harbour.{order}.arpa"))


def test_so_they_are_where_discounts_cannot_be_estimated(five: Path) -> None:
    """lmplz wants --discount_fallback for it; here it is said."""
    trained = train(five, 2)
    assert trained.fallbacks is not None
    assert "n-grams of order 1 have too few counts" in trained.fallbacks
    assert "0.5, 1, 1.5" in trained.fallbacks
    assert_same(trained.model, read_arpa(DATA / "five.2.arpa"))


def test_the_beginning_of_a_sentence_is_never_predicted_whatever_a_file_says() -> None:
    """lmplz writes 0 for the logarithm of a probability that nobody asks for."""
    assert "\n0\t<s>\t" in (DATA / "harbour.2.arpa").read_text()
    assert read_arpa(DATA / "harbour.2.arpa").log_probs[0][1] == -np.inf


def test_each_step_is_timed_and_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, list[int | None]] = {}

    class Bar:
        def __init__(self, what: str, total: int | None) -> None:
            self.steps = told.setdefault(what.split()[0], [total])

        def __enter__(self) -> object:
            return self.steps.append

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("asr.lm.training.count_bar", Bar)
    trained = train_ngrams([DATA / "harbour.txt"], NgramSettings(order=3, keep=50))
    assert list(trained.seconds) == ["reading", "counting", "estimating", "pruning"]
    assert told["counting"] == told["estimating"] == [3, 1, 1, 1]
    total, *read = told["reading"]
    assert total == sum(read) == (DATA / "harbour.txt").stat().st_size  # type: ignore[arg-type]
