"""Evaluation during training: loss, WER and CER of the development set, greedily decoded."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from asr.batching import BatchSettings, plan_batches
from asr.dataset import Batch, SpeechDataset, collate
from asr.decoding.greedy import greedy_decode
from asr.encoder.encoder import Emissions
from asr.scoring.error_rate import ErrorCounts, character_errors, word_errors
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.denominator import Denominator
from asr.training.distributed import World
from asr.training.loss import ctc_losses

_SAMPLES = 5
_ALONE = World()


@dataclass(frozen=True)
class Sample:
    """One utterance as it was said and as it was recognised."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on a development set."""

    loss: float  # nats per target token
    words: ErrorCounts
    characters: ErrorCounts
    blank_share: float  # of the frames, those where the blank is the best token
    samples: tuple[Sample, ...]  # the same utterances each time, spread over the set
    emitted_ratio: float = 1.0  # tokens that were put out / tokens that should be
    infinite: tuple[str, ...] = ()  # ids of utterances that the losses leave out, being infinite
    mmi: float | None = None  # nats per target token, where targets compete with other sequences

    def record(self) -> dict[str, Any]:
        """Its part of metrics.jsonl."""
        return {
            "dev_loss": self.loss,
            "dev_wer": self.words.rate,
            "dev_cer": self.characters.rate,
            "dev_infinite": list(self.infinite),
            "blank_share": self.blank_share,
            "emitted_ratio": self.emitted_ratio,
            "samples": [asdict(sample) for sample in self.samples],
        } | ({} if self.mmi is None else {"dev_mmi": self.mmi})


@dataclass(frozen=True)
class _Decoded:
    """What is kept of one utterance."""

    text: str
    emitted: int  # tokens
    blanks: int  # frames
    frames: int
    tokens: int  # of the target
    loss: float  # nats
    mmi: float


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    dataset: SpeechDataset,
    *,
    tokens: TokenTable,
    normalizer: Normalizer,
    batch: BatchSettings,
    world: World = _ALONE,
    denominator: Denominator | None = None,
) -> Evaluation:
    """Decode a development set greedily and count the errors against its raw, normalised text.

    The processes of a training share the work, and all of them come to the same result.

    With a `denominator`, what competes with the targets, there is another loss.

    An utterance whose target does not fit into its frames has an infinite loss: it is left out
    of the mean, and named.
    """
    model.eval()
    frames = [dataset.frames(index, 0) for index in range(len(dataset))]
    own: dict[str, _Decoded] = {}
    for indices in plan_batches(frames, batch, seed=0, epoch=0)[world.rank :: world.size]:
        own |= _decode(
            model, collate([dataset.example(i, 0) for i in indices]), tokens, denominator
        )
    gathered = dict(world.gather(list(own.items())))
    decoded = {one.id: gathered[one.id] for one in dataset.utterances}
    finite = [one for one in decoded.values() if math.isfinite(one.loss)]
    texts = {u.id: (normalizer(u.text or ""), decoded[u.id].text) for u in dataset.utterances}
    learned = max(1, _total(finite, "tokens"))
    loss = _total(finite, "loss") / learned
    mmi = _total(finite, "mmi") / learned if finite else math.nan
    return Evaluation(
        loss=loss if finite else math.nan,
        words=sum((word_errors(*pair) for pair in texts.values()), start=ErrorCounts()),
        characters=sum((character_errors(*pair) for pair in texts.values()), start=ErrorCounts()),
        blank_share=_total(decoded.values(), "blanks") / max(1, _total(decoded.values(), "frames")),
        samples=_samples(texts),
        emitted_ratio=_total(decoded.values(), "emitted")
        / max(1, _total(decoded.values(), "tokens")),
        infinite=tuple(name for name in texts if not math.isfinite(decoded[name].loss)),
        mmi=None if denominator is None else mmi,
    )


def _decode(
    model: nn.Module, batch: Batch, tokens: TokenTable, denominator: Denominator | None
) -> dict[str, _Decoded]:
    """Utterances of a batch by their ids."""
    device = next(model.parameters()).device
    emissions: Emissions = model(batch.features.to(device), batch.feature_lengths.to(device))
    on_cpu = Emissions(emissions.log_probs.cpu(), emissions.lengths.cpu())
    losses = ctc_losses(on_cpu, batch).tolist()
    competing = denominator.posterior_losses(emissions, batch).tolist() if denominator else losses
    decoded = {}
    for row, name in enumerate(batch.ids):
        log_probs = on_cpu.log_probs[row, : int(on_cpu.lengths[row])]
        hypothesis = greedy_decode(log_probs, tokens)
        decoded[name] = _Decoded(
            text=hypothesis.text,
            emitted=len(hypothesis.tokens),
            blanks=int((log_probs.argmax(dim=1) == 0).sum()),
            frames=len(log_probs),
            tokens=int(batch.target_lengths[row]),
            loss=losses[row],
            mmi=competing[row],
        )
    return decoded


def _samples(texts: Mapping[str, tuple[str, str]]) -> tuple[Sample, ...]:
    """The first utterance, the last, and some evenly in between."""
    names = list(texts)
    count = min(_SAMPLES, len(names))
    chosen = [names[round(n * (len(names) - 1) / max(1, count - 1))] for n in range(count)]
    return tuple(Sample(name, *texts[name]) for name in chosen)


def _total(decoded: Iterable[_Decoded], what: str) -> float:
    return float(sum(getattr(one, what) for one in decoded))
