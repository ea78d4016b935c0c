"""The whole way on made-up speech: corpus, training, decoding, scoring; and WER 0 at its end."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from synthetic_speech import make_texts, write_table, write_utterances
from typer.testing import CliRunner

from asr.bundle import load_bundle
from asr.cli import app
from asr.manifest import Utterance
from asr.training.reporting import read_metrics
from asr.transcription.transcriber import Transcriber

_RECIPE = """
name: tones
seed: 1
corpus: {name: table}
features: {sample_rate: 8000, mels: 24}
augment: {speeds: [0.95, 1.0, 1.05], time_mask_frames: 3, frequency_mask_share: 0.1}
encoder: {cell: lstm, layers: 1, hidden: 32, factor: 2, dropout: 0.1}
training:
  epochs: 25
  batch: {max_utterances: 8, per_step: 1}
  optimizer: {learning_rate: 0.02}
  precision: float32
"""


@dataclass(frozen=True)
class Run:
    """What one `asr run` was given, and what it said."""

    arguments: list[str]
    experiment: Path
    test: list[Utterance]
    result: Result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("overfit")
    sizes = {"train": 60, "dev": 8, "test": 12}
    splits = {
        name: write_utterances(folder / name, make_texts(size, seed=number), name=name)
        for number, (name, size) in enumerate(sizes.items())
    }
    write_table(folder / "tones.csv", splits)
    (folder / "recipe.yaml").write_text(_RECIPE)
    experiment = folder / "exp"
    arguments = ["run", str(folder / "recipe.yaml"), "--device", "cpu"]
    arguments += ["--corpus", str(folder / "tones.csv"), "--exp", str(experiment)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return Run(arguments, experiment, splits["test"], result)


def test_the_recipe_runs_to_its_end(run: Run) -> None:
    assert run.result.exit_code == 0, run.result.output
    done = [line.split()[1] for line in run.result.stderr.splitlines() if " done in " in line]
    assert " ".join(done) == "prepare check tokens stats lm train average tune decode score"


def test_speech_never_trained_on_is_recognised_without_an_error(run: Run) -> None:
    (scored,) = json.loads((run.experiment / "10_score/scores.json").read_text())["sets"]
    assert scored["name"] == "test"
    assert scored["utterances"] == 12
    assert scored["words"]["reference_length"] == sum(len(one.text.split()) for one in run.test)
    assert scored["word_error_rate"] == 0.0
    assert scored["character_error_rate"] == 0.0
    assert list(scored["slices"]) == ["duration", "rate"]  # nobody knows the speakers


def test_words_are_told_apart_by_whether_training_had_them(run: Run) -> None:
    def words(split: str) -> list[str]:
        lines = (run.experiment / f"01_prepare/{split}.jsonl").read_text().splitlines()
        return [word for line in lines for word in json.loads(line)["text"].split()]

    (scored,) = json.loads((run.experiment / "10_score/scores.json").read_text())["sets"]
    known = set(words("train"))
    inside = sum(word in known for word in words(scored["name"]))
    assert scored["vocabulary"]["inside"] == inside
    assert scored["vocabulary"]["outside"] == len(words(scored["name"])) - inside
    assert scored["vocabulary"]["outside"] > 0


def test_the_result_is_on_stdout_and_the_progress_is_not(run: Run) -> None:
    (row,) = [line for line in run.result.stdout.splitlines() if "│ test " in line]
    assert row.count("0.00 %") == 3  # words, characters, sentences
    assert "epoch" not in run.result.stdout
    assert run.result.stderr.count("dev loss") == 25


def test_there_is_a_report_to_look_at(run: Run) -> None:
    page = (run.experiment / "10_score/report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert "tones" in page
    assert page.count("data-seconds=") == 12  # a picture of each
    assert page.count("title\\u003eblank") == 12  # with probabilities
    assert str(run.experiment / "10_score/report.html") in run.result.stdout


def test_the_hypotheses_are_the_texts_that_were_spoken(run: Run) -> None:
    lines = (run.experiment / "09_decode/test.jsonl").read_text().splitlines()
    said = sorted(json.loads(line)["text"] for line in lines)
    assert said == sorted(str(one.text) for one in run.test)


def test_training_was_measured_epoch_by_epoch(run: Run) -> None:
    records = read_metrics(run.experiment / "06_train")
    assert [record["epoch"] for record in records] == list(range(1, 26))
    assert records[-1]["loss"] < 0.3 * records[0]["loss"]
    assert records[-1]["dev_wer"] < 0.1 < records[0]["dev_wer"]


def test_the_model_transcribes_a_recording_it_never_saw(run: Run) -> None:
    transcriber = Transcriber.load(run.experiment)
    utterance = run.test[0]
    assert transcriber.transcribe(utterance.audio_path).text == utterance.text


def test_the_model_says_what_it_was_trained_on(run: Run) -> None:
    card = load_bundle(run.experiment / "08_tune").card
    assert card["name"] == "tones"
    assert card["training_utterances"] == 60
    assert card["epochs"] == 25


def test_the_same_command_again_runs_nothing(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.experiment.glob("*_*/*")}
    again = CliRunner().invoke(app, run.arguments, catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert again.stderr.count("up to date") == 10
    assert "done in" not in again.stderr
    assert again.stdout == run.result.stdout
    assert {path: path.stat().st_mtime_ns for path in run.experiment.glob("*_*/*")} == before
