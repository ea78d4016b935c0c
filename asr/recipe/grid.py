"""The grid of a sweep: `--over key=a,b` options -> every combination of their values."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from asr.errors import ConfigError
from asr.recipe.overrides import Override, load_yaml

_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")  # in a folder's name, on any system
_LONGEST = 40  # characters of a value in a folder's name


@dataclass(frozen=True)
class Axis:
    """One swept setting and its values, in the order they were given."""

    key: str  # dotted
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """'encoder.layers=1,2' -> key 'encoder.layers', values (1, 2).

        Raises:
            ConfigError: no '=', no value, a value that is not YAML, or the same one twice.
        """
        where = f"--over {text}"
        key, equals, listed = text.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise ConfigError(f"{where}: expected key=value,value, such as encoder.layers=1,2,4")
        values = load_yaml(f"[{listed}]", where)
        if not values:
            raise ConfigError(f"{where}: no values came; expected some, such as {key}=1,2,4")
        names: dict[str, Any] = {}
        for value in values:
            name = _safe(value).casefold()
            if name in names:
                raise ConfigError(
                    f"{where}: {show(names[name])} and {show(value)} would share the folder name "
                    f"'{_safe(value)}'; give each value once"
                )
            names[name] = value
        return cls(key, tuple(values))


@dataclass(frozen=True)
class Combination:
    """One value of each swept setting."""

    name: str  # of its folder: 'cell=lstm,layers=2'
    values: Mapping[str, Any]  # by dotted key, in the order of the options

    @property
    def overrides(self) -> list[Override]:
        """Its values as settings to lay over a recipe."""
        return [
            Override(key, value, f"{key}={show(value)}", "--over")
            for key, value in self.values.items()
        ]


def parse_axes(options: Sequence[str], overrides: Sequence[Override] = ()) -> list[Axis]:
    """Parse the `--over` options; `overrides` are the `--set` beside them.

    Raises:
        ConfigError: see `Axis.parse`; or a setting is swept twice, or set and swept.
    """
    axes = [Axis.parse(text) for text in options]
    for first, second in itertools.permutations(axes, 2):
        if _within(first.key, second.key):
            raise ConfigError(
                f"--over {first.key} and --over {second.key} are about the same setting; "
                "give all its values in one"
            )
    for override, axis in itertools.product(overrides, axes):
        if _within(override.key, axis.key):
            raise ConfigError(f"{override} and --over {axis.key} contradict; leave one out")
    return axes


def combine(axes: Sequence[Axis]) -> list[Combination]:
    """Every combination of the axes' values; the last axis changes fastest."""
    names = short_names([axis.key for axis in axes])
    found = []
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = {axis.key: value for axis, value in zip(axes, values, strict=True)}
        name = ",".join(f"{names[key]}={_safe(value)}" for key, value in chosen.items())
        found.append(Combination(name, chosen))
    return found


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key, or all of it where two end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def show(value: Any) -> str:
    """A value as a user writes it: true, 0.1, lstm."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _within(key: str, section: str) -> bool:
    return f"{key}.".startswith(f"{section}.")


def _safe(value: Any) -> str:
    """A value as part of a folder's name."""
    return _UNSAFE.sub("_", show(value)).strip("_")[:_LONGEST] or "_"
