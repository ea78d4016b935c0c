"""Exported models: all that is needed and nothing else, smaller, and true about themselves."""

import json
import stat
from pathlib import Path

import pytest
import torch
from tiny_model import make_bundle
from typer.testing import CliRunner

from asr import export
from asr.bundle import load_bundle, read_description, save_bundle
from asr.cli import app
from asr.decoding.beam import BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.folder import DecoderDescription, read_decoder, save_decoder
from asr.errors import ConfigError
from asr.export import export_model
from asr.lm.packed import write_packed
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.rnnlm.model import RecurrentLM, RnnSettings, load_rnn, save_rnn
from asr.weights import as_stored


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An experiment with a model that has all there may be, and a picture."""
    folder = tmp_path / "exp/08_tune"
    save_bundle(folder, make_bundle(hidden=64))
    save_decoder(folder, DecoderDescription(BeamSettings(lm_weight=0.7), Calibration(slope=2.0)))
    (tmp_path / "text.txt").write_text("ab\n")
    write_packed(
        folder / "lm.safetensors", train_ngrams([tmp_path / "text.txt"], NgramSettings()).model
    )
    (folder / "words.txt").write_text("ab\n")
    torch.manual_seed(1)
    words = ["<unk>", "<s>", "</s>", "ab"]
    save_rnn(folder, RecurrentLM(RnnSettings(embedding=8, hidden=16, frequent=2), words))
    (folder / "tune.png").write_bytes(b"picture")
    (folder / "stage.json").write_text("{}")
    return tmp_path / "exp"


def test_int8_is_a_quarter_and_gives_the_weights_it_says(model: Path, tmp_path: Path) -> None:
    size = export_model(model, tmp_path / "out", "int8")
    assert size == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    sizes = [
        (folder / "model.safetensors").stat().st_size
        for folder in (model / "08_tune", tmp_path / "out")
    ]
    assert sizes[1] < 0.3 * sizes[0]  # the header and the vectors of a small model count
    found, before = load_bundle(tmp_path / "out").encoder, load_bundle(model).encoder
    expected = as_stored(before.state_dict(), "int8")
    assert all(torch.equal(one, expected[name]) for name, one in found.state_dict().items())
    assert all(weight.dtype == torch.float32 for weight in found.parameters())


def test_all_that_decodes_comes_along_and_nothing_else(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_model(model, out, "bfloat16")
    assert sorted(path.name for path in out.iterdir()) == [
        "decoder.json",
        "lm.safetensors",
        "model.json",
        "model.safetensors",
        "rnnlm.json",
        "rnnlm.safetensors",
        "words.txt",
    ]
    assert read_decoder(out) == read_decoder(model / "08_tune")
    expected = as_stored(load_rnn(model / "08_tune").state_dict(), "bfloat16")
    found = load_rnn(out).state_dict()
    assert all(torch.equal(one, expected[name]) for name, one in found.items())


def test_the_card_says_with_what_it_was_measured(model: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(app, ["export", str(model), str(tmp_path / "out"), "--weights", "int8"])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'out'}\n"
    description = read_description(tmp_path / "out")
    assert (description["format"], description["weights"]) == (1, "int8")
    assert description["card"]["dev_wer"] == 0.5
    said = runner.invoke(app, ["info", str(tmp_path / "out")]).stdout
    assert "WER 50.00 %" in said
    assert "measured with weights in float32" in said
    assert "weights in int8" in said
    again = tmp_path / "again"
    export_model(tmp_path / "out", again, "float32")
    assert read_description(again)["card"]["measured_with"] == "float32"


def test_a_folder_with_something_in_it_is_not_written_to(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export_model(model, tmp_path / "out", "float32")
    with pytest.raises(ConfigError, match="out: is there already; give a new folder"):
        export_model(model, tmp_path / "out", "float32")


def test_an_export_that_fails_leaves_nothing_in_the_way(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "save_bundle", fail)
        with pytest.raises(KeyboardInterrupt):
            export_model(model, tmp_path / "out", "float32")
    assert not any((tmp_path / "out").iterdir())
    export_model(model, tmp_path / "out", "float32")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    (tmp_path / "plain").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out", "plain")]
    assert modes[0] == modes[1]


def test_a_model_written_before_there_were_small_weights_is_read(model: Path) -> None:
    path = model / "08_tune/model.json"
    description = json.loads(path.read_text())
    del description["weights"]
    path.write_text(json.dumps(description))
    assert load_bundle(model).encoder.settings.hidden == 64
    said = CliRunner().invoke(app, ["info", str(model)]).stdout
    assert "weights in float32" in said
