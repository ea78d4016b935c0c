"""Recipe files are read strictly, and every mistake is traced to its file or its --set."""

from pathlib import Path

import pytest

from asr.errors import ConfigError
from asr.recipe.config import Recipe, dump_recipe, load_recipe
from asr.recipe.overrides import Override, merge, read_yaml, write_yaml
from asr.settings import Settings

GOOD = "name: tiny\ncorpus:\n  name: table\n  options: {delimiter: tab}\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_folder_and_file_give_the_same_recipe(recipe: Path) -> None:
    loaded = load_recipe(recipe)
    assert loaded == load_recipe(recipe.parent)
    assert loaded.corpus.options == {"delimiter": "tab"}
    assert (loaded.seed, loaded.normalizer, loaded.test) == (1, "basic", ())


def test_overrides_are_yaml_and_the_last_one_wins(recipe: Path) -> None:
    overrides = ["seed=5", "seed=7", "test=[a, b]", "corpus.options.limit=1e-3", "corpus.name=x=y"]
    loaded = load_recipe(recipe, overrides)
    assert loaded.seed == 7
    assert loaded.test == ("a", "b")
    assert loaded.corpus.options == {"delimiter": "tab", "limit": 0.001}
    assert loaded.corpus.name == "x=y"


def test_override_makes_the_sections_that_are_missing() -> None:
    assert merge({"a": None}, Override.parse("a.b.c=1")) == {"a": {"b": {"c": 1}}}


def test_override_leaves_its_source_untouched() -> None:
    values = {"a": {"b": {"c": 1}}}
    assert merge(values, Override.parse("a.b.c=2"))["a"]["b"]["c"] == 2
    assert values == {"a": {"b": {"c": 1}}}


def test_dumped_recipe_reads_back_the_same(recipe: Path, tmp_path: Path) -> None:
    overrides = ["test=['1e3', 'yes', '2024-01-01', 'null', '007', ü]"]
    loaded = load_recipe(recipe, overrides)
    assert loaded.test == ("1e3", "yes", "2024-01-01", "null", "007", "ü")
    path = dump_recipe(loaded, tmp_path / "exp")
    assert load_recipe(path) == loaded
    assert dump_recipe(loaded, tmp_path / "exp") == path


def test_there_is_a_search_where_something_is_said_of_it_or_to_search_with(recipe: Path) -> None:
    assert not load_recipe(recipe).searches
    assert load_recipe(recipe, ["decoding.search.beam=20"]).searches
    some = load_recipe(recipe, ["decoding.search.nbest=5"])
    assert some.searches
    assert some.decoding.search.beam == 100, "as where nothing is said"
    assert load_recipe(recipe, ["lm.order=2"]).searches


@pytest.mark.parametrize("key", ["lm_weight", "word_bonus"])
def test_a_weight_of_no_language_model_is_refused(recipe: Path, key: str) -> None:
    override = f"decoding.search.{key}=0.8"
    with pytest.raises(ConfigError, match=rf"decoding\.search\.{key}: there is no language model"):
        load_recipe(recipe, [override])
    assert load_recipe(recipe, [override, "lm.order=2"]).searches


