"""Experiments side by side: the settings that differ, error rates, sizes and times."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from asr.bundle import read_description
from asr.errors import AsrError, ConfigError
from asr.files import write_text
from asr.recipe.config import RECIPE_FILE, Recipe, load_recipe
from asr.recipe.evaluation import SCORES
from asr.recipe.folder import StageFolder
from asr.recipe.grid import show
from asr.recipe.measurements import Measurements, measure
from asr.recipe.plan import plan
from asr.recipe.stage import Stage
from asr.scoring.report import read_json
from asr.scoring.tables import format_interval, format_rate, print_wide

_NO_SETTING = {"name"}  # the experiment's folder is its name here
_LONGEST = 40  # characters of a value in the table


@dataclass(frozen=True)
class Experiment:
    """One experiment folder, and what there is to know of it."""

    name: str
    settings: Mapping[str, Any]  # nested, plain data
    measured: Measurements
    intervals: Mapping[str, Sequence[float]]  # 95 %, of the word error rate, by test set
    # Seconds of reading, model and search in a second of dev's audio, without loading the model.
    real_time_factor: float | None
    note: str  # which stage is not up to date, and why; '' if all are


def read_experiment(folder: Path, build: Callable[[Recipe], list[Stage]]) -> Experiment:
    """Read what the stages of an experiment have left; runs none of them.

    Args:
        folder: of the experiment.
        build: gives the stages of its recipe.

    Raises:
        ConfigError: it is not an experiment's folder.
    """
    if not (folder / RECIPE_FILE).is_file():
        raise ConfigError(
            f"{folder}: there is no {RECIPE_FILE} in it; expected an experiment folder, such as "
            "exp/NAME, that 'asr run' has written"
        )
    recipe = load_recipe(folder)
    stages = build(recipe)
    places = {stage.name: StageFolder(folder, stage) for stage in stages}
    finished = places["score"].record() is not None
    waiting = [status for status in plan(stages, folder) if status.state != "done"]
    scored = read_json(places["score"].finished / SCORES) if finished else []
    return Experiment(
        name=folder.absolute().name or str(folder),
        settings=recipe.model_dump(mode="json"),
        measured=measure(recipe, stages, folder, finished=finished),
        intervals={
            one["name"]: one["intervals"]["word_error_rate"] for one in scored if "intervals" in one
        },
        real_time_factor=_real_time_factor(places["tune"].finished) if finished else None,
        note=f"{waiting[0].stage.title}: {waiting[0].reason}" if waiting else "",
    )


def differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The settings that are not the same in all experiments, by dotted key.

    A section that one of them does not have at all (`lm: null`) is one setting.
    """
    found: dict[str, list[Any]] = {}
    _differences(settings, "", found)
    return {key: values for key, values in found.items() if key not in _NO_SETTING}


def print_experiments(experiments: Sequence[Experiment]) -> None:
    """Print a column for each experiment on stdout."""
    table = Table()
    table.add_column("", overflow="fold")
    for one in experiments:
        table.add_column(one.name, justify="right", overflow="fold")
    changed = differences([one.settings for one in experiments])
    for key, values in changed.items():
        table.add_row(key, *(_short(show(value)) for value in values))
    if changed:
        table.add_section()
    for name, cells in _measured_rows(experiments):
        if any(cells):
            table.add_row(name, *cells)
    print_wide(table)


def write_json(path: Path, experiments: Sequence[Experiment]) -> None:
    """Write {"experiments": [...]}, rates as fractions of 1, whole or not at all."""
    changed = differences([one.settings for one in experiments])
    data = [
        {
            "name": one.name,
            "settings": {key: values[number] for key, values in changed.items()},
            "parameters": one.measured.parameters,
            "training_seconds": one.measured.seconds,
            "epochs": one.measured.epochs,
            "real_time_factor": one.real_time_factor,
            "sets": {
                name: {
                    "word_error_rate": rates.wer,
                    "character_error_rate": rates.cer,
                    "interval": one.intervals.get(name),
                }
                for name, rates in one.measured.rates.items()
            },
            "note": one.note,
        }
        for number, one in enumerate(experiments)
    ]
    write_text(path, json.dumps({"experiments": data}, indent=1, ensure_ascii=False) + "\n")


def _measured_rows(experiments: Sequence[Experiment]) -> list[tuple[str, list[str]]]:
    def row(name: str, cell: Callable[[Experiment], str]) -> tuple[str, list[str]]:
        return name, [cell(one) for one in experiments]

    def set_rows(name: str) -> list[tuple[str, list[str]]]:
        return [
            row(f"{name} WER", lambda one: _rate(one, name, "wer")),
            row(f"{name} 95 %", lambda one: _interval(one, name)),
            row(f"{name} CER", lambda one: _rate(one, name, "cer")),
        ]

    sets = dict.fromkeys(name for one in experiments for name in one.measured.rates)
    return [
        *(line for name in sets for line in set_rows(name)),
        row("parameters", lambda one: _known(one.measured.parameters, "{:,}")),
        row("epochs", lambda one: _known(one.measured.epochs, "{}")),
        row("training, minutes", lambda one: _known(one.measured.seconds, "{:,.1f}", 60)),
        row("dev real-time factor", lambda one: _known(one.real_time_factor, "{:.3g}")),
        row("not up to date", lambda one: one.note),
    ]


def _rate(one: Experiment, name: str, kind: str) -> str:
    rates = one.measured.rates.get(name)
    return "" if rates is None else format_rate(getattr(rates, kind))


def _interval(one: Experiment, name: str) -> str:
    return format_interval(one.intervals[name]) if name in one.intervals else ""


def _known(value: float | None, words: str, unit: float = 1) -> str:
    return "" if value is None else words.format(value / unit if unit != 1 else value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _differences(
    settings: Sequence[Mapping[str, Any]], prefix: str, found: dict[str, list[Any]]
) -> None:
    for key in dict.fromkeys(key for one in settings for key in one):
        values: list[Any] = [one.get(key) for one in settings]
        if all(value == values[0] for value in values[1:]):
            continue
        if all(isinstance(value, Mapping) for value in values):
            _differences(values, f"{prefix}{key}.", found)
        else:
            found[f"{prefix}{key}"] = values


def _real_time_factor(tuned: Path) -> float | None:
    """What tuning measured of the way in which test sets are decoded: its last, the search if any.

    The time that stage 9 took would be that of loading the model, too.
    """
    try:
        speed = read_description(tuned)["card"].get("real_time_factor", {"modes": {}})
    except AsrError:
        return None
    factors: list[float] = list(speed["modes"].values())
    return factors[-1] if factors else None
