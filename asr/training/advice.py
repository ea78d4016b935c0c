"""What stands out in a training, in words, and what to change: pure functions of its records.

    all blank      the plateau that every CTC training begins with, when it lasts
    unstable       the learning rate is too high: the training loss rises or jumps
    exploding      gradients far above the clipping norm, or not finite (Pascanu et al. 2013)
    vanishing      gradients that do not reach the lowest layer (Bengio et al. 1994)
    overfitting    the dev loss rises while the training loss falls
    dev targets    dev utterances that the dev loss has to leave out

A record is one line of metrics.jsonl; what it lacks, coming from an earlier version, is not judged.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from asr.training.measurements import ALL

Record = dict[str, Any]
Kind = Literal["all blank", "unstable", "exploding", "vanishing", "overfitting", "dev targets"]

# Trainings of the recipes have 20 to 92 % of blanks once they have left the plateau.
_BLANK_SHARE = 0.99
_EMITTED_RATIO = 0.02  # one token in fifty: stray letters, no spelling
# Digits and letters leave the plateau after 50 to 500 steps here; large corpora take some thousand.
_USUAL_PLATEAU_STEPS = 3000
_PLATEAU_EPOCHS = 3  # the first epoch or two are nothing but the plateau in healthy trainings
_PLATEAU_FALL = 0.05  # by less than this, the loss counts as standing still
# From epoch to epoch the loss of healthy trainings rose by up to 0.08 nats, on corpora of minutes.
_RISE = 0.1  # nats per token
_RISE_SHARE = 0.2
_RISE_EPOCHS = 3
_CLIPPED_SHARE = 0.5  # now and then is what clipping is for
_FAR_ABOVE = 5.0  # times the clipping norm: the clipped step has lost its length
_VANISHED = 0.01  # lowest layer / top layer: two orders of magnitude
_GRADIENT_EPOCHS = 2  # the first steps of all are no measure
_OVERFIT_EPOCHS = 3  # in a row above the lowest dev loss
_OVERFIT_SHARE = 0.1  # above it, by so much of it
_OVERFIT_NATS = 0.02  # and by so much: near zero everything is a multiple
_FEW = 3  # utterances: that they are bad is likelier than that the settings are
_QUIET_EPOCHS = 5  # what comes back sooner than this is the same finding still


@dataclass(frozen=True)
class Finding:
    """Something that stands out."""

    kind: Kind
    what: str  # is seen, with figures, and what it means
    change: str  # what to change

    def __str__(self) -> str:
        """One line for the log."""
        return f"{self.what} {self.change}"


@dataclass(frozen=True)
class Episode:
    """A finding, and the epochs in which it held."""

    finding: Finding  # as it was in the last of them
    first: int
    last: int


def findings(records: Sequence[Record], *, clip_norm: float) -> list[Finding]:
    """What stands out after the last of the records."""
    checks: list[Callable[[], Finding | None]] = [
        lambda: _all_blank(records),
        lambda: _unstable(records),
        lambda: _not_finite(records) or _exploding(records, clip_norm),
        lambda: _vanishing(records),
        lambda: _overfitting(records),
        lambda: _dev_targets(records),
    ]
    return [found for check in checks if (found := check()) is not None]


def episodes(records: Sequence[Record], *, clip_norm: float) -> list[Episode]:
    """All that stood out in the course of a training, in the order in which it began."""
    told: list[Episode] = []
    for count, record in enumerate(records, start=1):
        for found in findings(records[:count], clip_norm=clip_norm):
            epoch = record["epoch"]
            same = [one for one in told if one.finding.kind == found.kind]
            if same and epoch - same[-1].last <= _QUIET_EPOCHS:
                told[told.index(same[-1])] = replace(same[-1], finding=found, last=epoch)
            else:
                told.append(Episode(found, epoch, epoch))
    return told


def _all_blank(records: Sequence[Record]) -> Finding | None:
    last = records[-_PLATEAU_EPOCHS:]
    if len(last) < _PLATEAU_EPOCHS or not all(_is_blank(record) for record in last):
        return None
    before, now, step = last[0]["loss"], last[-1]["loss"], last[-1]["step"]
    if not (1 - _PLATEAU_FALL) * before < now < (1 + _RISE_SHARE) * before:
        return None
    judged = (
        f"After {step} steps that is still usual."
        if step < _USUAL_PLATEAU_STEPS
        else f"After {step} steps that is longer than usual."
    )
    return Finding(
        "all blank",
        f"The model puts out blanks only ({last[-1]['blank_share']:.1%} of the dev frames) and "
        f"the training loss stands still ({before:.2f}, then {now:.2f}): CTC's first plateau, "
        "where the blank is the cheapest guess until the letters can be told apart. Most "
        f"trainings pass through it, then the loss falls at once. {judged}",
        "Give it more steps first (training.epochs, or a smaller training.batch.max_frames). If "
        "that does not help: a higher training.optimizer.learning_rate, a lower encoder.factor, "
        "and a look whether the transcripts belong to their recordings (asr check).",
    )


def _is_blank(record: Record) -> bool:
    emitted = record.get("emitted_ratio", 1.0)
    return bool(record.get("blank_share", 0.0) >= _BLANK_SHARE or emitted < _EMITTED_RATIO)


def _unstable(records: Sequence[Record]) -> Finding | None:
    losses = [record["loss"] for record in records]
    for epochs in (1, _RISE_EPOCHS):
        if len(losses) <= epochs:
            continue
        before, now = losses[-1 - epochs], losses[-1]
        if now > before + max(_RISE, _RISE_SHARE * before):
            since = "from one epoch to the next" if epochs == 1 else f"in {epochs} epochs"
            return Finding(
                "unstable",
                f"The training loss has risen {since} ({before:.3f}, then {now:.3f}): the steps "
                f"are too long (learning rate {records[-1]['learning_rate']:.2g}).",
                "Lower training.optimizer.learning_rate to a half or a third, or clip_norm, or "
                "give the rate a longer way up (warmup_share).",
            )
    return None


def _not_finite(records: Sequence[Record]) -> Finding | None:
    record = records[-1]
    skipped, named = record.get("skipped_steps", 0), record.get("infinite_losses", {})
    if not skipped:
        return None
    names = ", ".join([*named][:_FEW])
    if 0 < len(named) <= _FEW:
        blamed = f"The loss of {names} was infinite or not a number."
        change = "Listen to these utterances and compare them with their text; leave them out."
    else:
        more = f" of {len(named)} utterances ({names}, …)" if named else ""
        blamed = f"Numbers{more} have grown out of bounds."
        change = (
            "Lower training.optimizer.learning_rate or clip_norm; if it was bfloat16, try "
            "training.precision: float32."
        )
    return Finding(
        "exploding",
        f"Steps left out in epoch {record['epoch']}, their gradient not being finite: {skipped}. "
        f"{blamed} The loss is that of the other steps.",
        change,
    )


def _exploding(records: Sequence[Record], clip_norm: float) -> Finding | None:
    last = records[-_GRADIENT_EPOCHS:]
    norms = [_norm(record, ALL) for record in last]
    clipped = [record.get("clipped_share", 0.0) for record in last]
    if len(last) < _GRADIENT_EPOCHS or min(clipped) < _CLIPPED_SHARE:
        return None
    if not all(norm > _FAR_ABOVE * clip_norm for norm in norms):
        return None
    return Finding(
        "exploding",
        f"The gradient is far above the norm it is clipped to: {norms[-1]:.3g} in the mean, "
        f"clipped to {clip_norm:g} in {clipped[-1]:.0%} of the steps. Gradients explode where "
        "the recurrence multiplies them frame after frame; clipped that much, every step has "
        "the same length, whatever the loss says.",
        "Lower training.optimizer.learning_rate; for a tanh or relu encoder take encoder.cell: "
        "lstm or gru; or keep encoder.layer_norm: true. If the loss falls well, raise clip_norm.",
    )


def _vanishing(records: Sequence[Record]) -> Finding | None:
    last = records[-_GRADIENT_EPOCHS:]
    ratios = [_lowest_to_top(record) for record in last]
    if len(last) < _GRADIENT_EPOCHS or not all(ratio < _VANISHED for ratio in ratios):
        return None
    return Finding(
        "vanishing",
        f"The gradient of the lowest recurrent layer is {ratios[-1]:.1g} of the top one's: it "
        "vanishes on its way down, and the lower layers hardly learn.",
        "Keep encoder.layer_norm: true, take encoder.cell: lstm, or fewer encoder.layers.",
    )


def _lowest_to_top(record: Record) -> float:
    """Mean gradient norm of the lowest recurrent layer / of the top one; NaN where unknown."""
    layers: dict[int, float] = {}
    for name in record.get("gradient_norm", {}):
        word, _, rest = name.partition(" ")
        number, _, inner = rest.partition(" ")
        if word == "layer" and inner in ("ahead", "back"):
            layers[int(number)] = max(layers.get(int(number), 0.0), _norm(record, name))
    if len(layers) < 2 or not layers[max(layers)] > 0:
        return math.nan
    return layers[min(layers)] / layers[max(layers)]


def _norm(record: Record, layer: str) -> float:
    return float(record.get("gradient_norm", {}).get(layer, {}).get("mean", math.nan))


def _overfitting(records: Sequence[Record]) -> Finding | None:
    dev = [record["dev_loss"] for record in records]
    best = min(range(len(dev)), key=lambda at: dev[at] if math.isfinite(dev[at]) else math.inf)
    bound = dev[best] + max(_OVERFIT_NATS, _OVERFIT_SHARE * dev[best])
    last = dev[best + 1 :][-_OVERFIT_EPOCHS:]
    falls = records[-1]["loss"] < records[best]["loss"]
    if len(last) < _OVERFIT_EPOCHS or not (min(last) > bound and falls):
        return None
    then, now = records[best], records[-1]
    rates = f"{then['dev_wer']:.1%} then, {now['dev_wer']:.1%} now"
    return Finding(
        "overfitting",
        f"The dev loss rises (lowest in epoch {then['epoch']}: {dev[best]:.3f}, now "
        f"{dev[-1]:.3f}) while the training loss falls: the model learns its training set by "
        f"heart. What counts is the dev WER: {rates}.",
        "If that rises too: more data or more augmentation (augment), more encoder.dropout, "
        "training.optimizer.weight_decay, a smaller encoder, or fewer epochs. The best epochs by "
        "WER are kept in any case.",
    )


def _dev_targets(records: Sequence[Record]) -> Finding | None:
    names = records[-1].get("dev_infinite", [])
    if not names:
        return None
    more = ", …" if len(names) > _FEW else ""
    return Finding(
        "dev targets",
        f"Dev utterances with more tokens than encoder frames: {len(names)} "
        f"({', '.join(names[:_FEW])}{more}). Their loss is infinite and not part of the dev loss; "
        "their errors do count.",
        "Check that their text belongs to the recording (asr check), or lower encoder.factor.",
    )