def test_hand_written_recipe_is_never_overwritten(recipe: Path) -> None:
    with pytest.raises(ConfigError, match=r"was not written by 'asr run'.*--exp"):
        dump_recipe(load_recipe(recipe), recipe.parent)
    assert recipe.read_text() == GOOD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nseed: 1\nname: b\n",
            r"recipe\.yaml:3: .*key 'name' was given already on line 1",
        ),
        ("corpus:\n  name: a\n  name: b\n", r"recipe\.yaml:3: .*already on line 2"),
        ("name: [a\nseed: 1\n", r"recipe\.yaml:2: not valid YAML"),
        ("name: a\n\tseed: 1\n", r"recipe\.yaml:2: not valid YAML"),
        ("- a\n- b\n", r"recipe\.yaml: list came; expected a mapping"),
        ("", r"recipe\.yaml: nothing came; expected a mapping"),
        ("name: !!python/object:os.system a\n", r"recipe\.yaml:1: not valid YAML"),
        ("name: a\x00\n", r"recipe\.yaml: not valid YAML"),
        ("seed: 1\n", "key 'name' is required and missing; key 'corpus' is required and missing"),
        (GOOD + "sead: 2\n", r"recipe\.yaml: unknown key 'sead'; did you mean 'seed'\?"),
        (GOOD + "  nam: x\n", r"unknown key 'corpus\.nam'; did you mean 'corpus\.name'\?"),
        (GOOD + "options: {}\n", r"unknown key 'options'; did you mean 'corpus\.options'\?"),
        (GOOD + "zzz: 1\n", r"unknown key 'zzz'; known keys: .*normalizer"),
        (GOOD + "seed: many\n", r"recipe\.yaml: key 'seed': .*integer.*came: 'many'"),
        (GOOD + "normalizer: fancy\n", r"key 'normalizer': expected one of none, basic"),
        ("name: a\ncorpus: table\n", r"key 'corpus': 'table' came; .*section.* name, options"),
        ("name: a/b\ncorpus: {name: x}\n", "key 'name': .*came: 'a/b'"),
    ],
)
def test_mistake_in_the_file_names_file_and_place(recipe: Path, text: str, message: str) -> None:
    recipe.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=many", r"^--set seed=many: key 'seed'"),
        ("sead=1", r"^--set sead=1: unknown key 'sead'; did you mean 'seed'\?"),
        ("corpus.nam=1", r"^--set corpus\.nam=1: unknown key 'corpus\.nam'"),
        ("trainng.epochs=1", r"^--set trainng\.epochs=1: unknown key 'trainng'"),
        ("test=[1, a]", r"^--set test=\[1, a\]: key 'test\.0'"),
        ("seed", r"^--set seed: expected key=value"),
        ("=5", r"^--set =5: expected key=value"),
        ("a..b=5", r"expected key=value"),
        ("seed=-1", r"^--set seed=-1: key 'seed': .*greater than or equal to 0"),
        ("seed=100000000000000000000", r"^--set seed=1.*: key 'seed': .*less than"),
        ("seed=[1", r"^--set seed=\[1: not valid YAML"),
        ("seed.x=1", r"^--set seed\.x=1: 'seed' is 3 and not a section"),
    ],
)
def test_mistake_in_an_override_names_the_override(
    recipe: Path, override: str, message: str
) -> None:
    recipe.write_text(GOOD + "seed: 3\n")
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe, ["normalizer=none", override])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["augment.frequency_warp=0.1"], r"augment\.frequency_warp: warps are of log-mel"),
        (["decoding.warps=[0.9, 1.1]"], r"decoding\.warps: warps are of log-mel"),
    ],
)
def test_cepstra_cannot_be_warped(recipe: Path, overrides: list[str], message: str) -> None:
    load_recipe(recipe, overrides)
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe, [*overrides, "features.kind=mfcc"])


def test_pieces_that_compete_are_few(recipe: Path) -> None:
    pieces = ["tokens.kind=bpe", "training.mmi=0.9"]
    load_recipe(recipe, [*pieces, "tokens.size=100"])
    with pytest.raises(ConfigError, match=r"training\.mmi: 500 tokens came; .*at most 200"):
        load_recipe(recipe, pieces)


def test_mistakes_from_both_are_told_apart(recipe: Path) -> None:
    recipe.write_text(GOOD + "sead: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, ["normalizer=fancy"])
    assert "recipe.yaml: unknown key 'sead'" in str(caught.value)
    assert "--set normalizer=fancy: key 'normalizer'" in str(caught.value)


def test_recipe_that_is_not_there_hints_at_the_recipes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes" / "tiny").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"^tiny: .* did you mean recipes.tiny\?"):
        load_recipe(Path("tiny"))
    with pytest.raises(ConfigError, match=r"^other: there is no such recipe; give a folder"):
        load_recipe(Path("other"))
    with pytest.raises(ConfigError, match=r"the folder has no recipe\.yaml"):
        load_recipe(Path("recipes"))


def test_numbers_and_names_are_read_as_people_mean_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rate: 1e-3\nwhole: 12\nday: 2024-01-01\nquoted: '1e-3'\n")
    data = read_yaml(path)
    assert data == {"rate": 0.001, "whole": 12, "day": "2024-01-01", "quoted": "1e-3"}
    path.write_text(write_yaml(data))
    assert read_yaml(path) == data


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: not a readable UTF-8 file"):
        load_recipe(path)


def test_unknown_key_in_an_optional_or_listed_section_gets_its_hint() -> None:
    class Inner(Settings):
        depth: int = 1

    class Outer(Settings):
        maybe: Inner | None = None
        several: tuple[Inner, ...] = ()

    with pytest.raises(ConfigError, match=r"^here: unknown key 'maybe\.dept'; .*'maybe\.depth'"):
        Outer.parse({"maybe": {"dept": 2}}, "here")
    with pytest.raises(ConfigError, match=r"'several\.0\.dept'; .*'several\.0\.depth'"):
        Outer.parse({"several": [{"dept": 2}]}, "here")


def test_recipe_cannot_be_changed_after_loading(recipe: Path) -> None:
    loaded: Recipe = load_recipe(recipe)
    with pytest.raises(ValueError, match="frozen"):
        loaded.seed = 2
