"""Likely wrong transcripts: those that a model finds far less probable than what it hears.

Three measures rank them (MEASURES); each transcript has its number and its rank by all three.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal, NamedTuple

import torch
from torch import Tensor

from asr.batching import BatchSettings
from asr.decoding.alignment import align_tokens
from asr.decoding.greedy import greedy_decode
from asr.doctor.findings import Examined, Finding
from asr.doctor.listening import progress_bar
from asr.doctor.problems import Trouble
from asr.doctor.settings import Limits
from asr.doctor.transcript import robust_deviation
from asr.errors import AsrError, DataError
from asr.recognizer import Recognizer
from asr.tokens import TokenTable, frames_needed

_OF_A_SPEAKER = 10  # utterances, from which a speaker has a median of their own

MeasureName = Literal["excess", "loss", "alignment"]
EXCESS: Final = "excess"


@dataclass(frozen=True)
class Fit:
    """How well one transcript fits its recording, by a model."""

    excess: float  # nats a token by which what the model hears is more probable
    loss_per_frame: float  # the CTC loss of the transcript, nats an encoder frame
    alignment: float  # mean log-probability of its tokens where they are said at best
    heard: str  # the greedy hypothesis


class Measure(NamedTuple):
    """One way to tell how badly a transcript fits; the higher, the worse."""

    meaning: str
    of: Callable[[Fit], float]
    # The least standard deviation that is believed: a model that knows the data by heart has none.
    smallest: float
    by_speaker: bool  # whether the median of the speaker is taken away, or that of all


MEASURES: Final[Mapping[MeasureName, Measure]] = {
    "excess": Measure(
        "nats a token by which what is heard is more probable, beside what is usual for the "
        "speaker",
        lambda fit: fit.excess,
        0.1,
        True,
    ),
    "loss": Measure("CTC loss a frame, in nats", lambda fit: fit.loss_per_frame, 0.02, False),
    "alignment": Measure(
        "mean log-probability of the tokens where they are said at best, the lowest first",
        lambda fit: -fit.alignment,
        0.1,
        False,
    ),
}


@dataclass(frozen=True)
class Suspect:
    """One transcript in the ranking."""

    examined: Examined
    fit: Fit | None  # None: it cannot be said in the time there is
    # By each measure: robust standard deviations above the others, inf without a fit; and its
    # place, from 1.
    scores: Mapping[MeasureName, float]
    ranks: Mapping[MeasureName, int]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "id": self.examined.utterance.id,
            "audio_filepath": str(self.examined.utterance.audio_path),
            "text": self.examined.text,
            "ranks": dict(self.ranks),
            "scores": dict(self.scores) if self.fit else None,
            **(vars(self.fit) if self.fit else {}),
        }


def rank_transcripts(
    recognizer: Recognizer, examined: Sequence[Examined], by: MeasureName = EXCESS
) -> list[Suspect]:
    """Rank transcripts, the least likely first.

    By `excess` each is measured by how much less probable it is than what the model hears,
    greedily, over all paths of both and for each token, so that neither length nor noise decides.
    Of that, the median of the speaker is taken away. `loss` is the CTC loss a frame, `alignment`
    the mean log-probability of the tokens on the best path, as they are. A transcript that does not
    fit into the frames stands first by any of them.

    Args:
        recognizer: of the model.
        examined: the utterances; those without usable sound or text are left out.
        by: the measure that puts them in order.
    """
    there = [one for one in examined if one.text and not one.sound.trouble]
    index = {id(one.utterance): place for place, one in enumerate(there)}
    tokens = recognizer.bundle.tokens
    fits: dict[int, Fit | None] = {}
    with progress_bar() as bar:
        answers = recognizer.log_probs_all([one.utterance for one in there], BatchSettings())
        for utterance, answer in bar.track(answers, len(there), description="reading along"):
            place = index[id(utterance)]
            if not isinstance(answer, AsrError):
                fits[place] = _fit(answer, there[place].text or "", tokens)
    scores = {name: _scores(there, fits, measure) for name, measure in MEASURES.items()}
    ranks = {name: _ranks(found) for name, found in scores.items()}
    ranked = [
        Suspect(
            there[place],
            fit,
            {name: scores[name][place] for name in MEASURES},
            {name: ranks[name][place] for name in MEASURES},
        )
        for place, fit in fits.items()
    ]
    return sorted(ranked, key=lambda one: one.ranks[by])


def suspect_findings(
    ranking: Sequence[Suspect], limits: Limits, by: MeasureName = EXCESS
) -> Iterator[Finding]:
    """The transcripts of a ranking that are likely wrong, and can be said in the time there is."""
    for one in ranking:
        score, fit = one.scores[by], one.fit
        if fit and score > limits.suspect_deviations:
            detail = (
                f"rank {one.ranks[by]} of {len(ranking)} by {by}, {score:.1f} robust standard "
                f"deviations above the others: heard '{fit.heard}', transcript "
                f"'{one.examined.text}'; {fit.excess:.2f} nats a token less probable (rank "
                f"{one.ranks['excess']}), loss {fit.loss_per_frame:.2f} a frame (rank "
                f"{one.ranks['loss']}), alignment {fit.alignment:.2f} (rank "
                f"{one.ranks['alignment']})"
            )
            trouble = Trouble("likely-wrong", detail, score, limits.suspect_deviations)
            yield Finding.of(one.examined.utterance, trouble)


def _fit(log_probs: Tensor, text: str, tokens: TokenTable) -> Fit | None:
    """Hold a text against the log-probabilities (U, V); None where it does not fit in."""
    try:
        ids = tokens.encode(tokens.without_unknown(text))
    except DataError:
        return None
    if not ids or frames_needed(ids) > len(log_probs):
        return None
    rows = log_probs.float().cpu()
    heard = greedy_decode(rows, tokens)
    loss, best = _losses(rows, [ids, list(heard.tokens)])
    spans = align_tokens(rows, ids)
    return Fit(
        excess=(loss - best) / max(len(ids), len(heard.tokens)),
        loss_per_frame=loss / len(rows),
        alignment=sum(span.log_prob for span in spans) / len(spans),
        heard=heard.text,
    )


def _losses(log_probs: Tensor, sequences: Sequence[Sequence[int]]) -> list[float]:
    """Negative log-likelihood of token sequences over all paths (Graves et al. 2006, eq. 8)."""
    losses = torch.nn.functional.ctc_loss(
        log_probs[:, None].expand(-1, len(sequences), -1),
        torch.tensor([number for ids in sequences for number in ids], dtype=torch.long),
        torch.full((len(sequences),), len(log_probs)),
        torch.tensor([len(ids) for ids in sequences]),
        reduction="none",
    )
    found: list[float] = losses.tolist()
    return found


def _scores(
    there: Sequence[Examined], fits: Mapping[int, Fit | None], measure: Measure
) -> dict[int, float]:
    """A measure above the median of the speaker or of all, in robust standard deviations."""
    values = {place: measure.of(fit) for place, fit in fits.items() if fit}
    if not values:
        return dict.fromkeys(fits, math.inf)
    usual = _usual(there, values) if measure.by_speaker else {}
    middle = median(values.values())
    above = {
        place: value - usual.get(there[place].utterance.speaker or "", middle)
        for place, value in values.items()
    }
    deviation = robust_deviation(list(above.values()), measure.smallest)
    return {place: above[place] / deviation if place in above else math.inf for place in fits}


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    ordered = sorted(scores, key=lambda place: -scores[place])
    return {place: rank for rank, place in enumerate(ordered, start=1)}


def _usual(there: Sequence[Examined], values: Mapping[int, float]) -> dict[str, float]:
    """The median of each speaker who has enough utterances for one."""
    voices: defaultdict[str | None, list[float]] = defaultdict(list)
    for place, value in values.items():
        voices[there[place].utterance.speaker].append(value)
    return {
        speaker: median(found)
        for speaker, found in voices.items()
        if speaker is not None and len(found) >= _OF_A_SPEAKER
    }
