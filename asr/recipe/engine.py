"""The engine: run the stages of a recipe that are not up to date.

1 prepare    up to date
6 train      running: settings changed: training.epochs 10 -> 20
6 train      done in 12 s
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr.errors import ConfigError
from asr.recipe.launch import Launch, current_launch
from asr.recipe.lock import hold_lock
from asr.recipe.plan import Experiment, StageStatus, plan, require_made
from asr.recipe.record import Marker, Provenance
from asr.recipe.stage import Stage, resolve_stage, select_stages

__all__ = ["Stage", "StageStatus", "duration_in_words", "plan", "resolve_stage", "run_stages"]

_JOIN_SECONDS = 600.0  # how long the other processes wait for process 0
_POLL_SECONDS = 0.1


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    *,
    first: str | None = None,
    last: str | None = None,
    force: bool = False,
) -> list[str]:
    """Run the stages from `first` to `last` that are not up to date, or all of them by `force`.

    Earlier stages must be done; where they are out of date a notice says so, and they are used as
    they are. Under torchrun the range must be one distributed stage: all processes run it, and
    process 0 keeps the books.

    Args:
        stages: all stages of the recipe, in order.
        folder: of the experiment; made if missing.
        first: name or number; None is the first stage there is.
        last: name or number, included; None is the last stage there is.
        force: also run what is up to date.

    Returns:
        Names of the stages that ran.

    Raises:
        ConfigError: no such stage, an earlier stage is not done, or the folder is in use.
    """
    launch = current_launch()
    earlier, selected = select_stages(stages, first, last)
    if launch.world_size > 1:
        _require_one_distributed(stages, selected, launch)
    experiment = Experiment(stages, folder)
    if launch.rank > 0:
        return _join(experiment, selected[0], launch, force=force)
    with hold_lock(folder):
        for place in experiment.folders.values():
            place.recover()
        _check_earlier([experiment.status(stage) for stage in earlier])
        ran = []
        for stage in selected:
            status = experiment.status(stage)
            if status.state == "done" and not force:
                _say(stage, ", ".join(filter(None, ["up to date", status.reason])))
            else:
                _run(experiment, status, launch)
                ran.append(stage.name)
        return ran


def duration_in_words(seconds: float) -> str:
    """0.4 -> '0.4 s', 75 -> '1 min 15 s', 7500 -> '2 h 05 min'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _check_earlier(earlier: list[StageStatus]) -> None:
    require_made(earlier)
    for status in earlier:
        if status.state != "done":
            _say(status.stage, f"out of date, used as it is: {status.reason}")


def _run(experiment: Experiment, status: StageStatus, launch: Launch) -> None:
    """Run one stage in its partial folder, and put that in its place."""
    stage, provenance = status.stage, status.provenance
    assert provenance is not None, f"stage {stage.title}: its inputs should have been made"
    place = experiment.folders[stage.name]
    _say(stage, f"running: {'forced' if status.state == 'done' else status.reason}")
    notice = place.open_partial(provenance, launch)
    if notice:
        _say(stage, notice)
    start = time.monotonic()
    try:
        stage.run(place.partial, _input_folders(experiment, stage))
    except BaseException as error:
        place.stop(time.monotonic() - start)
        if isinstance(error, KeyboardInterrupt):
            _stopped(experiment, stage)
        raise
    seconds = time.monotonic() - start
    place.commit(_with_outside(stage, provenance), seconds)
    _say(stage, f"done in {duration_in_words(seconds)}")


def _with_outside(stage: Stage, provenance: Provenance) -> Provenance:
    """What a stage has fetched was not there to be known when it began."""
    if provenance.external:
        return provenance
    return replace(provenance, external=stage.external() or "")


def _stopped(experiment: Experiment, stage: Stage) -> None:
    """The user has stopped a stage: say how to go on, or leave nothing."""
    place = experiment.folders[stage.name]
    if stage.resumable:
        _say(stage, f"stopped; the same command goes on in {place.partial}")
    else:
        place.wipe_partial()
        _say(stage, "stopped; the same command starts this stage again")


def _join(experiment: Experiment, stage: Stage, launch: Launch, *, force: bool) -> list[str]:
    """Run the stage beside process 0, once that has made the partial folder ready."""
    status = experiment.status(stage)
    if status.state == "done" and not force:
        return []
    if status.provenance is None:
        raise ConfigError(f"stage {stage.title}: {status.reason}; run the earlier stages first")
    partial = experiment.folders[stage.name].partial
    _wait_until_ready(partial, status.provenance, launch)
    stage.run(partial, _input_folders(experiment, stage))
    return [stage.name]


def _wait_until_ready(partial: Path, provenance: Provenance, launch: Launch) -> None:
    # A file and not a collective call: the engine knows nothing of torch.
    end = time.monotonic() + _JOIN_SECONDS
    while time.monotonic() < end:
        marker = Marker.read(partial)
        if marker and marker.provenance == provenance and marker.launch == launch.id:
            return
        time.sleep(_POLL_SECONDS)
    raise ConfigError(
        f"{partial}: process {launch.rank} waited {_JOIN_SECONDS:.0f} s for process 0 to open it; "
        "is the experiment folder shared by all machines?"
    )


def _require_one_distributed(
    stages: Sequence[Stage], selected: Sequence[Stage], launch: Launch
) -> None:
    if len(selected) == 1 and selected[0].distributed:
        return
    able = [stage.name for stage in stages if stage.distributed]
    advice = " or ".join(f"'--stage {name} --stop-stage {name}'" for name in able) or "one process"
    raise ConfigError(
        f"torchrun started {launch.world_size} processes, but "
        f"{', '.join(stage.title for stage in selected)} cannot all run on several; run the "
        f"other stages without torchrun, and give it {advice}"
    )


def _input_folders(experiment: Experiment, stage: Stage) -> dict[str, Path]:
    return {name: experiment.folders[name].finished for name in stage.inputs}


def _say(stage: Stage, words: str) -> None:
    print(f"{stage.number:>3} {stage.name:<10} {words}", file=sys.stderr, flush=True)
