"""Small models that were trained on tones, and make few mistakes."""

from pathlib import Path

from synthetic_speech import make_texts, write_table, write_utterances
from typer.testing import CliRunner

from asr.cli import app

_RECIPE = """
name: tones
seed: 1
corpus: {name: table}
features: {sample_rate: 8000, mels: 24, cmvn: per_utterance}
augment:
  {speeds: [0.95, 1.0, 1.05], silence: 0.2, time_mask_frames: 3, frequency_mask_share: 0.1}
encoder: {cell: lstm, layers: 1, hidden: 48, factor: 2, dropout: 0.1}
training:
  epochs: 40
  batch: {max_utterances: 8}
  optimizer: {learning_rate: 0.02}
  precision: float32
"""
ONE_WAY = (
    "encoder.bidirectional=false",
    "features.cmvn=global",
    "training.epochs=50",
)


def train_model(folder: Path, *overrides: str) -> Path:
    """Train, and give the experiment folder, whose recordings are in `FOLDER/test`."""
    splits = {
        name: write_utterances(folder / name, make_texts(size, seed=number), name=name)
        for number, (name, size) in enumerate({"train": 80, "dev": 8, "test": 30}.items())
    }
    write_table(folder / "tones.csv", splits)
    (folder / "recipe.yaml").write_text(_RECIPE)
    arguments = ["run", str(folder / "recipe.yaml"), "--device", "cpu", "--stop-stage", "tune"]
    arguments += ["--corpus", str(folder / "tones.csv"), "--exp", str(folder / "exp")]
    for override in overrides:
        arguments += ["--set", override]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder / "exp"
