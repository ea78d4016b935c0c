"""Starting from another model: what is taken over, what is refused, what calls for a new run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic_speech import RATE, make_texts, write_table, write_utterances
from typer.testing import CliRunner

from asr.bundle import Bundle, load_bundle, read_description, save_bundle, update_model
from asr.cli import app
from asr.encoder.encoder import Encoder
from asr.errors import ConfigError, DataError, ModelError
from asr.features import FeatureStats
from asr.recipe.config import Recipe, load_recipe
from asr.recipe.corpus import read_tokens
from asr.recipe.initialization import (
    initialize,
    refuse_other_model,
    start_fingerprint,
    start_tokens,
    start_weights,
)
from asr.recipe.stages import build_stages
from asr.text import Normalizer
from asr.tokens import Characters

SHAPE = {"hidden": 6, "layers": 2, "factor": 2, "dropout": 0.1}
FEATURES = {"sample_rate": RATE, "mels": 8}


def make_recipe(model: Path | None, **settings: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "test",
        "corpus": {"name": "table"},
        "features": FEATURES,
        "encoder": SHAPE,
        "training": {"initialize_from": None if model is None else str(model)},
    }
    return Recipe.parse(values | settings, "test")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    recipe, tokens = make_recipe(None), Characters(" abc")
    torch.manual_seed(7)
    encoder = Encoder(recipe.encoder, inputs=8, tokens=len(tokens))
    stats = FeatureStats(torch.full((8,), -3.0), torch.full((8,), 2.0))
    bundle = Bundle(recipe.features, stats, encoder, tokens, Normalizer("basic"), {"name": "start"})
    save_bundle(tmp_path / "start", bundle)
    return tmp_path / "start"


def new_encoder(recipe: Recipe, tokens: Characters) -> Encoder:
    torch.manual_seed(1)
    return Encoder(recipe.encoder, inputs=8, tokens=len(tokens))


def test_with_the_same_tokens_all_weights_are_the_models(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = Characters(" abc")
    encoder = new_encoder(make_recipe(model), tokens)
    initialize(encoder, make_recipe(model), tokens, tmp_path)
    expected, kept = load_bundle(model).encoder.state_dict(), start_weights(tmp_path)
    assert kept is not None
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, expected[name])
        assert torch.equal(kept[name], expected[name])
    assert "its tokens are the same" in capsys.readouterr().err


@pytest.mark.parametrize("symbols", [" abcd", " abd"])
def test_with_other_tokens_the_output_layer_is_new_and_that_is_said(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], symbols: str
) -> None:
    tokens = Characters(symbols)
    encoder, fresh = (new_encoder(make_recipe(model), tokens) for _ in range(2))
    initialize(encoder, make_recipe(model), tokens, tmp_path)
    expected, random = load_bundle(model).encoder.state_dict(), fresh.state_dict()
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, (random if name.startswith("head.") else expected)[name])
    assert "the output layer is new" in capsys.readouterr().err
    assert start_weights(tmp_path) is None, "there is no whole model to measure"


def test_more_layers_stand_on_those_of_the_model_and_that_is_said(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = Characters(" abc")
    recipe = make_recipe(model, encoder=SHAPE | {"layers": 4})
    encoder, fresh = (new_encoder(recipe, tokens) for _ in range(2))
    initialize(encoder, recipe, tokens, tmp_path)
    expected, random = load_bundle(model).encoder.state_dict(), fresh.state_dict()
    above = {name for name in random if name.startswith(("blocks.2.", "blocks.3."))}
    assert above == set(random) - set(expected)
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, (random if name in above else expected)[name])
    said = capsys.readouterr().err
    assert "its tokens are the same; 2 recurrent layer(s) above its 2 begin from nothing" in said
    assert start_weights(tmp_path) is None, "there is no whole model to measure"


def test_a_recipe_that_names_no_model_begins_with_random_weights(tmp_path: Path) -> None:
    tokens = Characters(" abc")
    encoder, other = (new_encoder(make_recipe(None), tokens) for _ in range(2))
    initialize(encoder, make_recipe(None), tokens, tmp_path)
    assert torch.equal(encoder.head.weight, other.head.weight)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"encoder": SHAPE | {"hidden": 7}},
            "encoder.hidden is 7, there 6.*--set encoder.hidden=6",
        ),
        (
            {"encoder": SHAPE | {"cell": "gru", "layers": 1}},
            "encoder.cell is 'gru', there 'lstm', encoder.layers is 1, there 2.*"
            "--set encoder.cell=lstm --set encoder.layers=2",
        ),
        ({"encoder": SHAPE | {"projection": 3}}, "--set encoder.projection=null"),
        ({"features": FEATURES | {"mels": 9}}, "features.mels is 9, there 8"),
        ({"features": FEATURES | {"cmvn": "per_utterance"}}, "--set features.cmvn=global"),
        ({"normalizer": "none", "tokens": {"kind": "model"}}, "--set normalizer=basic"),
    ],
)
def test_another_shape_is_refused_with_what_to_set(
    model: Path, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    recipe = make_recipe(model, **settings)
    with pytest.raises(ConfigError, match=f"training.initialize_from: .*{words}"):
        refuse_other_model(recipe)
    with pytest.raises(ConfigError, match=words):
        initialize(
            new_encoder(make_recipe(None), Characters("a")), recipe, Characters("a"), tmp_path
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"encoder": SHAPE | {"dropout": 0.4}},
        {"encoder": SHAPE | {"channels": 7}},
        {"features": FEATURES | {"coefficients": 5}},
        {"normalizer": "none"},
    ],
)
def test_what_no_weight_depends_on_may_differ(model: Path, settings: dict[str, Any]) -> None:
    refuse_other_model(make_recipe(model, **settings))


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: not a model folder"):
        refuse_other_model(make_recipe(tmp_path / "nowhere"))


def test_tokens_of_a_model_want_a_model() -> None:
    with pytest.raises(ConfigError, match=r"tokens.kind is model, and .* names no model"):
        refuse_other_model(make_recipe(None, tokens={"kind": "model"}))


def test_tokens_are_the_models_or_characters_without_one_are_named(model: Path) -> None:
    recipe = make_recipe(model, tokens={"kind": "model"})
    assert start_tokens(recipe, ["ab", "b a"]).symbols == ("<blank>", " ", "a", "b", "c")
    with pytest.raises(DataError, match=r"no token for 'x' \(U\+0078\) x 2, .*tokens.kind=char"):
        start_tokens(recipe, ["ax", "xé"])


class TestRecipe:
    """What a recipe leaves open is as in the model."""

    def load(self, folder: Path, text: str, *overrides: str) -> Recipe:
        path = folder / "recipe.yaml"
        path.write_text(f"name: adapt\ncorpus: {{name: table}}\n{text}")
        return load_recipe(path, overrides)

    def test_what_it_does_not_say_is_taken_from_the_model(self, model: Path) -> None:
        recipe = self.load(model, f"training: {{initialize_from: {model}}}\n")
        refuse_other_model(recipe)
        bundle = load_bundle(model)
        assert (recipe.features, recipe.encoder) == (bundle.features, bundle.encoder.settings)
        assert (recipe.normalizer, recipe.tokens.kind) == ("basic", "model")

    def test_it_hears_as_many_voices_as_the_model_unless_it_says_otherwise(
        self, model: Path
    ) -> None:
        update_model(model, {}, warps=(0.9, 1.0))
        text = f"training: {{initialize_from: {model}}}\ndecoding: {{batch: {{max_frames: 500}}}}\n"
        recipe = self.load(model, text)
        assert (recipe.decoding.warps, recipe.decoding.batch.max_frames) == ((0.9, 1.0), 500)
        assert self.load(model, text, "decoding.warps=[]").decoding.warps == ()

    def test_what_it_says_stands(self, model: Path) -> None:
        recipe = self.load(
            model,
            "normalizer: none\nencoder: {dropout: 0.5}\ntokens: {kind: bpe, size: 9}\n",
            f"training.initialize_from={model}",
            "features.mels=9",
        )
        assert (recipe.encoder.dropout, recipe.encoder.hidden) == (0.5, 6)
        assert (recipe.tokens.kind, recipe.tokens.size, recipe.normalizer) == ("bpe", 9, "none")
        with pytest.raises(ConfigError, match=r"features\.mels is 9, there 8"):
            refuse_other_model(recipe)

    def test_a_model_that_is_not_there_is_named_when_it_is_needed(self, tmp_path: Path) -> None:
        recipe = self.load(tmp_path, "training: {initialize_from: nowhere}\n")
        assert recipe.tokens.kind == "characters"
        with pytest.raises(ModelError, match="nowhere: not a model folder"):
            refuse_other_model(recipe)


class TestProvenance:
    """What makes the stages run again."""

    def external(self, model: Path | None) -> dict[str, str | None]:
        stages = build_stages(make_recipe(model), corpus_folder=None, device="cpu")
        return {stage.name: stage.external() for stage in stages if stage.number in (4, 6)}

    def test_other_weights_do_and_another_card_does_not(self, model: Path) -> None:
        before = self.external(model)
        assert None not in before.values()
        update_model(model, {"licence": "CC0"}, warps=())
        assert self.external(model) == before
        bundle = load_bundle(model)
        with torch.no_grad():
            bundle.encoder.head.bias[0] += 1
        save_bundle(model, bundle)
        after = self.external(model)
        assert all(after[name] != before[name] for name in before)

    def test_a_model_that_is_not_at_hand_leaves_what_was_made(self, tmp_path: Path) -> None:
        assert start_fingerprint(make_recipe(tmp_path / "gone")) is None
        assert self.external(tmp_path / "gone") == {"stats": None, "train": None}
        assert self.external(None) == {"stats": "", "train": ""}

    def test_models_to_average_with_are_a_matter_of_the_average(self, model: Path) -> None:
        def average(*named: Path) -> str | None:
            recipe = make_recipe(None, export={"average_with": [str(name) for name in named]})
            stages = build_stages(recipe, corpus_folder=None, device="cpu")
            return next(stage.external() for stage in stages if stage.name == "average")

        assert average() == ""
        assert average(model / "gone") is None
        before = average(model)
        bundle = load_bundle(model)
        with torch.no_grad():
            bundle.encoder.head.bias[0] += 1
        save_bundle(model, bundle)
        assert None not in (before, average(model))
        assert average(model) != before

    def test_a_setting_calls_for_the_stages_that_obey_it(self, model: Path) -> None:
        def settings(recipe: Recipe) -> dict[str, str]:
            stages = build_stages(recipe, corpus_folder=None, device="cpu")
            return {stage.name: json.dumps(dict(stage.settings)) for stage in stages}

        plain = settings(make_recipe(None))

        def changed(recipe: Recipe) -> set[str]:
            return {name for name, text in settings(recipe).items() if text != plain[name]}

        assert changed(make_recipe(None, export={"weights": "int8"})) == {"average", "tune"}
        assert changed(make_recipe(None, card={"title": "Own"})) == {"average"}
        assert changed(make_recipe(None, training={"label_smoothing": 0.1})) == {"train"}
        assert {"stats", "train"} <= changed(make_recipe(model))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    splits = {
        name: write_utterances(tmp_path / name, make_texts(size, seed=number), name=name)
        for number, (name, size) in enumerate({"train": 24, "dev": 6, "test": 4}.items())
    }
    write_table(tmp_path / "tones.csv", splits)
    (tmp_path / "recipe.yaml").write_text(
        "name: tones\ncorpus: {name: table}\n"
        "features: {sample_rate: 8000, mels: 16}\naugment: {speeds: [1.0]}\n"
        "encoder: {layers: 1, hidden: 16, factor: 2, dropout: 0.1}\n"
        "training: {epochs: 6, batch: {max_utterances: 6}, optimizer: {learning_rate: 0.02}}\n"
        "card: {title: Tones, licence: CC0, limits: [tones only, no speech]}\n"
        "export: {weights: int8}\n"
    )

    def run(name: str, *settings: str) -> Path:
        arguments = ["run", str(tmp_path / "recipe.yaml"), "--device", "cpu"]
        arguments += ["--corpus", str(tmp_path / "tones.csv"), "--exp", str(tmp_path / name)]
        for setting in settings:
            arguments += ["--set", setting]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return run


def test_a_training_goes_on_from_where_another_ended(run: Callable[..., Path]) -> None:
    """At a learning rate of nearly nothing, the first evaluation is that of the start."""
    first = run("first")
    card = read_description(first / "08_tune")["card"]
    assert card["title"] == "Tones"
    assert card["dev"]["modes"]["greedy"]["wer"] == card["dev_wer"], "as it is stored, in int8"
    assert card["measured_with"] == read_description(first)["weights"] == "int8"
    second = run(
        "second",
        f"training.initialize_from={first}",
        "tokens.kind=model",
        "training.epochs=1",
        "training.optimizer.learning_rate=1e-12",
        "encoder.dropout=0.3",
    )
    record = json.loads((second / "06_train/metrics.jsonl").read_text())
    assert record["dev_wer"] == pytest.approx(card["dev_wer"])
    assert record["dev_cer"] == pytest.approx(card["dev_cer"])
    assert read_tokens(second / "03_tokens").symbols == read_tokens(first / "03_tokens").symbols
    assert (second / "04_stats/stats.safetensors").read_bytes() == (
        first / "04_stats/stats.safetensors"
    ).read_bytes()
    assert read_description(second)["card"]["started_from"] == str(first)
    said = CliRunner().invoke(app, ["info", str(second)]).stdout
    for words in ("title", "tones only", "no speech", "dev, greedy", "real-time factor", "int8"):
        assert words in said


def test_what_training_makes_worse_is_not_taken(run: Callable[..., Path]) -> None:
    first = run("first")
    second = run(
        "second",
        f"training.initialize_from={first}",
        "training.epochs=1",
        "training.optimizer.learning_rate=0.9",
        "training.schedule.warmup_share=0",
    )
    before, after = (read_description(one)["card"] for one in (first, second))
    assert after["weights"] == "weights before the training"
    assert after["dev_wer"] == before["dev_wer"]
