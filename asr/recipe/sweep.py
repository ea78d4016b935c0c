"""A sweep: one recipe with every combination of some settings' values, an experiment for each.

EXP/cell=tanh,layers=1/      an ordinary experiment, so that a sweep goes on where it was stopped
EXP/cell=tanh,layers=1/diverged.json     its training did not end: why, and with what
EXP/sweep.json, .csv, .md, .png          the results, as `sweep_table` and `sweep_picture` make them
"""

import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError, ConfigError, DivergenceError, one_line
from asr.files import write_text
from asr.recipe.config import Recipe, dump_recipe, load_recipe
from asr.recipe.engine import duration_in_words, run_stages
from asr.recipe.grid import Combination, combine, parse_axes
from asr.recipe.launch import current_launch
from asr.recipe.lock import hold_lock
from asr.recipe.measurements import Measurements, measure
from asr.recipe.overrides import Override
from asr.recipe.plan import StageStatus, plan
from asr.recipe.share import share_stages
from asr.recipe.stage import Stage
from asr.recipe.sweep_picture import draw
from asr.recipe.sweep_table import Outcome, Row, write_csv, write_json, write_markdown

_DIVERGED = "diverged.json"


@dataclass(frozen=True)
class Trial:
    """One combination and its experiment."""

    combination: Combination
    recipe: Recipe
    stages: Sequence[Stage]
    folder: Path

    def pending(self) -> StageStatus | None:
        """The first stage that is not up to date; None where all are."""
        statuses = plan(self.stages, self.folder)
        return next((status for status in statuses if status.state != "done"), None)

    def pending_key(self) -> str:
        """What the first stage that is not up to date would be made from, as a hash; '' if none."""
        pending = self.pending()
        return pending.provenance.key if pending and pending.provenance else ""


@dataclass(frozen=True)
class _End:
    """What became of a trial, and why where it has no result."""

    outcome: Outcome
    reason: str = ""


def load_trials(
    recipe: Path,
    over: Sequence[str],
    *,
    overrides: Sequence[str],
    folder: Path | None,
    build: Callable[[Recipe], Sequence[Stage]],
) -> tuple[Path, list[Trial]]:
    """Read a recipe once for every combination; nothing is run or written.

    Args:
        recipe: its folder or its YAML file.
        over: 'encoder.layers=1,2,4' and the like, values in YAML; the last one changes fastest.
        overrides: 'training.epochs=5' and the like, for all of them.
        folder: of the sweep; None is exp/<recipe name>_sweep.
        build: makes the stages of a recipe.

    Returns:
        The sweep's folder, and its trials in order.

    Raises:
        ConfigError: a setting does not exist, or a combination of values is not valid.
    """
    changes = [Override.parse(text) for text in overrides]
    combinations = combine(parse_axes(over, changes))
    recipes = [load_recipe(recipe, [*changes, *one.overrides]) for one in combinations]
    place = folder or Path("exp") / f"{recipes[0].name}_sweep"
    trials = [
        Trial(one, settings, build(settings), place / one.name)
        for one, settings in zip(combinations, recipes, strict=True)
    ]
    return place, trials


class Sweep:
    """The trials of a sweep, and what has become of them."""

    def __init__(self, folder: Path, trials: Sequence[Trial]) -> None:
        """Touches nothing on the disk."""
        self._folder, self._trials = folder, trials
        # By what the stage that failed was made from: where trials share it, it fails but once.
        self._failures: dict[str, _End] = {}
        self._seconds: list[float] = []  # of the trials that ran

    def run(self) -> list[Row]:
        """Run what is not up to date in every trial; one that fails does not stop the others.

        The results are written in any case, also of a sweep that was stopped.

        Returns:
            What came of the trials, in their order.

        Raises:
            ConfigError: torchrun started several processes, or a folder is in use.
            KeyboardInterrupt: the user has stopped it; the same call goes on.
        """
        if current_launch().world_size > 1:
            raise ConfigError("torchrun: a sweep runs in one process; start it without torchrun")
        with hold_lock(self._folder):
            try:
                for number, trial in enumerate(self._trials, start=1):
                    self._say_next(number, trial)
                    self._run_one(trial)
            except KeyboardInterrupt:
                _say(f"sweep stopped in {number} of {len(self._trials)}; the same command goes on")
                raise
            finally:
                rows = [self._row(trial) for trial in self._trials]
                write_results(self._folder, rows, self._trials[0].recipe.name)
        return rows

    def _run_one(self, trial: Trial) -> None:
        if trial.pending() is None:
            _say("    up to date")
            return
        others = [one.folder for one in self._trials if one is not trial]
        with hold_lock(trial.folder):
            dump_recipe(trial.recipe, trial.folder)
            share_stages(trial.stages, trial.folder, others)
            failure = self._failure(trial)
            if failure:
                _say(f"    {failure.outcome} before: {failure.reason}")
                return
            started = time.monotonic()
            try:
                run_stages(trial.stages, trial.folder)
            except Exception as error:
                if not isinstance(error, AsrError):  # as where memory does not suffice
                    traceback.print_exc()
                self._keep(trial, error)
        self._seconds.append(time.monotonic() - started)

    def _failure(self, trial: Trial) -> _End | None:
        """Why the next stage of a trial cannot be made, where that was seen before."""
        key = trial.pending_key()
        return self._failures.get(key) or _read_divergence(trial.folder, key)

    def _keep(self, trial: Trial, error: Exception) -> None:
        key, reason = trial.pending_key(), str(error)
        if not isinstance(error, AsrError):
            reason = f"{type(error).__name__}: {one_line(error)}"
        if isinstance(error, DivergenceError):
            # Settings and seed decide it, so it is not tried again until one of them changes.
            reason = reason.removeprefix("training diverged: ")
            kept = {"key": key, "reason": reason}
            write_text(trial.folder / _DIVERGED, json.dumps(kept, ensure_ascii=False) + "\n")
            self._failures[key] = _End("diverged", reason)
        else:
            self._failures[key] = _End("failed", reason)
        _say(f"    {self._failures[key].outcome}: {reason}")

    def _row(self, trial: Trial) -> Row:
        end = _End("done")
        if trial.pending() is not None:
            end = self._failure(trial) or _End("unfinished")
        done = end.outcome == "done"
        measured = measure(trial.recipe, trial.stages, trial.folder, finished=done)
        if end.outcome == "unfinished":  # what lies there may be of other settings
            measured = Measurements(parameters=measured.parameters)
        return Row(trial.combination, end.outcome, end.reason, measured)

    def _say_next(self, number: int, trial: Trial) -> None:
        """Say which trial comes, and how long the rest may take, judged by those that ran."""
        left = ""
        if self._seconds:
            mean = sum(self._seconds) / len(self._seconds)
            left = f", about {duration_in_words(mean * (len(self._trials) - number + 1))} left"
        _say(f"[{number}/{len(self._trials)}] {trial.combination.name}{left}")


def write_results(folder: Path, rows: Sequence[Row], recipe: str) -> None:
    """Write sweep.json, .csv, .md and, where there is something to draw, .png."""
    write_json(folder / "sweep.json", rows, recipe)
    write_csv(folder / "sweep.csv", rows)
    write_markdown(folder / "sweep.md", rows)
    if not draw(folder / "sweep.png", rows):
        (folder / "sweep.png").unlink(missing_ok=True)  # of an earlier sweep


def _read_divergence(folder: Path, key: str) -> _End | None:
    try:
        kept = json.loads((folder / _DIVERGED).read_text(encoding="utf-8"))
        return _End("diverged", kept["reason"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
