"""The weights of the language model and of each word, found on a development set.

Decoding anew for every pair of weights would take hours. What a beam finds differs little between
neighbouring weights, so the n-best lists of one search are ranked anew under all of them, which
takes a second; then the search is done once more with the best, and its lists join the others,
until nothing better is found (the outer loop of minimum error rate training, Och 2003).

The penalty of the blank is raised step by step, with all of this at each step, as long as that
leaves fewer errors. Where another model ranks the lists again, the weight is lowered at last.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from rich.console import Console
from rich.progress import track
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import log_likelihoods, penalize_blank, spoken_tokens
from asr.decoding.pool import DecodingPool
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.tokens import TokenTable
from asr.tuning.grid import Candidate, Grid, search_grid

NBEST = 100
_LM_WEIGHTS = (np.arange(41) / 20).tolist()
_WORD_BONUSES = (np.arange(-8, 21) / 4).tolist()
_ROUNDS = 4
_PENALTY = 1.0  # nats, from one blank penalty to the next
_LESS = 0.2  # from one weight of the n-grams to the next, where lists are ranked again

Rank = Callable[[Sequence[Sequence[Candidate]]], int]


@dataclass(frozen=True)
class Tuned:
    """What tuning has found."""

    settings: BeamSettings  # also of the lists; the counts are without ranking
    grid: Grid
    rounds: int  # searches of the whole set
    alone: ErrorCounts  # without the language model; with a lexicon where there is one
    before: ErrorCounts  # with the weights that tuning began with
    plain: ErrorCounts  # with tuned weights, at the blank penalty that tuning began with
    after: ErrorCounts
    oracle: ErrorCounts  # if always the best of the n-best list were chosen
    lists: Sequence[Sequence[Candidate]]  # of each utterance, in the order of the search


def tune_weights(
    decoder: BeamDecoder,
    settings: BeamSettings,
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    tokens: TokenTable,
    pool: DecodingPool[Sequence[Hypothesis]] | None = None,
    rank: Rank | None = None,
) -> Tuned:
    """Find the weights and the blank penalty with the fewest word errors on a development set.

    Args:
        decoder: its lexicon and language model, one of them at least.
        settings: of the search; tuning begins with its weights and its blank penalty.
        log_probs: (U, V) of each utterance.
        references: what was said in each, normalised.
        tokens: the table of the V tokens.
        pool: of processes with the same decoder.
        rank: errors that are left where another model ranks the lists of a search again; None:
            none does.
    """
    first = _Searches(decoder, log_probs, references, tokens, pool)
    alone = first.search(settings.model_copy(update={"lm_weight": 0.0})).first
    best, its = _tune(first, settings, alone), first
    while True:
        penalty = {"blank_penalty": best.settings.blank_penalty + _PENALTY}
        searches = _Searches(decoder, log_probs, references, tokens, pool)
        more = _tune(searches, best.settings.model_copy(update=penalty), alone)
        rounds = best.rounds + more.rounds
        if more.after.errors >= best.after.errors:
            best = replace(best, rounds=rounds)
            return best if rank is None else _with_less(its, best, rank)
        best = replace(more, rounds=rounds, before=best.before, plain=best.plain)
        its = searches


def _with_less(searches: "_Searches", best: Tuned, rank: Rank) -> Tuned:
    """Lower the weight of the n-grams step by step, as long as ranking then leaves fewer errors.

    A search that has the last word wants more of them than one that finds what there is to choose
    from.
    """
    errors, rounds = rank(best.lists), searches.done
    while (weight := round(best.settings.lm_weight - _LESS, 2)) > 0:
        weights = {"lm_weight": weight, "word_bonus": best.grid.best_bonus(weight)}
        settings = best.settings.model_copy(update=weights)
        found = searches.search(settings)
        fewer = rank(found.lists)
        if fewer >= errors:
            break
        errors = fewer
        best = replace(best, settings=settings, oracle=found.oracle, lists=found.lists)
    return replace(best, rounds=best.rounds + searches.done - rounds)


def _tune(searches: "_Searches", settings: BeamSettings, alone: ErrorCounts) -> Tuned:
    """Find the weights for a blank penalty."""
    decoder = searches.decoder
    # What a search has no use for stays at 0.
    weights = _LM_WEIGHTS if decoder.has_language_model else [0.0]
    bonuses = _WORD_BONUSES if decoder.lexicon is not None else [0.0]
    words = sum(len(text.split()) for text in searches.references)
    found: dict[BeamSettings, _Found] = {}
    tried = settings
    while tried not in found and len(found) < _ROUNDS:
        found[tried] = searches.search(tried)
        grid = search_grid(searches.candidates(), weights, bonuses, words=words)
        lm_weight, word_bonus = grid.best()
        tried = settings.model_copy(update={"lm_weight": lm_weight, "word_bonus": word_bonus})
    if tried not in found:
        found[tried] = searches.search(tried)
    best = min(found, key=lambda one: found[one].first.errors)
    return Tuned(
        settings=best,
        grid=grid,
        rounds=searches.done,
        alone=alone,
        before=found[settings].first,
        plain=found[best].first,
        after=found[best].first,
        oracle=found[best].oracle,
        lists=found[best].lists,
    )


@dataclass(frozen=True)
class _Found:
    """Errors of one search of the whole set."""

    first: ErrorCounts  # of the best hypotheses by score
    oracle: ErrorCounts  # of the best there are in the n-best lists
    lists: Sequence[Sequence[Candidate]]


@dataclass
class _Searches:
    """Searches of the whole set with one blank penalty, and what all of them have found."""

    decoder: BeamDecoder
    log_probs: Sequence[Tensor]
    references: Sequence[str]
    tokens: TokenTable
    pool: DecodingPool[Sequence[Hypothesis]] | None
    # Of each utterance, by text.
    lists: list[dict[str, Candidate]] = field(init=False, default_factory=list)
    done: int = field(init=False, default=0)
    _memory: dict[BeamSettings, _Found] = field(init=False, default_factory=dict)

    def candidates(self) -> list[list[Candidate]]:
        """Of each utterance what was found, each text once."""
        return [list(one.values()) for one in self.lists]

    def search(self, settings: BeamSettings) -> _Found:
        """Search every utterance, once for the same settings, and keep what is found."""
        if settings not in self._memory:
            self._memory[settings] = self._search(settings)
            self.done += 1
        return self._memory[settings]

    def _search(self, settings: BeamSettings) -> _Found:
        self.lists = self.lists or [{} for _ in self.log_probs]
        console = Console(stderr=True)
        firsts, oracles, lists = [], [], []
        for place, hypotheses in track(
            self._hypotheses(settings.model_copy(update={"nbest": NBEST})),
            f"searching with weight {settings.lm_weight:g}, bonus {settings.word_bonus:g}, "
            f"blank penalty {settings.blank_penalty:g}",
            total=len(self.log_probs),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        ):
            found = self._judge(place, hypotheses, settings.blank_penalty)
            firsts.append(found[0].counts)
            oracles.append(min((one.counts for one in found), key=_errors))
            lists.append(found)
        return _Found(sum_counts(firsts), sum_counts(oracles), lists)

    def _hypotheses(self, wide: BeamSettings) -> Iterator[tuple[int, Sequence[Hypothesis]]]:
        if self.pool is not None:
            yield from self.pool.decode(enumerate(self.log_probs), wide)
            return
        search = self.decoder.with_settings(wide)
        for place, rows in enumerate(self.log_probs):
            yield place, search(rows)

    def _judge(
        self, place: int, hypotheses: Sequence[Hypothesis], blank_penalty: float
    ) -> list[Candidate]:
        """An utterance's hypotheses as candidates, in the same order."""
        rows = penalize_blank(self.log_probs[place], blank_penalty)
        reference, known = self.references[place], self.lists[place]
        new = [one for one in hypotheses if one.text not in known]
        acoustics = log_likelihoods(rows, [spoken_tokens(one, self.tokens) for one in new])
        for one, acoustic in zip(new, acoustics, strict=True):
            counts = word_errors(reference, one.text)
            language = self.decoder.language_log_prob(one.text)
            known[one.text] = Candidate(one.text, counts, acoustic, language, len(one.text.split()))
        return [known[one.text] for one in hypotheses]


def _errors(counts: ErrorCounts) -> int:
    return counts.errors
