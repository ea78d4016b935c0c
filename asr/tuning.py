"""Tuning: how much the language model and each word should count, found on a development set.

Decoding anew for every pair of weights would take hours. What a beam finds differs little between
neighbouring weights, so the n-best lists of one search are ranked anew under all of them, which
takes a second; then the search is done once more with the best, and its lists join the others,
until nothing better is found (the outer loop of minimum error rate training, Och 2003).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.likelihood import text_log_probs
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.tokens import TokenTable

_LM_WEIGHTS = np.arange(41) / 20
_WORD_BONUSES = np.arange(-8, 21) / 4
_NBEST = 100
_ROUNDS = 4


@dataclass(frozen=True)
class Candidate:
    """One reading of an utterance, and what speaks for it."""

    text: str
    counts: ErrorCounts  # of words, against the reference
    acoustic: float  # log p(text | sound), nats
    language: float  # log p(text), nats
    words: int


@dataclass(frozen=True)
class Grid:
    """Word errors of a development set for every pair of weights."""

    lm_weights: NDArray[np.float64]  # (I,)
    word_bonuses: NDArray[np.float64]  # (J,)
    errors: NDArray[np.int64]  # (I, J)
    words: int  # of the references

    def best(self) -> tuple[float, float]:
        """The weight and the bonus with the fewest errors.

        Of several the one in the middle of them: neighbours of a lucky pair are no good advice.
        """
        places = np.argwhere(self.errors == self.errors.min())
        middle = places.mean(axis=0)
        row, column = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
        return float(self.lm_weights[row]), float(self.word_bonuses[column])

    def rate(self, lm_weight: float, word_bonus: float) -> float:
        """Word error rate at the pair of the grid that is nearest to these."""
        row = int(np.abs(self.lm_weights - lm_weight).argmin())
        column = int(np.abs(self.word_bonuses - word_bonus).argmin())
        return float(self.errors[row, column]) / max(1, self.words)


def search_grid(
    lists: Sequence[Sequence[Candidate]],
    lm_weights: Sequence[float],
    word_bonuses: Sequence[float],
    *,
    words: int,
) -> Grid:
    """Rank n-best lists under every pair of weights, and count the errors of the first ones.

    Args:
        lists: of each utterance the candidates, at least one.
        lm_weights: to try, I of them.
        word_bonuses: to try, J of them.
        words: in all references.
    """
    weights, bonuses = np.array(lm_weights), np.array(word_bonuses)
    errors = np.zeros((len(weights), len(bonuses)), dtype=np.int64)
    for candidates in lists:
        acoustic, language, count = np.array(
            [(one.acoustic, one.language, one.words) for one in candidates]
        ).T
        scores = acoustic + weights[:, None, None] * language + bonuses[None, :, None] * count
        wrong = np.array([one.counts.errors for one in candidates])
        errors += wrong[scores.argmax(axis=2)]
    return Grid(weights, bonuses, errors, words)


@dataclass(frozen=True)
class Tuned:
    """What tuning has found."""

    settings: BeamSettings
    grid: Grid
    rounds: int  # searches of the whole set
    oracle: ErrorCounts  # if always the best candidate were chosen
    before: ErrorCounts  # with the weights that tuning began with
    after: ErrorCounts


def tune_weights(
    decoder: BeamDecoder,
    settings: BeamSettings,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    tokens: TokenTable,
) -> Tuned:
    """Find the weights with the fewest word errors on a development set.

    Args:
        decoder: its lexicon and language model.
        settings: of the search; tuning begins with its weights.
        log_probs: (U, V) of each utterance.
        references: what was said in each, normalised.
        tokens: the table of the V tokens.
    """
    lists: list[dict[str, Candidate]] = [{} for _ in log_probs]
    words = sum(len(text.split()) for text in references)
    rates: dict[BeamSettings, ErrorCounts] = {}
    tried, rounds = settings, 0
    while tried not in rates and rounds < _ROUNDS:
        rounds += 1
        rates[tried] = _search(decoder, tried, log_probs, references, tokens, lists)
        candidates = [list(one.values()) for one in lists]
        grid = search_grid(candidates, list(_LM_WEIGHTS), list(_WORD_BONUSES), words=words)
        lm_weight, word_bonus = grid.best()
        tried = settings.model_copy(update={"lm_weight": lm_weight, "word_bonus": word_bonus})
    if tried not in rates:
        rates[tried] = _search(decoder, tried, log_probs, references, tokens, lists)
    best = min(rates, key=lambda one: rates[one].errors)
    oracle = sum_counts(min((c.counts for c in one.values()), key=_errors) for one in lists)
    return Tuned(best, grid, rounds, oracle, rates[settings], rates[best])


def _errors(counts: ErrorCounts) -> int:
    return counts.errors


def _search(
    decoder: BeamDecoder,
    settings: BeamSettings,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    tokens: TokenTable,
    lists: Sequence[dict[str, Candidate]],
) -> ErrorCounts:
    """Search every utterance, add what is found to the lists, and count the errors of the best."""
    search = decoder.with_settings(settings.model_copy(update={"nbest": _NBEST}))
    firsts = []
    console = Console(stderr=True)
    what = f"searching with weight {settings.lm_weight:g}, bonus {settings.word_bonus:g}"
    for rows, reference, known in track(
        zip(log_probs, references, lists, strict=True),
        what,
        total=len(log_probs),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ):
        texts = [one.text for one in search(rows)]
        new = [text for text in texts if text not in known]
        for text, acoustic in zip(new, text_log_probs(rows, new, tokens), strict=True):
            counts = word_errors(reference, text)
            language = decoder.language_log_prob(text)
            known[text] = Candidate(text, counts, acoustic, language, len(text.split()))
        firsts.append(known[texts[0]].counts)
    return sum_counts(firsts)
