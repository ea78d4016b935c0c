import pytest
from pydantic import Field, ValidationError

from asr.errors import ConfigError
from asr.settings import Settings


class Inner(Settings):
    dropout: float = Field(0.1, ge=0, lt=1)
    layers: int = 3


class Outer(Settings):
    encoder: Inner = Inner()
    epochs: int
    name: str = "x"


def parse(values: dict[str, object]) -> Outer:
    return Outer.parse(values, "recipe.yaml")


def test_good_values_are_kept_and_the_rest_have_defaults() -> None:
    settings = parse({"epochs": 5, "encoder": {"layers": 2}})
    assert (settings.epochs, settings.encoder.layers, settings.encoder.dropout) == (5, 2, 0.1)


def test_an_unknown_key_names_the_nearest_good_one() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.yaml: unknown key 'epoch'; .* 'epochs'\?"):
        parse({"epochs": 1, "epoch": 1})


def test_an_unknown_nested_key_is_compared_with_its_own_section() -> None:
    with pytest.raises(ConfigError, match=r"'encoder\.layer'; did you mean '(encoder\.)?layers'\?"):
        parse({"epochs": 1, "encoder": {"layer": 1}})


def test_a_key_like_no_other_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="known keys: dropout, layers"):
        parse({"epochs": 1, "encoder": {"zzz": 1}})


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="key 'epochs' is required and missing"):
        parse({})


def test_a_wrong_type_names_the_dotted_key_and_what_came() -> None:
    with pytest.raises(ConfigError, match=r"key 'encoder\.layers': .*integer.*came: 'many'"):
        parse({"epochs": 1, "encoder": {"layers": "many"}})


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'encoder\.dropout': .*less than 1 \(came: 1\.5\)"):
        parse({"epochs": 1, "encoder": {"dropout": 1.5}})


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'epochs'.*; .*'nam'"):
        parse({"nam": "y"})


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = parse({"epochs": 1})
    with pytest.raises(ValidationError, match="frozen"):
        settings.epochs = 2  # type: ignore[misc]
