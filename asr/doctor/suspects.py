"""Likely wrong transcripts: those that a model finds far less probable than what it hears."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

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
_SMALLEST_DEVIATION = 0.1  # nats a token; a model that knows the data by heart has none


@dataclass(frozen=True)
class Fit:
    """How well one transcript fits its recording, by a model."""

    excess: float  # nats a token by which what the model hears is more probable
    loss_per_frame: float  # the CTC loss of the transcript, nats an encoder frame
    alignment: float  # mean log-probability of its tokens where they are said at best
    heard: str  # the greedy hypothesis


@dataclass(frozen=True)
class Suspect:
    """One transcript in the ranking."""

    examined: Examined
    fit: Fit | None  # None: it cannot be said in the time there is
    score: float  # robust standard deviations above the others of the speaker; inf without a fit

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "id": self.examined.utterance.id,
            "audio_filepath": str(self.examined.utterance.audio_path),
            "text": self.examined.text,
            "score": self.score if self.fit else None,
            **(vars(self.fit) if self.fit else {}),
        }


def rank_transcripts(recognizer: Recognizer, examined: Sequence[Examined]) -> list[Suspect]:
    """Rank transcripts, the least likely first.

    Each is measured by how much less probable it is than what the model hears, greedily, over all
    paths of both and for each token, so that neither length nor noise decides. Of that, the median
    of the speaker is taken away. A transcript that does not fit into the frames stands first.

    Args:
        recognizer: of the model.
        examined: the utterances; those without usable sound or text are left out.
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
    ranked = [
        Suspect(there[place], fits[place], score) for place, score in _scores(there, fits).items()
    ]
    return sorted(ranked, key=lambda one: -one.score)


def suspect_findings(ranking: Sequence[Suspect], limits: Limits) -> Iterator[Finding]:
    """The transcripts of a ranking that are likely wrong, and can be said in the time there is."""
    for rank, one in enumerate(ranking, start=1):
        if one.fit and one.score > limits.suspect_deviations:
            detail = (
                f"rank {rank}: heard '{one.fit.heard}', transcript '{one.examined.text}': "
                f"{one.fit.excess:.2f} nats a token less probable, {one.score:.1f} robust standard "
                f"deviations above the others; loss {one.fit.loss_per_frame:.2f} a frame, "
                f"alignment {one.fit.alignment:.2f}"
            )
            trouble = Trouble("likely-wrong", detail, one.score, limits.suspect_deviations)
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


def _scores(there: Sequence[Examined], fits: dict[int, Fit | None]) -> dict[int, float]:
    """Excess above the speaker's median, in robust standard deviations, by place."""
    excess = {place: fit.excess for place, fit in fits.items() if fit}
    if not excess:
        return dict.fromkeys(fits, math.inf)
    middle = median(excess.values())
    voices: defaultdict[str | None, list[float]] = defaultdict(list)
    for place, value in excess.items():
        voices[there[place].utterance.speaker].append(value)
    usual = {
        speaker: median(values)
        for speaker, values in voices.items()
        if speaker is not None and len(values) >= _OF_A_SPEAKER
    }
    above = {
        place: value - usual.get(there[place].utterance.speaker or "", middle)
        for place, value in excess.items()
    }
    deviation = robust_deviation(list(above.values()), _SMALLEST_DEVIATION)
    return {place: above[place] / deviation if place in above else math.inf for place in fits}
