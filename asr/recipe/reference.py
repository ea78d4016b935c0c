"""The reference of all settings: key, type, default, and the comment beside each in the source.

So a setting is described in one place, where its class stands.
"""

import ast
import difflib
import inspect
import io
import json
import textwrap
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from asr.errors import ConfigError
from asr.recipe.config import Recipe
from asr.settings import section_types
from data_prep import CORPORA, load_corpus

_HEADER = """# Settings

All that `recipe.yaml` and `--set KEY=VALUE` can say. Lists are written `[1, 2]`; `null` (None in
the descriptions) leaves a setting open, or turns a section off. This page is made from the settings
classes by `asr settings --markdown > docs/settings.md`; `asr settings training` prints one section.
"""
_TOP = "recipe"
_WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Setting:
    """One setting, in words."""

    key: str  # dotted
    type: str  # what may stand there
    default: str  # as YAML has it; 'required' where there is none; '' of a section always there
    note: str


def all_settings() -> dict[str, list[Setting]]:
    """All settings by section, `recipe` first; those of each corpus in a section of their own."""
    sections: dict[str, list[Setting]] = {_TOP: []}
    for setting in describe(Recipe):
        section = setting.key.partition(".")[0]
        whole = section_types(Recipe.model_fields[section].annotation)
        sections.setdefault(section if whole else _TOP, []).append(setting)
    for name in CORPORA:
        sections[f"corpus {name}"] = [*describe(load_corpus(name).Options, "corpus.options.")]
    return sections


def choose_settings(section: str | None) -> dict[str, list[Setting]]:
    """The settings of one section, by its dotted key; None: all.

    Raises:
        ConfigError: no setting has that key; the nearest is named.
    """
    everything = all_settings()
    if section is None:
        return everything
    found = {
        heading: chosen
        for heading, settings in everything.items()
        if (chosen := [one for one in settings if f"{one.key}.".startswith(f"{section}.")])
    }
    if not found:
        keys = [one.key for settings in everything.values() for one in settings]
        near = difflib.get_close_matches(section, keys, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"sections: {', '.join(everything)}"
        raise ConfigError(f"'{section}': there is no such setting or section; {hint}")
    return found


def to_markdown(sections: Mapping[str, Sequence[Setting]]) -> str:
    """A page with a table for each section."""
    parts = [_HEADER]
    for heading, settings in sections.items():
        rows = [
            f"| `{one.key}` | {one.type} | {f'`{one.default}`' if one.default else ''} "
            f"| {one.note.replace('|', chr(92) + '|')} |\n"
            for one in settings
        ]
        parts.append(
            f"\n## {heading}\n\n| setting | type | default | |\n|---|---|---|---|\n{''.join(rows)}"
        )
    return "".join(parts)


def describe(
    settings: type[BaseModel], prefix: str = "", defaults: BaseModel | None = None
) -> Iterator[Setting]:
    """Every setting of a class and of the sections in it.

    Args:
        settings: the class.
        prefix: of the keys.
        defaults: an object of it that has the defaults, where they are others than the class's.
    """
    notes = _notes(settings)
    for name, field in settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        value = default if defaults is None else getattr(defaults, name)
        sections = section_types(field.annotation)
        note = " ".join(filter(None, [*map(_first_line, sections), notes.get(name)]))
        words = _type(field.annotation, field.metadata)
        yield Setting(f"{prefix}{name}", words, _default(value), note)
        for section in sections:
            inner = value if isinstance(value, section) else None
            yield from describe(section, f"{prefix}{name}.", inner)


def _notes(settings: type[BaseModel]) -> dict[str, str]:
    """The comments beside and above the fields of a class, and of those that it is built on."""
    notes: dict[str, str] = {}
    for one in reversed(settings.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            notes |= _comments(textwrap.dedent(inspect.getsource(one)))
    return notes


def _comments(source: str) -> dict[str, str]:
    """Field -> comment, of the source of one class."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = {one.start[0]: one for one in tokens if one.type == tokenize.COMMENT}
    whole_lines = {line for line, one in found.items() if one.line.lstrip().startswith("#")}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    notes = {}
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            first = node.lineno
            while first - 1 in whole_lines:
                first -= 1
            last = node.end_lineno or node.lineno
            texts = [found[line].string for line in range(first, last + 1) if line in found]
            notes[node.target.id] = " ".join(text.lstrip("# ") for text in texts)
    return notes


def _first_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").strip().partition("\n")[0]


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """An annotation in a user's words: `int | None` with ge=1 -> 'whole number or null, ≥ 1'."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0], [*parts[1:], *metadata])
    if origin is Literal:
        words = ", ".join(str(part) for part in parts)
    elif origin is tuple:
        items = [_type(part) for part in parts if part is not Ellipsis]
        words = f"list of: {items[0]}" if Ellipsis in parts else f"[{', '.join(items)}]"
    elif origin is dict:
        words = "section"
    elif NoneType in parts:
        words = " or ".join([*(_type(part) for part in parts if part is not NoneType), "null"])
    elif section_types(annotation):
        words = "section"
    else:
        words = _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    bounds = _bounds(metadata)
    return f"{words}, {bounds}" if bounds else words


def _bounds(metadata: Sequence[Any]) -> str:
    words = []
    for one in metadata:
        if isinstance(one, FieldInfo):
            words.append(_bounds(one.metadata))
        words += [
            f"{sign} {getattr(one, name):g}"
            for name, sign in _BOUNDS.items()
            if getattr(one, name, None) is not None
        ]
    return ", ".join(filter(None, words))


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
