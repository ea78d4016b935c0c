"""Plain data: YAML files read strictly, and `--set key=value` laid over them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from asr.errors import ConfigError

# YAML 1.1 takes 1e-3 for text and 2024-01-01 for a date; people mean a number and a name.
_EXPONENT = re.compile(r"^[-+]?\d+[eE][-+]?\d+$")
_FLOAT_TAG = "tag:yaml.org,2002:float"
_DATE_TAG = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in first:
                problem = f"key '{key.value}' was given already on line {first[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            first[str(key.value)] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what the loader reads back as it was."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE_TAG]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(_FLOAT_TAG, _EXPONENT, list("-+0123456789"))


@dataclass(frozen=True)
class Override:
    """One `--set`: a dotted key and the plain data it gets."""

    key: str
    value: Any
    text: str
    option: str = "--set"  # of the command line, for messages

    @classmethod
    def parse(cls, text: str) -> Self:
        """'training.epochs=5' -> key 'training.epochs', value 5.

        Raises:
            ConfigError: no '=', an empty part of the key, or a value that is not YAML.
        """
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {text}: expected key=value, such as seed=5")
        return cls(key, load_yaml(value, f"--set {text}"), text)

    def __str__(self) -> str:
        """As it stood on the command line."""
        return f"{self.option} {self.text}"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        ConfigError: with file and line, for anything else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a readable UTF-8 file ({error})") from None
    data = load_yaml(text, str(path))
    if not isinstance(data, dict):
        came = "nothing" if data is None else type(data).__name__
        raise ConfigError(f"{path}: {came} came; expected a mapping, lines of 'key: value'")
    return data


def load_yaml(text: str, where: str) -> Any:
    """Plain data of a YAML text; `where` is the file or the option that it came from.

    Raises:
        ConfigError: it is not YAML; names `where`, and the line in a file.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # safe: the loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark and not where.startswith("--") else ""
        raise ConfigError(f"{where}{line}: not valid YAML: {_words(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def write_yaml(data: Mapping[str, Any]) -> str:
    """Plain data as YAML text, keys in their order."""
    text: str = yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def merge(values: Mapping[str, Any], override: Override) -> dict[str, Any]:
    """Return a copy in which the override's key has its value; missing sections are made.

    Raises:
        ConfigError: a part of the dotted key is a value, not a section.
    """
    merged = dict(values)
    section, parts = merged, override.key.split(".")
    for depth, part in enumerate(parts[:-1], start=1):
        below = section.get(part)
        if below is not None and not isinstance(below, Mapping):
            name = ".".join(parts[:depth])
            raise ConfigError(f"{override}: '{name}' is {below!r} and not a section; check the key")
        section[part] = dict(below or {})
        section = section[part]
    section[parts[-1]] = override.value
    return merged


def _words(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ", ".join(parts)
