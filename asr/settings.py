"""Settings: the frozen, strict base of every stage's configuration.

Each stage keeps its own settings class beside the code that obeys it. Unknown keys and wrong
types are errors that name the key, and the nearest good key where there is one.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asr.errors import ConfigError

Seed = Annotated[int, Field(ge=0, lt=10**9)]  # every generator of random numbers takes such


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key: {"a": {"b": 1}} -> {"a.b": 1}; empty sections stay."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str | Callable[[str], str]) -> Self:
        """Validate plain data.

        Args:
            values: the keys and values, as read from YAML or JSON.
            where: the file (and section) they came from, for error messages; or a function that
                says it of a dotted key, where they came from several places.

        Raises:
            ConfigError: naming the dotted key, what came and what was expected.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_explain(cls, error, where)) from None


def _explain(
    settings: type[BaseModel], error: ValidationError, where: str | Callable[[str], str]
) -> str:
    """Say in words what the first few problems are, each place named once."""
    by_place: dict[str, list[str]] = {}
    for problem in error.errors()[:3]:
        place = where if isinstance(where, str) else where(_dotted(problem["loc"]))
        by_place.setdefault(place, []).append(_explain_one(settings, problem))
    return "; ".join(f"{place}: {'; '.join(words)}" for place, words in by_place.items())


def _explain_one(settings: type[BaseModel], problem: Any) -> str:
    location, came = problem["loc"], problem["input"]
    key = _dotted(location) or "(whole section)"
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {_hint(settings, location)}"
    if problem["type"] == "missing":
        return f"key '{key}' is required and missing"
    if problem["type"] == "model_type":
        known = ", ".join(sorted(_fields(_sections_at(settings, location))))
        return f"key '{key}': {came!r} came; expected a section with keys among: {known}"
    return f"key '{key}': {problem['msg'].removeprefix('Value error, ')} (came: {came!r})"


def _hint(settings: type[BaseModel], location: Sequence[str | int]) -> str:
    """The nearest good key beside an unknown one, or the same key in another section."""
    unknown = str(location[-1])
    known = sorted(_fields(_sections_at(settings, location[:-1])))
    # The very same word in another section says more than a similar one in this.
    same = [key for key in all_keys(settings) if key.rpartition(".")[2] == unknown]
    near = difflib.get_close_matches(unknown, known, n=1)
    if same or near:
        return f"did you mean '{same[0] if same else _dotted([*location[:-1], near[0]])}'?"
    return f"known keys: {', '.join(known)}"


def _dotted(location: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in location)


def _sections_at(settings: type[BaseModel], location: Sequence[str | int]) -> list[type[BaseModel]]:
    """The settings classes that stand at a dotted location below `settings`."""
    sections = [settings]
    for part in location:
        fields = _fields(sections)
        # Numbers count the items of a list; other parts that are no field name a union's member.
        if part in fields:
            sections = section_types(fields[str(part)])
    return sections


def section_types(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings classes in an annotation: `A | None` -> [A], `tuple[A, ...]` -> [A]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in section_types(part)]


def _fields(sections: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Annotations by field name."""
    return {
        name: field.annotation
        for section in sections
        for name, field in section.model_fields.items()
    }


def all_keys(settings: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key below `settings`."""
    for name, annotation in _fields([settings]).items():
        yield f"{prefix}{name}"
        for section in section_types(annotation):
            yield from all_keys(section, f"{prefix}{name}.")
