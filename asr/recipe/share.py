"""Stages that another experiment has made already: taken over instead of made again."""

import sys
from collections.abc import Sequence
from pathlib import Path

from asr.recipe.folder import StageFolder
from asr.recipe.plan import Experiment
from asr.recipe.record import Provenance
from asr.recipe.stage import Stage


def share_stages(stages: Sequence[Stage], folder: Path, others: Sequence[Path]) -> list[str]:
    """Take over the stages that one of the other experiments made just as this one would.

    The same settings, inputs and corpus make the same output, whichever experiment they are of.
    The caller holds the lock of `folder`.

    Args:
        stages: all stages of this experiment, in order.
        folder: of this experiment; made if missing.
        others: folders of experiments to take from.

    Returns:
        Names of the stages that were taken over.
    """
    experiment = Experiment(stages, folder)
    taken = []
    for stage in stages:
        place = experiment.folders[stage.name]
        place.recover()
        status = experiment.status(stage)
        if status.state == "done" or status.provenance is None:
            continue
        source = _find(stage, status.provenance, others)
        if source:
            notice = place.adopt(source, status.provenance)
            words = f"taken from {source.parent.name}{'; ' if notice else ''}{notice}"
            print(f"{stage.number:>3} {stage.name:<10} {words}", file=sys.stderr, flush=True)
            taken.append(stage.name)
    return taken


def _find(stage: Stage, provenance: Provenance, others: Sequence[Path]) -> Path | None:
    """The first whole output of the stage that was made from the same."""
    for other in others:
        place = StageFolder(other, stage)
        record = place.record()
        same = record is not None and record.key == provenance.key and not record.changed_by
        if record and same and not record.damage(place.finished):
            return place.finished
    return None
