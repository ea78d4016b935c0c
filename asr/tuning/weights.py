"""The weights of the language model and of each word, found on a development set.

Decoding anew for every pair of weights would take hours. What a beam finds differs little between
neighbouring weights, so the n-best lists of one search are ranked anew under all of them, which
takes a second; then the search is done once more with the best, and its lists join the others,
until nothing better is found (the outer loop of minimum error rate training, Och 2003).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import log_likelihoods, spoken_tokens
from asr.decoding.pool import DecodingPool
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.tokens import TokenTable
from asr.tuning.grid import Candidate, Grid, search_grid

_LM_WEIGHTS = np.arange(41) / 20
_WORD_BONUSES = np.arange(-8, 21) / 4
_NBEST = 100
_ROUNDS = 4


@dataclass(frozen=True)
class Tuned:
    """What tuning has found."""

    settings: BeamSettings
    grid: Grid
    rounds: int  # searches of the whole set
    before: ErrorCounts  # with the weights that tuning began with
    after: ErrorCounts
    oracle: ErrorCounts  # if always the best of the n-best list were chosen
    lists: list[list[Candidate]]  # of each utterance, from all searches


def tune_weights(
    decoder: BeamDecoder,
    settings: BeamSettings,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    tokens: TokenTable,
    pool: DecodingPool[Sequence[Hypothesis]] | None = None,
) -> Tuned:
    """Find the weights with the fewest word errors on a development set.

    Args:
        decoder: its lexicon and language model.
        settings: of the search; tuning begins with its weights.
        log_probs: (U, V) of each utterance.
        references: what was said in each, normalised.
        tokens: the table of the V tokens.
        pool: of processes with the same decoder.
    """
    lists: list[dict[str, Candidate]] = [{} for _ in log_probs]
    words = sum(len(text.split()) for text in references)
    rates: dict[BeamSettings, tuple[ErrorCounts, ErrorCounts]] = {}
    tried = settings
    while tried not in rates and len(rates) < _ROUNDS:
        rates[tried] = _search(decoder, tried, log_probs, references, tokens, lists, pool)
        candidates = [list(one.values()) for one in lists]
        grid = search_grid(candidates, list(_LM_WEIGHTS), list(_WORD_BONUSES), words=words)
        lm_weight, word_bonus = grid.best()
        tried = settings.model_copy(update={"lm_weight": lm_weight, "word_bonus": word_bonus})
    if tried not in rates:
        rates[tried] = _search(decoder, tried, log_probs, references, tokens, lists, pool)
    best = min(rates, key=lambda one: rates[one][0].errors)
    return Tuned(
        best, grid, len(rates), rates[settings][0], *rates[best], [[*one.values()] for one in lists]
    )


def _errors(counts: ErrorCounts) -> int:
    return counts.errors


def _search(
    decoder: BeamDecoder,
    settings: BeamSettings,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    tokens: TokenTable,
    lists: Sequence[dict[str, Candidate]],
    pool: DecodingPool[Sequence[Hypothesis]] | None,
) -> tuple[ErrorCounts, ErrorCounts]:
    """Search every utterance, and add what is found to the lists.

    Returns:
        The errors of the best hypotheses by score, and of the best there are in the n-best lists.
    """
    found: Iterator[tuple[int, Sequence[Hypothesis]]]
    wide = settings.model_copy(update={"nbest": _NBEST})
    if pool is None:
        search = decoder.with_settings(wide)
        found = ((place, search(rows)) for place, rows in enumerate(log_probs))
    else:
        found = pool.decode(enumerate(log_probs), wide)
    firsts, oracles = [], []
    console = Console(stderr=True)
    what = f"searching with weight {settings.lm_weight:g}, bonus {settings.word_bonus:g}"
    for place, hypotheses in track(
        found,
        what,
        total=len(log_probs),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ):
        rows, reference, known = log_probs[place], references[place], lists[place]
        texts = [one.text for one in hypotheses]
        new = [one for one in hypotheses if one.text not in known]
        acoustics = log_likelihoods(rows, [spoken_tokens(one, tokens) for one in new])
        for one, acoustic in zip(new, acoustics, strict=True):
            counts = word_errors(reference, one.text)
            language = decoder.language_log_prob(one.text)
            known[one.text] = Candidate(one.text, counts, acoustic, language, len(one.text.split()))
        firsts.append(known[texts[0]].counts)
        oracles.append(min((known[text].counts for text in texts), key=_errors))
    return sum_counts(firsts), sum_counts(oracles)
