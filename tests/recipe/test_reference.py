"""The reference of settings is whole, true, and what the page says."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from asr.errors import ConfigError
from asr.recipe.config import Recipe
from asr.recipe.reference import Setting, all_settings, choose_settings, describe, to_markdown
from asr.settings import Settings, all_keys
from data_prep import CORPORA, load_corpus

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


class Base(Settings):
    """What others are built on."""

    name: str  # of it


class Inner(Settings):
    """What is inside. And more."""

    share: float = Field(default=0.5, gt=0, le=1)


class Example(Base):
    """Of every kind of field."""

    # Above it,
    # on two lines.
    kind: Literal["a", "b"] = "a"  # and beside it
    # This comment is of nothing.

    steps: int | None = Field(
        default=None,
        ge=1,  # in the middle
    )
    pair: tuple[float, float] = (0.0, 1.5)
    many: tuple[Annotated[int, Field(ge=0)], ...] = (1, 2)  # a | b
    inner: Inner = Inner(share=0.25)
    optional: Inner | None = None  # None: off


def test_every_field_has_its_type_default_and_comment() -> None:
    assert list(describe(Example, "x.")) == [
        Setting("x.name", "text", "required", "of it"),
        Setting("x.kind", "a, b", "a", "Above it, on two lines. and beside it"),
        Setting("x.steps", "whole number or null, ≥ 1", "null", "in the middle"),
        Setting("x.pair", "[number, number]", "[0.0, 1.5]", ""),
        Setting("x.many", "list of: whole number, ≥ 0", "[1, 2]", "a | b"),
        Setting("x.inner", "section", "", "What is inside. And more."),
        Setting("x.inner.share", "number, > 0, ≤ 1", "0.25", ""),
        Setting("x.optional", "section or null", "null", "What is inside. And more. None: off"),
        Setting("x.optional.share", "number, > 0, ≤ 1", "0.5", ""),
    ]


def test_a_bar_in_a_comment_does_not_end_its_cell() -> None:
    assert r"| `[1, 2]` | a \| b |" in to_markdown({"x": [*describe(Example)]})


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == to_markdown(all_settings()), "asr settings --markdown > docs/settings.md"


def test_the_page_has_every_setting_of_a_recipe_and_of_its_corpora() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for key in all_keys(Recipe):
        assert f"| `{key}` |" in page
    for corpus in CORPORA:
        part = page[page.index(f"## corpus {corpus}\n") :].partition("\n## ")[0]
        for key in all_keys(load_corpus(corpus).Options):
            assert f"| `corpus.options.{key}` |" in part


def test_defaults_are_those_of_a_recipe_that_says_nothing() -> None:
    recipe = Recipe.parse({"name": "x", "corpus": {"name": "table"}}, "test")
    found = {one.key: one.default for settings in all_settings().values() for one in settings}
    assert found["decoding.search.beam"] == str(recipe.decoding.search.beam) == "100"
    assert found["training.epochs"] == str(recipe.training.epochs)
    assert found["normalizer"] == recipe.normalizer


def test_a_section_is_chosen_by_its_key_alone() -> None:
    (settings,) = choose_settings("training.optimizer").values()
    keys = [one.key for one in settings]
    assert keys[0] == "training.optimizer"
    assert "training.optimizer.clip_norm" in keys
    assert all(key.startswith("training.optimizer") for key in keys)
    assert list(choose_settings("corpus.options.dev_voices")) == ["corpus synthesize"]


def test_an_unknown_section_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'trainning': there is no .*did you mean 'training'\?"):
        choose_settings("trainning")
    with pytest.raises(ConfigError, match=r"'zzz': .*sections: recipe, corpus, check"):
        choose_settings("zzz")
