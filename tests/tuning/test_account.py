"""What is said of tuning: where the gain comes from, the grid, the beams."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.lexicon import spell
from asr.lm.packed import write_packed
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.tokens import Characters, Pieces
from asr.tuning.account import account_for, grid_lines
from asr.tuning.grid import Candidate, Grid
from asr.tuning.model import DevelopmentSet, TunedDecoder, tune_decoder
from asr.tuning.picture import draw_grid
from asr.tuning.weights import tune_weights

TOKENS = Characters(" ab")


def unsure(text: str, heard: str) -> torch.Tensor:
    """Log-probabilities (U, V) of what is heard, by which the text is a little less probable."""
    rows = torch.full((2 * len(text), len(TOKENS)), -9.0)
    for place, (said, best) in enumerate(
        zip(TOKENS.encode(text), TOKENS.encode(heard), strict=True)
    ):
        rows[2 * place, said], rows[2 * place, best] = -0.1, 0.0
        rows[2 * place + 1, 0] = 0.0
    return rows.log_softmax(1)


@pytest.fixture
def make_decoder(tmp_path: Path) -> Callable[..., BeamDecoder]:
    def make(words: Sequence[str] | None, *, text: str | None = None) -> BeamDecoder:
        path = None
        if text is not None:
            (tmp_path / "text.txt").write_text(text)
            path = tmp_path / "lm.safetensors"
            unit = "characters" if words is None else "words"
            settings = NgramSettings.parse({"order": 2, "unit": unit}, "test")
            write_packed(path, train_ngrams([tmp_path / "text.txt"], settings).model)
        lexicon = None if words is None else spell(words, TOKENS)
        return BeamDecoder(TOKENS, BeamSettings(beam=100), lexicon=lexicon, language_model=path)

    return make


def tune(decoder: BeamDecoder, heard: str = "aa ba") -> TunedDecoder:
    dev = DevelopmentSet([unsure("aa ab", heard)] * 3, ["aa ab"] * 3, TOKENS, audio_seconds=60.0)
    return tune_decoder(dev, decoder=decoder, settings=decoder.settings)


def test_the_gain_of_the_language_model_stands_beside_those_of_search_and_tuning(
    make_decoder: Callable[..., BeamDecoder],
) -> None:
    """A search alone writes "ba", as it is heard; the text says that "ab" follows "aa"."""
    tuned = tune(make_decoder(["aa", "ab", "ba"], text="aa ab\n" * 20 + "ba\n"))
    rates = {name: counts.rate for name, counts in tuned.rates.items()}
    assert rates == {
        "greedy": 0.5,
        "search without language model": 0.5,
        "language model": 0.0,
        "tuned": 0.0,
        "words outside the lexicon": 0.0,
    }
    said = list(account_for(tuned, 60.0))
    assert (
        "of 50.00 points less than greedy, the search without language model brings 0.00, the "
        "language model 50.00, tuning its weights 0.00" in said
    )
    assert "dev, search without language model: WER 50.00%" in said


def test_the_gain_of_a_lexicon_is_that_of_the_search(
    make_decoder: Callable[..., BeamDecoder],
) -> None:
    tuned = tune(make_decoder(["aa", "ab"], text="aa ab\n"), "aa bb")
    assert tuned.rates["greedy"].rate == 0.5
    assert tuned.rates["search without language model"].rate == 0.0
    assert "the search without language model brings 50.00, the language model 0.00" in "\n".join(
        account_for(tuned, 60.0)
    )


def test_each_beam_has_its_rate_and_speed_and_the_narrowest_good_one_stays(
    make_decoder: Callable[..., BeamDecoder],
) -> None:
    tuned = tune(make_decoder(["aa", "ab"], text="aa ab\n"), "aa bb")
    assert [row.beam for row in tuned.beams] == [10, 30, 100]
    assert all(row.seconds > 0 for row in tuned.beams)
    assert tuned.description.settings is not None
    assert tuned.description.settings.beam == 10
    assert tuned.seconds["tuned"] == tuned.beams[0].seconds
    said = "\n".join(account_for(tuned, 60.0))
    assert "beam 30: WER 0.00%, " in said
    assert "beam 10 is kept: the narrowest within 0.1 points" in said
    assert [one["beam"] for one in tuned.to_json()["beams"]] == [10, 30, 100]


def test_words_outside_the_lexicon_stay_possible_where_dev_has_none(
    make_decoder: Callable[..., BeamDecoder],
) -> None:
    """The highest penalty, since it adds no errors: the set says nothing for another."""
    tuned = tune(make_decoder(["aa", "ab"], text="aa ab\n"), "aa bb")
    assert tuned.description.spelling_penalty == 24.0
    assert "words outside the lexicon: where they are 24 nats more probable" in "\n".join(
        account_for(tuned, 60.0)
    )


def test_a_blank_that_is_too_probable_is_penalised_as_far_as_it_helps(
    make_decoder: Callable[..., BeamDecoder],
) -> None:
    """The second letter is heard, and silence a little better: no weight of words mends that."""
    rows = torch.full((4, len(TOKENS)), -9.0)
    first, second = TOKENS.encode("ab")
    rows[0, first] = rows[1, 0] = rows[3, 0] = 0.0
    rows[2, second], rows[2, 0] = -0.5, 0.0
    dev = DevelopmentSet([rows.log_softmax(1)] * 2, ["ab"] * 2, TOKENS, audio_seconds=60.0)
    decoder = make_decoder(["a", "ab"])
    tuned = tune_decoder(dev, decoder=decoder, settings=decoder.settings)
    assert tuned.description.settings is not None
    assert tuned.description.settings.blank_penalty == 1.0  # 2 brings no more
    rates = {name: counts.rate for name, counts in tuned.rates.items()}
    assert (rates["tuned"], rates["higher blank penalty"]) == (1.0, 0.0)
    assert tuned.texts["tuned"] == ["ab"] * 2
    assert "blank penalty 1" in "\n".join(account_for(tuned, 60.0))


@pytest.mark.parametrize(
    ("errors", "steps"), [([5, 4, 4], 1), ([5, 5], 0), ([5, 4, 3], 2), ([5, 6], 0)]
)
def test_a_search_has_less_of_the_ngrams_where_ranking_makes_more_of_that(
    make_decoder: Callable[..., BeamDecoder], errors: list[int], steps: int
) -> None:
    decoder = make_decoder(["aa", "ab", "ba"], text="aa ab\n" * 20 + "ba\n")
    rows, left, ranked = [unsure("aa ab", "aa ba")] * 3, iter(errors), []

    def rank(lists: Sequence[Sequence[Candidate]]) -> int:
        ranked.append(lists)
        return next(left)

    given = (decoder, decoder.settings, rows, ["aa ab"] * 3, TOKENS)
    alone, tuned = tune_weights(*given), tune_weights(*given, rank=rank)
    assert len(ranked) == len(errors)
    assert tuned.lists is ranked[steps]
    weight = alone.settings.lm_weight - 0.2 * steps
    assert tuned.settings.lm_weight == pytest.approx(weight)
    assert tuned.settings.word_bonus == (
        tuned.grid.best_bonus(weight) if steps else alone.settings.word_bonus
    )
    assert (tuned.after, tuned.plain) == (alone.after, alone.plain)
    assert tuned.rounds == alone.rounds + len(errors) - 1


def test_a_search_without_anything_has_a_beam_and_no_weights(
    make_decoder: Callable[..., BeamDecoder], tmp_path: Path
) -> None:
    tuned = tune(make_decoder(None))
    assert tuned.weights is None
    assert set(tuned.rates) == {"greedy", "search"}
    assert tuned.description.settings == BeamSettings(beam=10)
    assert "beam 10: WER 50.00%" in "\n".join(account_for(tuned, 60.0))


def test_what_a_search_has_no_use_for_is_not_tuned(
    make_decoder: Callable[..., BeamDecoder], tmp_path: Path
) -> None:
    """Words count nothing without a lexicon, and a language model that is not there neither."""
    letters = tune(make_decoder(None, text="aa ab\n" * 5)).weights
    assert letters is not None
    assert (letters.settings.word_bonus, letters.grid.errors.shape) == (0.0, (41, 1))
    words = tune(make_decoder(["aa", "ab"]))
    assert words.weights is not None
    assert words.weights.grid.errors.shape == (1, 29)
    assert set(words.rates) == {"greedy", "lexicon", "tuned", "words outside the lexicon"}
    for grid in (letters.grid, words.weights.grid):
        draw_grid(tmp_path / "grid.png", grid, "a curve")
        assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_exact_likelihoods_find_what_a_search_of_pieces_leaves_out() -> None:
    """A word's last piece that lasts two frames: by far the most probable path of "a" is one that
    flashlight does not count, so that its own scores prefer two words."""
    tokens = Pieces.learn(["a b a b"] * 4, 6)
    lexicon = spell(["a", "b"], tokens)
    ((a,),), ((b,),) = lexicon["a"], lexicon["b"]
    rows = torch.full((2, len(tokens)), -30.0)
    rows[:, a], rows[:, b], rows[:, 0] = np.log(0.9), np.log(0.09), np.log(0.01)
    dev = DevelopmentSet([rows.log_softmax(1)], ["a"], tokens)
    decoder = BeamDecoder(tokens, BeamSettings(beam=100), lexicon=lexicon)
    tuned = tune_decoder(dev, decoder=decoder, settings=decoder.settings)
    assert tuned.weights is not None
    assert tuned.weights.after.errors == 1
    assert tuned.rates["ranked by all paths"].errors == 0
    assert tuned.texts["tuned"] == ["a"]
    rescoring = tuned.description.rescoring
    assert rescoring is not None
    assert rescoring.rnn_weight == 0.0
    assert "are ranked again, by all paths of each" in "\n".join(account_for(tuned, 60.0))


def test_the_grid_is_shown_around_its_best_pair() -> None:
    errors = np.full((9, 9), 40)
    errors[4, 6] = 31
    errors[2, 8] = 35
    lines = list(grid_lines(Grid(np.arange(9) / 10, np.arange(9) / 4, errors, words=400)))
    assert "down: weight of the language model, across: bonus" in lines[0]
    assert lines[1].split() == ["0.00", "0.50", "1.00", "1.50", "2.00"]
    assert [line.split()[0] for line in lines[2:]] == ["0.00", "0.20", "0.40", "0.60", "0.80"]
    assert lines[4].split() == ["0.40", "10.00", "10.00", "10.00", "[7.75]", "10.00"]
    assert lines[3].split() == ["0.20", "10.00", "10.00", "10.00", "10.00", "8.75"]
    assert len({len(line.rstrip("] ")) for line in lines[2:]}) == 1, "columns"
