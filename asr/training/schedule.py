"""When the learning rate rises and falls, and when training ends; pure functions of what was."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from asr.settings import Settings

_START_SHARE = 0.04  # of the peak: where the warm-up begins
_END_SHARE = 0.001  # of the peak: where one cycle ends


class ScheduleSettings(Settings):
    """The course of the learning rate after its linear warm-up.

    one_cycle      half a cosine down to almost nothing (Smith & Topin 2018)
    inverse_sqrt   falls with the square root of the steps (Vaswani et al. 2017)
    plateau        stays, and is cut each time that the dev loss has stopped falling
    """

    # After a warm-up: falls to nothing, with 1/sqrt(step), or by cuts
    kind: Literal["one_cycle", "inverse_sqrt", "plateau"] = "one_cycle"
    warmup_share: float = Field(default=0.15, ge=0, lt=1)  # of all steps
    plateau_epochs: int = Field(default=2, ge=1)  # without a lower dev loss, before a cut
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)  # the rate that a cut leaves

    @model_validator(mode="after")
    def _need_a_warm_up(self) -> Self:
        if self.kind == "inverse_sqrt" and self.warmup_share == 0:
            raise ValueError("inverse_sqrt falls from the end of a warm-up; raise warmup_share")
        return self


def rate_share(settings: ScheduleSettings, done: float, dev_losses: Sequence[float] = ()) -> float:
    """The learning rate as a share of its peak.

    A pure function, so that resuming needs no state.

    Args:
        settings: which course.
        done: share of the training that is done, 0 to 1.
        dev_losses: of the epochs done.
    """
    warmup = settings.warmup_share
    if done < warmup:
        return _START_SHARE + (1 - _START_SHARE) * done / warmup
    if settings.kind == "plateau":
        cuts = _plateaus(dev_losses, settings.plateau_epochs)
        return float(settings.plateau_factor**cuts)
    if settings.kind == "inverse_sqrt":
        return math.sqrt(warmup / done)
    cooling = (done - warmup) / (1 - warmup)
    cosine = (1 + math.cos(math.pi * min(1.0, cooling))) / 2
    return _END_SHARE + (1 - _END_SHARE) * cosine


def _plateaus(losses: Sequence[float], patience: int) -> int:
    """How often `patience` epochs in a row had no lower loss than any before."""
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus


def badness(record: Mapping[str, Any]) -> tuple[float, ...]:
    """What weights are chosen by, the lower the better: dev WER, then dev CER.

    Where targets have competed with other sequences, that loss of dev: such weights are for a
    search with a language model, and greedily they are worse than before.
    """
    competing = record.get("dev_mmi")
    return (record["dev_wer"], record["dev_cer"]) if competing is None else (competing,)


def ended_early(rates: Sequence[tuple[float, ...]], patience: int | None) -> bool:
    """Whether `patience` epochs or more have passed since the best (`badness`); None never ends."""
    if patience is None or not rates:
        return False
    return len(rates) - 1 - rates.index(min(rates)) >= patience
