"""A stage: one numbered step of a recipe, from the folders of earlier stages to its own."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.errors import ConfigError


def _nothing_outside() -> str:
    return ""


@dataclass(frozen=True)
class Stage:
    """One step of a recipe.

    `run(output, inputs)` writes its files into the folder `output` and reads those of the earlier
    stages, whose folders `inputs` gives by stage name. The output folder is renamed afterwards, so
    no file may contain its path. A resumable stage may find its own half-done work there. Under
    torchrun a distributed stage runs in all processes on one folder; process 0 has to end last.
    """

    number: int
    name: str
    inputs: tuple[str, ...]  # names of earlier stages
    settings: Mapping[str, Any]  # plain JSON data, all that it obeys
    run: Callable[[Path, Mapping[str, Path]], None]
    # A fingerprint of what it reads from outside, such as the corpus; None: cannot be told now
    # (the corpus is not at hand), so what was made stands.
    external: Callable[[], str | None] = _nothing_outside
    resumable: bool = False
    distributed: bool = False

    def __post_init__(self) -> None:
        """Hold what the other processes of a launch rely on."""
        assert self.resumable or not self.distributed, "a distributed stage must be resumable"

    @property
    def title(self) -> str:
        """Number and name, as messages have it: '6 train'."""
        return f"{self.number} {self.name}"

    @property
    def folder_name(self) -> str:
        """Name of its folder in the experiment: '06_train'."""
        return f"{self.number:02d}_{self.name}"


def resolve_stage(stages: Sequence[Stage], wanted: str) -> Stage:
    """Find a stage by its name or number.

    Raises:
        ConfigError: naming the stages there are.
    """
    for stage in stages:
        if wanted == stage.name or (wanted.isdecimal() and int(wanted) == stage.number):
            return stage
    near = difflib.get_close_matches(wanted, [stage.name for stage in stages], n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    known = ", ".join(stage.title for stage in stages)
    raise ConfigError(f"stage '{wanted}': there is none; {hint}the stages are: {known}")


def select_stages(
    stages: Sequence[Stage], first: str | None, last: str | None
) -> tuple[list[Stage], list[Stage]]:
    """Return the stages before `first`, and those from `first` to `last`; both ends are included.

    Raises:
        ConfigError: a stage that does not exist, or `last` lies before `first`.
    """
    check_order(stages)
    start = stages.index(resolve_stage(stages, first)) if first else 0
    stop = stages.index(resolve_stage(stages, last)) if last else len(stages) - 1
    if stop < start:
        raise ConfigError(
            f"--stage {first} comes after --stop-stage {last}; "
            f"there is nothing to run from {stages[start].title} to {stages[stop].title}"
        )
    return list(stages[:start]), list(stages[start : stop + 1])


def check_order(stages: Sequence[Stage]) -> None:
    """Assert that numbers rise, names differ, and every input is an earlier stage."""
    earlier: set[str] = set()
    number = -1
    for stage in stages:
        assert stage.number > number, f"stage {stage.title}: numbers must rise"
        assert stage.name not in earlier, f"stage {stage.title}: the name is taken"
        unknown = set(stage.inputs) - earlier
        assert not unknown, f"stage {stage.title}: inputs {unknown} are not earlier stages"
        earlier.add(stage.name)
        number = stage.number
