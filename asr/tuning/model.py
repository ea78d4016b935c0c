"""The decoder of a model, tuned on a development set."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from asr.decoding.alignment import align_words
from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.confidence import (
    Calibration,
    Judged,
    expected_calibration_error,
    fit_calibration,
)
from asr.decoding.folder import DecoderDescription
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.pool import DecodingPool
from asr.decoding.rescoring import Rescorer
from asr.decoding.revision import Reviser
from asr.rnnlm.model import RecurrentLM
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.scoring.error_rate import align_words as align_texts
from asr.tokens import TokenTable
from asr.tuning.beams import BeamRow, as_good, beams_to_try, choose_beam
from asr.tuning.grid import Candidate
from asr.tuning.rescoring import tune_rescoring, with_neural
from asr.tuning.weights import Tuned, tune_weights
from asr.voices import Warps

Search = Callable[[Tensor], Sequence[Hypothesis]]

# Steps of decoding, by which rates are named.
LANGUAGE_MODEL = "language model"
BLANK_PENALTY = "higher blank penalty"
RANKED = "ranked by all paths"
RESCORED = "rescored"
OUTSIDE = "words outside the lexicon"

_PENALTIES = (24.0, 16.0, 12.0, 9.0, 6.0, 4.0, 2.0)  # nats; the highest of equally good ones stays


@dataclass(frozen=True)
class DevelopmentSet:
    """Emissions of a model, computed once, and what was said."""

    log_probs: Sequence[Tensor]  # (U, V) of each utterance
    references: Sequence[str]  # normalised
    tokens: TokenTable
    speakers: Sequence[str | None] = ()  # of each utterance, where they are known
    audio_seconds: float = 0.0
    model_seconds: float = 0.0  # that reading, features and the model took
    warps: Warps = ()  # voices that the emissions are the mean of

    def count(self, hypotheses: Sequence[Hypothesis]) -> ErrorCounts:
        """Word errors of hypotheses, one of each utterance."""
        pairs = zip(self.references, hypotheses, strict=True)
        return sum_counts(word_errors(reference, one.text) for reference, one in pairs)


@dataclass(frozen=True)
class TunedDecoder:
    """How a model is best decoded, and what each step of it brings."""

    description: DecoderDescription
    rates: Mapping[str, ErrorCounts]  # of dev, step by step
    calibration_errors: tuple[float, float]  # before and after
    weights: Tuned | None  # where there is a lexicon or a language model
    beams: Sequence[BeamRow] = ()  # of the search that is used in the end
    # By mode of decoding: what is recognised, and how long decoding took, in one process.
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain data."""
        found: dict[str, Any] = {
            "word_error_rates": {name: counts.rate for name, counts in self.rates.items()},
            "calibration_error": dict(
                zip(("before", "after"), self.calibration_errors, strict=True)
            ),
        }
        if self.weights:
            grid = self.weights.grid
            found |= {
                "lm_weights": grid.lm_weights.tolist(),
                "word_bonuses": grid.word_bonuses.tolist(),
                "errors": grid.errors.tolist(),
                "words": grid.words,
                "blank_penalty": self.weights.settings.blank_penalty,
                "searches": self.weights.rounds,
                "oracle_word_error_rate": self.weights.oracle.rate,
            }
        if self.beams:
            found["beams"] = [
                {"beam": row.beam, "word_error_rate": row.counts.rate, "seconds": row.seconds}
                for row in self.beams
            ]
        return found


def tune_decoder(
    dev: DevelopmentSet,
    *,
    decoder: BeamDecoder | None,
    settings: BeamSettings,
    rnn: RecurrentLM | None = None,
    pool: DecodingPool[Sequence[Hypothesis]] | None = None,
) -> TunedDecoder:
    """Find the weights and the beam of a search, whether words outside its lexicon help, and
    confidences.

    Args:
        dev: what it is tuned on.
        decoder: of a search, with or without lexicon and language model; None decodes greedily.
        settings: of the search; tuning begins with its weights, and its beam is the widest tried.
        rnn: a language model that ranks what the search finds.
        pool: of processes with the same decoder.
    """
    modes = _Modes(dev)
    best = modes.decode("greedy", lambda rows: greedy_decode(rows, dev.tokens))
    rates = {"greedy": dev.count(best)}
    chosen, weights, penalty, rescoring = None, None, None, None
    beams: list[BeamRow] = []
    if decoder is not None:
        chosen = settings
        if decoder.has_language_model or decoder.lexicon is not None:
            rank = None if rnn is None else partial(_errors_ranked, rnn)
            weights = tune_weights(
                decoder, settings, dev.log_probs, dev.references, dev.tokens, pool, rank
            )
            rates |= _steps(decoder, weights)
            chosen = weights.settings
        rerank = None
        if weights is not None:
            rescoring, ranked = tune_rescoring(weights.lists, neural=False)
            if rnn is not None:
                rates[RANKED] = ranked
                rescoring, _ = tune_rescoring(with_neural(weights.lists, rnn), neural=True)
            elif as_good(weights.after, ranked):
                rescoring = None  # it costs time
        if rescoring is not None:
            second = rnn and rnn.log_probs
            rerank = partial(Rescorer, settings=rescoring, language_model=second)
        beams, best = modes.decode_widely(decoder, chosen, rerank)
        chosen = chosen.model_copy(update={"beam": choose_beam(beams).beam})
        if weights is None:
            rates["search"] = dev.count(best)
        elif rescoring is not None:
            rates[RANKED if rnn is None else RESCORED] = dev.count(best)
        if decoder.lexicon is not None and dev.tokens.orthographic:
            penalty, best = _tune_penalty(dev, best, decoder.lexicon)
            rates[OUTSIDE] = dev.count(best)
        modes.texts["tuned"] = [one.text for one in best]
    judged = _judge(dev, best)
    # A model that says nothing yet has no confidences to mend.
    calibration = fit_calibration(judged) if judged else Calibration()
    before, after = (
        expected_calibration_error(judged, one) for one in (Calibration(), calibration)
    )
    description = DecoderDescription(chosen, calibration, penalty, rescoring)
    return TunedDecoder(
        description, rates, (before, after), weights, beams, modes.texts, modes.seconds
    )


