"""Beam search against all paths there are, and against a readable prefix beam search."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.greedy import greedy_decode
from asr.decoding.lexicon import spell
from asr.decoding.pool import DecodingPool
from asr.lm.packed import read_packed, write_packed
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.tokens import Characters, Pieces

TOKENS = Characters(" ab")
WIDE = {"beam": 100_000, "threshold": 1e6}


def draw_log_probs(
    frames: int, *, seed: int, tokens: int = len(TOKENS), sharp: float = 1.5
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharp * torch.randn(frames, tokens, generator=generator)).log_softmax(1)


def all_texts(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """Log-probability of every sequence of tokens: the sum over all of its paths."""
    frames, tokens = log_probs.shape
    rows = log_probs.tolist()
    found: defaultdict[tuple[int, ...], list[float]] = defaultdict(list)
    for path in itertools.product(range(tokens), repeat=frames):
        sequence = tuple(token for token, _ in itertools.groupby(path) if token)
        found[sequence].append(sum(row[token] for row, token in zip(rows, path, strict=True)))
    return {one: float(torch.tensor(logs).double().logsumexp(0)) for one, logs in found.items()}


def prefix_beam_search(log_probs: Tensor, beam: int) -> tuple[int, ...]:
    """Hannun et al. 2014, algorithm 1, without a language model."""
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame in log_probs.tolist():
        ends: defaultdict[tuple[int, ...], list[list[float]]] = defaultdict(lambda: [[], []])
        for prefix, (blank, token) in beams.items():
            ends[prefix][0] += [blank + frame[0], token + frame[0]]
            for number, log_prob in enumerate(frame[1:], start=1):
                if prefix and prefix[-1] == number:
                    ends[prefix][1].append(token + log_prob)
                    ends[(*prefix, number)][1].append(blank + log_prob)
                else:
                    ends[(*prefix, number)][1] += [blank + log_prob, token + log_prob]
        summed = {one: tuple(_log_sum(part) for part in parts) for one, parts in ends.items()}
        best = sorted(summed, key=lambda one: -_log_sum(summed[one]))[:beam]
        beams = {one: summed[one] for one in best}  # type: ignore[misc]
    return max(beams, key=lambda one: _log_sum(beams[one]))


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs, default=-math.inf)
    if most == -math.inf:
        return most
    return most + math.log(sum(math.exp(one - most) for one in logs))


@pytest.fixture(scope="module")
def make_lm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(sentences: Sequence[str], unit: str = "words") -> Path:
        folder = tmp_path_factory.mktemp("lm")
        (folder / "text").write_text("\n".join(sentences))
        settings = NgramSettings(order=2, unit=unit)  # type: ignore[arg-type]
        write_packed(folder / "lm.safetensors", train_ngrams([folder / "text"], settings).model)
        return folder / "lm.safetensors"

    return make


def lm_log_prob(path: Path, words: Sequence[str]) -> float:
    model = read_packed(path)
    from numpy import array, int32

    known = {word: number for number, word in enumerate(model.words)}
    numbers = [1, *(known.get(word, 0) for word in words), 2]
    return float(model.score(array(numbers, dtype=int32)).sum())


@pytest.mark.parametrize("seed", range(6))
def test_beam_one_is_greedy(seed: int) -> None:
    log_probs = draw_log_probs(30, seed=seed)
    (found,) = BeamDecoder(TOKENS, BeamSettings(beam=1, log_add=False))(log_probs)
    greedy = greedy_decode(log_probs, TOKENS)
    assert (found.text, found.tokens, found.frames) == (greedy.text, greedy.tokens, greedy.frames)
    assert found.score == pytest.approx(greedy.score)


@pytest.mark.parametrize("seed", range(4))
def test_exhaustive_search_without_a_model_finds_what_all_paths_say(seed: int) -> None:
    log_probs = draw_log_probs(5, seed=seed)
    settings = BeamSettings(nbest=8, **WIDE)
    found = BeamDecoder(TOKENS, settings)(log_probs)
    texts: dict[str, float] = {}
    for sequence, score in sorted(all_texts(log_probs).items(), key=lambda one: -one[1]):
        texts.setdefault(TOKENS.decode(sequence), score)
    expected = list(texts.items())[:8]
    assert [one.text for one in found] == [text for text, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_the_blank_penalty_is_taken_from_every_blank() -> None:
    log_probs = draw_log_probs(20, seed=3)
    lower = log_probs.clone()
    lower[:, 0] -= 1.5
    penalised = BeamDecoder(TOKENS, BeamSettings(nbest=5, blank_penalty=1.5))(log_probs)
    plain = BeamDecoder(TOKENS, BeamSettings(nbest=5))(log_probs)
    assert penalised == BeamDecoder(TOKENS, BeamSettings(nbest=5))(lower)
    assert len(penalised[0].tokens) > len(plain[0].tokens)


@pytest.mark.parametrize("seed", range(5))
def test_a_narrower_search_finds_what_prefix_beam_search_finds(seed: int) -> None:
    tokens = Characters(" abcdefgh")
    log_probs = draw_log_probs(40, seed=seed, tokens=len(tokens), sharp=3.0)
    (found,) = BeamDecoder(tokens, BeamSettings(beam=200, threshold=100))(log_probs)
    assert found.tokens == prefix_beam_search(log_probs, 100)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weight", [0.3, 1.5])
def test_a_model_of_characters_is_added_by_its_weight(
    make_lm: Callable[..., Path], seed: int, weight: float
) -> None:
    path = make_lm(["a b", "ab a", "b b a"], "characters")
    log_probs = draw_log_probs(5, seed=seed)
    settings = BeamSettings(lm_weight=weight, **WIDE)
    (found,) = BeamDecoder(TOKENS, settings, language_model=path)(log_probs)

    def total(sequence: tuple[int, ...], score: float) -> float:
        names = ["|" if TOKENS.symbols[one] == " " else TOKENS.symbols[one] for one in sequence]
        return score + weight * lm_log_prob(path, names)

    scores = {one: total(one, score) for one, score in all_texts(log_probs).items()}
    best = max(scores, key=lambda one: scores[one])
    assert found.tokens == best
    assert found.score == pytest.approx(scores[best], abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_words_of_pieces_need_no_space(make_lm: Callable[..., Path], seed: int) -> None:
    tokens = Pieces.learn(["ab abab b", "ab b ab", "bab ab"] * 4, 6)
    words, path = ["ab", "b", "bab"], make_lm(["ab b", "bab ab ab"])
    log_probs = draw_log_probs(5, seed=seed, tokens=len(tokens))
    settings = BeamSettings(lm_weight=0.7, word_bonus=0.2, **WIDE)
    lexicon = spell(words, tokens)
    (found,) = BeamDecoder(tokens, settings, lexicon=lexicon, language_model=path)(log_probs)
    scores, sounds = {}, all_texts(log_probs)
    for count in range(4):
        for said in itertools.product(words, repeat=count):
            ids = tuple(one for word in said for one in lexicon[word][0])
            acoustic = sounds.get(ids)
            if acoustic is not None:
                text = " ".join(said)
                scores[text] = acoustic + 0.7 * lm_log_prob(path, said) + 0.2 * count
    # What flashlight leaves out, see the decoder's docstring, costs less than a nat here.
    assert scores[found.text] - 1 < found.score < scores[found.text]
    assert scores[found.text] > max(scores.values()) - 1


def test_the_language_model_alone_says_what_its_file_says(make_lm: Callable[..., Path]) -> None:
    path = make_lm(["a ab", "bb a", "a a bb"])
    words = spell(["a", "ab", "bb"], TOKENS)
    decoder = BeamDecoder(TOKENS, BeamSettings(), lexicon=words, language_model=path)
    for text in ("a bb ab", "", "a zebra a"):
        expected = lm_log_prob(path, text.split())
        assert decoder.language_log_prob(text) == pytest.approx(expected, abs=1e-5)
    assert BeamDecoder(TOKENS, BeamSettings()).language_log_prob("ab a") == 0
    letters = make_lm(["a ab", "bb a"], "characters")
    decoder = BeamDecoder(TOKENS, BeamSettings(), language_model=letters)
    expected = lm_log_prob(letters, ["a", "|", "b"])
    assert decoder.language_log_prob("a b") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_lm", [True, False])
def test_a_lexicon_and_a_model_of_words_are_searched_together(
    make_lm: Callable[..., Path], seed: int, with_lm: bool
) -> None:
    words = ["a", "ab", "bb"]
    path = make_lm(["a ab", "bb a", "a a bb"])
    log_probs = draw_log_probs(6, seed=seed)
    settings = BeamSettings(lm_weight=0.7, word_bonus=0.2, **WIDE)
    decoder = BeamDecoder(
        TOKENS,
        settings,
        lexicon=spell(words, TOKENS),
        language_model=path if with_lm else None,
    )
    (found,) = decoder(log_probs)
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for sequence, score in all_texts(log_probs).items():
        said = "".join(TOKENS.symbols[one] for one in sequence).split()
        if all(word in words for word in said):
            scores[" ".join(said)].append(score)
    totals = {
        text: _log_sum(parts)
        + 0.2 * len(text.split())
        + (0.7 * lm_log_prob(path, text.split()) if with_lm else 0)
        for text, parts in scores.items()
    }
    assert found.text == max(totals, key=lambda text: totals[text])


def test_a_pool_of_processes_decodes_as_one_does(make_lm: Callable[..., Path]) -> None:
    """In order, with the same scores, with settings of its own."""
    path = make_lm(["a ab", "bb a", "a a bb"])
    load = partial(
        BeamDecoder,
        TOKENS,
        BeamSettings(),
        lexicon=spell(["a", "ab", "bb"], TOKENS),
        language_model=path,
    )
    utterances = [(str(seed), draw_log_probs(20 + seed, seed=seed)) for seed in range(20)]
    decoder = load()
    other = BeamSettings(lm_weight=3.0, nbest=2)
    with DecodingPool(load, 2) as pool:
        found = list(pool.decode(utterances))
        assert found == [(name, decoder(rows)) for name, rows in utterances]
        found = list(pool.decode(utterances, other))
        assert found == [(name, decoder.with_settings(other)(rows)) for name, rows in utterances]


def test_of_many_words_that_sound_alike_the_frequent_ones_are_found(
    make_lm: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """flashlight keeps six of one spelling, whichever come first."""
    words = [f"word{number}" for number in range(9)]
    language_model = make_lm(["b", *words, *["word8"] * 5])
    lexicon = {word: [[2, 3]] for word in words} | {"b": [[3]]}
    settings = BeamSettings(beam=50, lm_weight=1.0, nbest=9)
    decoder = BeamDecoder(TOKENS, settings, lexicon=lexicon, language_model=language_model)
    rows = torch.full((4, len(TOKENS)), -9.0)
    rows[0, 2] = rows[1, 3] = rows[2, 0] = rows[3, 0] = 0.0
    found = [one.text for one in decoder(rows.log_softmax(1))]
    assert found[0] == "word8"
    assert len({*found} & {*words}) == 6
    assert capfd.readouterr().err == ""


def test_what_a_narrow_search_looks_ahead_to_need_not_begin_a_sentence(
    make_lm: Callable[..., Path],
) -> None:
    """Where "a" and "b" sound alike, "b" begins the more probable word, if never the first."""
    path = make_lm([f"{one} ba ba" for one in ("ab", "a", "b", "aa", "bb")] * 9)
    settings = BeamSettings(beam=1, lm_weight=1.0)
    decoder = BeamDecoder(
        TOKENS, settings, lexicon=spell(["ab", "ba"], TOKENS), language_model=path
    )
    rows = torch.full((6, len(TOKENS)), -9.0)
    for frame, token in enumerate((2, 3, 1, 2, 2, 0)):
        rows[frame, token] = 0.0
    rows[3, 3] = -0.1
    assert decoder(rows.log_softmax(1))[0].text == "ab ba"
