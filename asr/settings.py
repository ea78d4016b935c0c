"""Settings: the frozen, strict base of every stage's configuration.

Each stage keeps its own settings class beside the code that obeys it. Unknown keys and wrong
types are errors that name the key, and the nearest good key where there is one.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from asr.errors import ConfigError


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Validate plain data.

        Args:
            values: the keys and values, as read from YAML or JSON.
            where: the file (and section) they came from, for error messages.

        Raises:
            ConfigError: naming the dotted key, what came and what was expected.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{where}: {_explain(cls, error)}") from None


def _explain(settings: type[BaseModel], error: ValidationError) -> str:
    """Say in words what the first few problems are."""
    problems = [_explain_one(settings, problem) for problem in error.errors()[:3]]
    return "; ".join(problems)


def _explain_one(settings: type[BaseModel], problem: Any) -> str:
    location = [part for part in problem["loc"] if part != "__root__"]
    key = ".".join(str(part) for part in location) or "(whole section)"
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_keys(settings, location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key '{key}'; {hint}"
    if problem["type"] == "missing":
        return f"key '{key}' is required and missing"
    return (
        f"key '{key}': {problem['msg'].removeprefix('Value error, ')} (came: {problem['input']!r})"
    )


def _known_keys(settings: type[BaseModel], location: list[Any]) -> set[str]:
    """Names of the fields at a dotted location below `settings`."""
    for part in location:
        field = settings.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return set()
        settings = annotation
    return set(settings.model_fields)
