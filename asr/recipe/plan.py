"""Which stages are up to date, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from asr.errors import ConfigError
from asr.recipe.folder import StageFolder
from asr.recipe.record import Marker, Provenance, StageRecord, changes, plain
from asr.recipe.stage import Stage, select_stages

State = Literal["done", "stale", "missing", "partial"]


@dataclass(frozen=True)
class StageStatus:
    """How things stand with one stage."""

    stage: Stage
    state: State
    reason: str  # why it would run, or who has changed it since; '' if there is nothing to say
    made: bool  # a whole output is there, up to date or not
    seconds: float | None  # that the output took; None: it was not made
    provenance: Provenance | None  # what it would be made from; None: an input is not ready


class Experiment:
    """The stages of a recipe, and the folder that holds what they make."""

    def __init__(self, stages: Sequence[Stage], folder: Path) -> None:
        """Touches nothing on the disk."""
        self.folders = {stage.name: StageFolder(folder, stage) for stage in stages}

    def status(self, stage: Stage, remade: frozenset[str] = frozenset()) -> StageStatus:
        """Compare a stage with the disk; the stages in `remade` will have run before it."""
        place = self.folders[stage.name]
        record = place.record()
        damage = record.damage(place.finished) if record else ""
        hashes, unready = self._inputs(stage, remade)
        external, settings = stage.external(), plain(stage.settings)
        now = Provenance(stage.name, settings, external or "", hashes)
        reasons = [damage] if damage else []
        if record:
            before = record.provenance
            reasons += changes(before, _comparable(now, before, stage.inputs, external))
        provenance = None if unready else now
        state, reason = _judge(place, record, [*reasons, *unready], provenance)
        seconds = record.seconds if record else None
        return StageStatus(stage, state, reason, bool(record) and not damage, seconds, provenance)

    def _inputs(self, stage: Stage, remade: frozenset[str]) -> tuple[dict[str, str], list[str]]:
        """Content hashes of the inputs that are ready, and words for those that are not."""
        hashes, unready = {}, []
        for name in stage.inputs:
            record = self.folders[name].record()
            if name in remade:
                unready.append(f"input '{name}' will be remade")
            elif record is None:
                unready.append(f"input '{name}' is missing")
            else:
                hashes[name] = record.output
        return hashes, unready


def plan(
    stages: Sequence[Stage],
    folder: Path,
    *,
    first: str | None = None,
    last: str | None = None,
    force: bool = False,
) -> list[StageStatus]:
    """Say how things stand with every stage, and what a run from `first` to `last` would do.

    "Will be remade" counts the stages of that range only. Reads the experiment folder, and
    changes nothing.

    Raises:
        ConfigError: as `run_stages` does.
    """
    earlier, selected = select_stages(stages, first, last)
    experiment = Experiment(stages, folder)
    remade: frozenset[str] = frozenset()
    statuses = []
    for stage in stages:
        status = experiment.status(stage, remade)
        if force and stage in selected and status.state == "done":
            status = replace(status, state="stale", reason="up to date, but forced")
        if stage in selected and status.state != "done":
            remade |= {stage.name}
        statuses.append(status)
    require_made(statuses[: len(earlier)])
    return statuses


def require_made(earlier: Sequence[StageStatus]) -> None:
    """Check that the stages before the first one to run have left their outputs.

    Raises:
        ConfigError: naming the stages that have not.
    """
    missing = [status for status in earlier if not status.made]
    if missing:
        words = ", ".join(f"{status.stage.title} ({status.reason})" for status in missing)
        raise ConfigError(
            f"--stage: earlier stages are not done: {words}; "
            f"start from '--stage {missing[0].stage.name}', or leave --stage out"
        )


def _comparable(
    now: Provenance, before: Provenance, inputs: Sequence[str], external: str | None
) -> Provenance:
    """What is not known now counts as unchanged: inputs to be remade, a corpus not at hand."""
    known = {name: now.inputs.get(name, before.inputs.get(name, "")) for name in inputs}
    return replace(now, inputs=known, external=before.external if external is None else external)


def _judge(
    place: StageFolder,
    record: StageRecord | None,
    reasons: list[str],
    provenance: Provenance | None,
) -> tuple[State, str]:
    if record and not reasons:
        return "done", f"as {record.changed_by} left it" if record.changed_by else ""
    marker = Marker.read(place.partial)
    if marker and place.stage.resumable and marker.provenance == provenance:
        return "partial", "stopped before its end; can go on"
    if record:
        if record.changed_by:
            reasons = [*reasons, f"what {record.changed_by} made there will be lost"]
        return "stale", "; ".join(reasons)
    if place.finished.exists():
        return "stale", "damaged: stage.json is missing or cannot be read"
    if place.partial.exists():
        return "partial", "; ".join(["stopped before its end; starts anew", *reasons])
    return "missing", "; ".join(["not made yet", *reasons])
