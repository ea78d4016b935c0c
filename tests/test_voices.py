"""One recording heard as several voices: what they agree on, and that nothing else changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_speech import make_texts, write_utterances
from tiny_model import make_bundle
from typer.testing import CliRunner

from asr.augment.spectrogram import warp_frequencies
from asr.bundle import Bundle, load_bundle, save_bundle
from asr.cli import app
from asr.decoding.folder import read_decoder, save_decoder
from asr.errors import ConfigError, DataError, ModelError
from asr.export import export_model
from asr.manifest import read_manifest, write_manifest
from asr.recipe.config import default_recipe
from asr.recognizer import Recognizer
from asr.voices import agreed

WARPS = (0.9, 1.0, 1.12)


@pytest.fixture
def bundle() -> Bundle:
    return make_bundle(subsampling="convolution")


def draw(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, 12, generator=generator) for length in lengths]


def test_agreed_is_the_geometric_mean_of_probabilities() -> None:
    voices = torch.randn(3, 2, 5, 4).log_softmax(dim=3)  # three voices, two utterances
    products = np.prod(voices.double().exp().numpy(), axis=0) ** (1 / 3)
    wanted = products / products.sum(axis=-1, keepdims=True)
    found = agreed(voices.flatten(0, 1), WARPS).exp().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_recording_is_heard_as_each_voice(bundle: Bundle) -> None:
    (features,) = draw(90)
    alone = Recognizer(bundle)
    heard = [alone.log_probs([warp_frequencies(features, warp)])[0] for warp in WARPS]
    wanted = torch.stack(heard).mean(dim=0).log_softmax(dim=1)
    (found,) = Recognizer(replace(bundle, warps=WARPS)).log_probs([features])
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(found, heard[1], atol=0.01)


def test_voices_know_nothing_of_the_rest_of_their_batch(bundle: Bundle) -> None:
    recognizer = Recognizer(replace(bundle, warps=WARPS))
    several = draw(90, 31, 64)
    for features, rows in zip(several, recognizer.log_probs(several), strict=True):
        assert torch.allclose(rows, recognizer.log_probs([features])[0], atol=1e-5)


@pytest.mark.parametrize("warps", [(), (1.0,)])
def test_one_voice_is_the_recording_as_it_is(bundle: Bundle, warps: tuple[float, ...]) -> None:
    (features,) = draw(50)
    with torch.inference_mode():
        wanted = bundle.encoder(features[None], torch.tensor([50])).log_probs[0]
    assert torch.equal(Recognizer(replace(bundle, warps=warps)).log_probs([features])[0], wanted)


def test_voices_belong_to_the_model_and_to_what_is_exported(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(tmp_path / "model", replace(bundle, warps=WARPS))
    export_model(tmp_path / "model", tmp_path / "given", "int8")
    assert load_bundle(tmp_path / "model").warps == load_bundle(tmp_path / "given").warps == WARPS
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "given")])
    assert "voices       3: frequencies warped by 0.9, 1, 1.12" in shown.output


def test_a_model_from_before_there_were_voices_has_one(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    del description["warps"]
    path.write_text(json.dumps(description))
    assert load_bundle(tmp_path).warps == ()


@pytest.mark.parametrize(
    "warps", [None, 1.0, "wide", [0.1], [float("nan")], {"low": 0.9}], ids=repr
)
def test_damaged_warps_are_named(bundle: Bundle, tmp_path: Path, warps: object) -> None:
    save_bundle(tmp_path, bundle)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"warps": warps}))
    with pytest.raises(ModelError, match=r"model.json: warps: .*copy the model again"):
        load_bundle(tmp_path)


def test_a_cepstrum_has_no_voices() -> None:
    with pytest.raises(ConfigError, match=r"decoding.warps: .*train with features.kind=log_mel"):
        default_recipe(["decoding.warps=[0.9, 1]", "features.kind=mfcc"])


class TestTuning:
    """`asr tune --warps`: the model hears so from then on."""

    @pytest.fixture
    def model(self, bundle: Bundle, tmp_path: Path) -> Path:
        (tmp_path / "speech").mkdir()
        utterances = write_utterances(tmp_path / "speech", make_texts(4, seed=4, words=4))
        write_manifest(tmp_path / "dev.jsonl", utterances)
        save_bundle(tmp_path / "model", bundle)
        return tmp_path / "model"

    def tune(self, model: Path, *more: str) -> str:
        arguments = ["tune", str(model), str(model.parent / "dev.jsonl"), "--device", "cpu", *more]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def test_the_model_keeps_its_voices_and_the_rates_are_theirs(self, model: Path) -> None:
        self.tune(model, "--warps", "0.9,1,1.12")
        several = load_bundle(model)
        self.tune(model)
        assert load_bundle(model).warps == several.warps == WARPS
        assert load_bundle(model).card["calibration_error"] == several.card["calibration_error"]
        self.tune(model, "--warps", "1")
        alone = load_bundle(model)
        assert alone.warps == ()
        assert alone.card["calibration_error"] != several.card["calibration_error"]

    def test_nothing_is_tuned_by_what_nobody_has_written_down(self, model: Path) -> None:
        manifest = model.parent / "dev.jsonl"
        utterances = read_manifest(manifest)
        write_manifest(manifest, [replace(utterances[0], text=None), *utterances[1:]])
        before = sorted(path.name for path in model.iterdir())
        result = CliRunner().invoke(app, ["tune", str(model), str(manifest)])
        assert isinstance(result.exception, DataError)
        assert f"1 of {len(utterances)} utterances have no key 'text'" in str(result.exception)
        assert sorted(path.name for path in model.iterdir()) == before

    def test_a_wide_beam_stays_where_no_other_is_asked_for(self, model: Path) -> None:
        """100 is what is tried where the model has no wider one."""
        for given, tried in (
            (("--beam", "250"), 250),
            ((), 250),
            (("--beam", "30"), 30),
            ((), 100),
        ):
            self.tune(model, *given)
            beams = json.loads((model / "tune.json").read_text())["beams"]
            assert max(row["beam"] for row in beams) == tried
            described = read_decoder(model)
            assert described is not None
            assert described.settings is not None
            save_decoder(
                model,
                replace(described, settings=described.settings.model_copy(update={"beam": tried})),
            )

    @pytest.mark.parametrize("wrong", ["", "wide", "0.9;1", "0.1,1", "nan"])
    def test_factors_are_numbers_near_one(self, model: Path, wrong: str) -> None:
        arguments = ["tune", str(model), str(model.parent / "dev.jsonl"), "--warps", wrong]
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, ConfigError)
        assert "expected factors from 0.5 to 1.5, like 0.94,1,1.06" in str(result.exception)
        assert load_bundle(model).warps == ()