def _errors_ranked(rnn: RecurrentLM, lists: Sequence[Sequence[Candidate]]) -> int:
    """Word errors that are left where a recurrent model helps to rank the lists of a search."""
    return tune_rescoring(with_neural(lists, rnn), neural=True)[1].errors


def _steps(decoder: BeamDecoder, weights: Tuned) -> dict[str, ErrorCounts]:
    """Errors of the search, step by step."""
    rates = {"search without language model": weights.alone, LANGUAGE_MODEL: weights.before}
    if not decoder.has_language_model:
        rates = {"lexicon": weights.before}
    rates["tuned"] = weights.plain
    if weights.after != weights.plain:
        rates[BLANK_PENALTY] = weights.after
    return rates


class _Modes:
    """Ways to decode a development set: the texts of each, and the time it takes."""

    def __init__(self, dev: DevelopmentSet) -> None:
        self._dev = dev
        self.texts: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}

    def decode(self, mode: str, decode: Callable[[Tensor], Hypothesis]) -> list[Hypothesis]:
        started = time.monotonic()
        found = [decode(rows) for rows in self._dev.log_probs]
        self.seconds[mode] = time.monotonic() - started
        self.texts[mode] = [one.text for one in found]
        return found

    def decode_widely(
        self,
        decoder: BeamDecoder,
        settings: BeamSettings,
        rerank: Callable[..., Rescorer] | None,
    ) -> tuple[list[BeamRow], list[Hypothesis]]:
        """Decode with several beams up to that of the settings; what the chosen one finds stays."""
        rows, found = [], {}
        for beam in beams_to_try(settings.beam):
            search: Search = decoder.with_settings(settings.model_copy(update={"beam": beam}))
            if rerank is not None:
                search = rerank(search, tokens=self._dev.tokens)
            found[beam] = self.decode("tuned", partial(_first, search))
            seconds = self.seconds["tuned"]
            rows.append(BeamRow(beam, self._dev.count(found[beam]), seconds))
        chosen = choose_beam(rows)
        self.seconds["tuned"] = chosen.seconds
        return rows, found[chosen.beam]


def _first(search: Search, log_probs: Tensor) -> Hypothesis:
    return search(log_probs)[0]


def _tune_penalty(
    dev: DevelopmentSet, hypotheses: list[Hypothesis], lexicon: Collection[str]
) -> tuple[float | None, list[Hypothesis]]:
    """The highest spelling penalty with the fewest errors; and what it makes.

    The set may have no word that is outside the lexicon, and still others must be possible: so a
    penalty is kept that gains nothing. None, where each of them adds errors.
    """
    chosen, best, fewest = None, hypotheses, dev.count(hypotheses).errors
    for penalty in _PENALTIES:
        reviser = Reviser(dev.tokens, lexicon=lexicon, spelling_penalty=penalty)
        pairs = zip(hypotheses, dev.log_probs, strict=True)
        revised = [reviser(one, rows) for one, rows in pairs]
        errors = dev.count(revised).errors
        if errors < fewest or (chosen is None and errors == fewest):
            chosen, best, fewest = penalty, revised, errors
    return chosen, best


def _judge(dev: DevelopmentSet, hypotheses: Sequence[Hypothesis]) -> list[Judged]:
    """Of every word that was recognised: how sure the model was, and whether it was right."""
    judged = []
    for one, rows, reference in zip(hypotheses, dev.log_probs, dev.references, strict=True):
        words = align_words(rows, one, dev.tokens)
        edits = [edit for edit in align_texts(reference, one.text).edits if edit.kind != "delete"]
        judged += [
            Judged(word.log_prob, edit.kind == "equal")
            for word, edit in zip(words, edits, strict=True)
        ]
    return judged
