"""The whole way with a language model, on made-up speech that is hard to spell by ear."""

import json
import random
import shutil
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from synthetic_speech import write_table, write_utterances
from typer.testing import CliRunner

from asr.bundle import load_bundle
from asr.cli import app
from asr.decoding.beam import BeamSettings
from asr.decoding.folder import DecoderDescription, read_decoder
from asr.emission_decoder import DecodingOptions
from asr.lm.text import SPECIAL
from asr.rnnlm.model import RecurrentLM, RnnSettings, load_rnn, save_rnn
from asr.transcription.transcriber import Transcriber

# Two epochs are too few to spell without mistakes.
_RECIPE = """
name: tones
corpus: {name: table}
features: {sample_rate: 8000, mels: 24}
augment: {speeds: [1.0]}
encoder: {cell: lstm, layers: 1, hidden: 32, factor: 2, dropout: 0.1}
training:
  epochs: 10
  batch: {max_utterances: 8}
  optimizer: {learning_rate: 0.02}
  precision: float32
"""
WORDS = ["abba", "bead", "cab", "dace", "fade", "face", "deaf", "bad"]


def sentences(count: int, *, seed: int) -> list[str]:
    """Each word is followed by one of two others."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        place = chance.randrange(8)
        words = []
        for _ in range(chance.randint(2, 4)):
            words.append(WORDS[place])
            place = (place * 3 + chance.randint(1, 2)) % 8
        found.append(" ".join(words))
    return found


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def decoder_of(exp: Path) -> DecoderDescription:
    found = read_decoder(exp / "08_tune")
    assert found is not None
    return found


@dataclass(frozen=True)
class Way:
    """An experiment, and how to run it."""

    folder: Path
    exp: Path

    def run(self, *more: str) -> Result:
        arguments = ["run", str(self.folder / "recipe.yaml"), "--device", "cpu", *more]
        arguments += ["--corpus", str(self.folder / "tones.csv"), "--exp", str(self.exp)]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    def rate(self) -> float:
        (scored,) = json.loads((self.exp / "10_score/scores.json").read_text())["sets"]
        return float(scored["word_error_rate"])

    def tuned(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.exp / "08_tune/tune.json").read_text())
        return found


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    folder = tmp_path_factory.mktemp("way")
    sizes = {"train": 40, "dev": 20, "test": 20}
    splits = {
        name: write_utterances(folder / name, sentences(size, seed=number), name=name)
        for number, (name, size) in enumerate(sizes.items())
    }
    write_table(folder / "tones.csv", splits)
    (folder / "recipe.yaml").write_text(_RECIPE)
    (folder / "text.txt").write_text("\n".join(sentences(300, seed=9)))
    return Way(folder, folder / "exp")


@pytest.fixture(scope="module")
def rates(way: Way) -> dict[str, float]:
    """Word error rates of the test set: greedy, with a lexicon and a model of words, of letters."""
    found = {}
    way.run()
    found["greedy"] = way.rate()
    said = way.run("--set", "decoding.search.beam=30")
    assert "dev, search: WER" in said.stderr
    assert decoder_of(way.exp).settings in (BeamSettings(beam=10), BeamSettings(beam=30))
    found["beam"] = way.rate()
    text = f"lm.text=[{way.folder / 'text.txt'}]"
    said = way.run("--set", text, "--set", "lm.order=2")
    assert " 6 train      up to date" in said.stderr
    assert "too few counts to estimate discounts from" in said.stderr
    assert "lexicon cannot be spelled" not in said.stderr
    found["words"] = way.rate()
    way.run("--set", text, "--set", "lm.order=6", "--set", "lm.unit=characters")
    found["characters"] = way.rate()
    way.run("--set", text, "--set", "lm.order=2")
    return found


def test_a_language_model_makes_fewer_errors(rates: dict[str, float]) -> None:
    assert rates["greedy"] > 0.05, "there is something to gain"
    assert rates["words"] < 0.7 * rates["greedy"]
    assert rates["characters"] < rates["greedy"]


def test_a_beam_needs_no_language_model(rates: dict[str, float]) -> None:
    """By adding up paths it finds what is most probable, where greedy takes the best path."""
    assert 0.05 < rates["beam"] <= rates["greedy"] + 0.02


def test_tuning_is_not_worse_than_what_it_began_with(way: Way, rates: dict[str, float]) -> None:
    found = way.tuned()["word_error_rates"]
    assert found["tuned"] <= found["language model"] < found["greedy"]
    assert way.tuned()["oracle_word_error_rate"] <= found["tuned"]


def test_the_model_folder_decodes_with_all_that_is_in_it(
    way: Way, rates: dict[str, float], tmp_path: Path
) -> None:
    assert rates
    folder = (way.exp / "08_tune").rename(tmp_path / "model")
    described = read_decoder(folder)
    assert described is not None
    assert described.settings is not None
    path = next((way.folder / "test").glob("*.wav"))
    tuned, greedy = (
        Transcriber.load(folder),
        Transcriber.load(folder, options=DecodingOptions(greedy=True)),
    )
    assert set(tuned.transcribe(path).text.split()) <= set(WORDS)
    assert greedy.transcribe(path).words
    folder.rename(way.exp / "08_tune")


def test_a_recurrent_model_ranks_again_what_was_found(way: Way, rates: dict[str, float]) -> None:
    text = f"lm.text=[{way.folder / 'text.txt'}]"
    shape = "lm.rnn.model={embedding: 16, hidden: 32, frequent: 3}"
    course = (
        "lm.rnn.training={epochs: 6, batch: {max_frames: 100}, optimizer: {learning_rate: 0.01}}"
    )
    words = "lm.rnn.vocabulary=6"
    said = way.run(
        "--set", text, "--set", "lm.order=2", "--set", shape, "--set", course, "--set", words
    )
    assert "by the recurrent language model" in said.stderr
    rnn = load_rnn(way.exp / "05_lm")
    assert (len(rnn.words), rnn.outside) == (len(SPECIAL) + 6, 2)
    heard = Counter((way.folder / "text.txt").read_text().split())
    heard.update((way.exp / "05_lm/transcripts.txt").read_text().split())
    rare = set(WORDS) - set(rnn.words)
    assert max(heard[word] for word in rare) <= min(heard[word] for word in rnn.words[3:])
    found = way.tuned()["word_error_rates"]
    assert found["rescored"] <= found["tuned"]
    assert way.rate() < rates["greedy"]
    described = read_decoder(way.exp / "08_tune")
    assert described is not None
    assert described.rescoring is not None
    assert not list((way.exp / "05_lm").glob("checkpoint*"))
    path = next((way.folder / "test").glob("*.wav"))
    assert set(Transcriber.load(way.exp).transcribe(path).text.split()) <= set(WORDS)
    way.run("--set", text, "--set", "lm.order=2")


def test_the_model_is_tuned_as_it_hears(way: Way, rates: dict[str, float]) -> None:
    said = way.run("--set", "decoding.warps=[0.9, 1]")
    assert " 7 average    up to date" in said.stderr
    assert " 8 tune       running: settings changed: warps [] -> [0.9, 1.0]" in said.stderr
    assert load_bundle(way.exp).warps == (0.9, 1.0)
    way.run("--set", f"lm.text=[{way.folder / 'text.txt'}]", "--set", "lm.order=2")
    assert load_bundle(way.exp).warps == ()


class TestFlags:
    """Every flag changes something."""

    def decode(self, way: Way, *more: str) -> dict[str, Any]:
        arguments = ["decode", str(way.exp / "01_prepare/test.jsonl"), "--model", str(way.exp)]
        result = CliRunner().invoke(app, [*arguments, "--device", "cpu", *more])
        assert result.exit_code == 0, result.output
        found = [json.loads(line) for line in result.stdout.splitlines()]
        return {record["id"]: record for record in found}

    def test_no_lm_is_greedy(self, way: Way, rates: dict[str, float]) -> None:
        words = [one["text"].split() for one in self.decode(way, "--no-lm").values()]
        assert not {word for each in words for word in each} <= set(WORDS)

    def test_a_narrow_beam_finds_less(self, way: Way, rates: dict[str, float]) -> None:
        wide, narrow = self.decode(way), self.decode(way, "--beam", "1")
        assert wide != narrow
        assert sum(one["score"] for one in wide.values()) > sum(
            one["score"] for one in narrow.values()
        )

    def test_the_weight_of_the_language_model_matters(
        self, way: Way, rates: dict[str, float]
    ) -> None:
        assert self.decode(way) != self.decode(way, "--lm-weight", "9")

    def test_n_best_lists_are_written(self, way: Way, rates: dict[str, float]) -> None:
        plain, lists = self.decode(way), self.decode(way, "--nbest", "5")
        several = {name: record for name, record in lists.items() if "nbest" in record}
        assert len(several) > 5, "there may be one alone, if all others are far behind"
        for name, record in several.items():
            texts = [one["text"] for one in record["nbest"]]
            scores = [one["score"] for one in record["nbest"]]
            assert texts[0] == record["text"] == plain[name]["text"]
            assert 2 <= len(texts) == len(set(texts)) <= 5
            assert scores == sorted(scores, reverse=True)
            assert "nbest" not in plain[name]

    def test_hotwords_are_recovered_and_nothing_else_changes(
        self, way: Way, rates: dict[str, float]
    ) -> None:
        """By ear, two words are often written as one; the phrase is hoped for."""
        said = {one["id"]: one["text"] for one in records(way.exp / "01_prepare/test.jsonl")}
        plain = self.decode(way, "--no-lm")
        name, phrase = next(
            (name, said[name])
            for name, one in plain.items()
            if one["text"] == said[name].replace(" ", "") != said[name]
        )
        hoped = self.decode(way, "--no-lm", "--hotwords", phrase.upper())
        assert hoped[name]["text"] == phrase
        for other, record in plain.items():
            assert phrase in hoped[other]["text"] or record == hoped[other]
        assert sum(record == hoped[other] for other, record in plain.items()) >= 10

    def test_a_weight_for_no_language_model_is_refused(
        self, way: Way, rates: dict[str, float]
    ) -> None:
        manifest, model = way.exp / "01_prepare/test.jsonl", way.exp / "07_average"
        arguments = ["decode", str(manifest), "--model", str(model), "--lm-weight", "2"]
        result = CliRunner().invoke(app, arguments)
        assert "has no language model to give a weight to" in str(result.exception)

    def test_a_hotword_without_tokens_is_status_2(self, way: Way, rates: dict[str, float]) -> None:
        arguments = ["decode", str(way.exp / "01_prepare/test.jsonl"), "--model", str(way.exp)]
        result = CliRunner().invoke(app, [*arguments, "--hotwords", "abba,zorro"])
        assert "hotword 'zorro': the model has no token for" in str(result.exception)


class TestFlagsOfTranscribe:
    """Every flag changes something there, too."""

    def transcribe(self, way: Way, *more: str) -> dict[str, str]:
        arguments = ["transcribe", str(way.exp / "01_prepare/test.jsonl"), "--model", str(way.exp)]
        given = [*arguments, "--device", "cpu", "--format", "json", *more]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        found = [json.loads(line) for line in result.stdout.splitlines()]
        return {record["name"]: record["text"] for record in found}

    def test_no_lm_is_greedy(self, way: Way, rates: dict[str, float]) -> None:
        searched, greedy = self.transcribe(way), self.transcribe(way, "--no-lm")
        assert searched.keys() == greedy.keys()
        assert not {word for text in greedy.values() for word in text.split()} <= set(WORDS)
        wrong = sum(text not in greedy[name] for name, text in searched.items())
        assert wrong >= 3

    def test_the_search_is_as_wide_as_wanted(self, way: Way, rates: dict[str, float]) -> None:
        assert self.transcribe(way, "--beam", "1") != self.transcribe(way)

    def test_the_weight_of_the_language_model_matters(
        self, way: Way, rates: dict[str, float]
    ) -> None:
        assert self.transcribe(way, "--lm-weight", "99") != self.transcribe(way)

    def test_hotwords_are_recovered_by_as_much_as_wanted(
        self, way: Way, rates: dict[str, float]
    ) -> None:
        said = {one["id"]: one["text"] for one in records(way.exp / "01_prepare/test.jsonl")}
        plain = self.transcribe(way, "--no-lm")
        name, phrase = next(
            (name, said[name])
            for name, text in plain.items()
            if text == said[name].replace(" ", "") != said[name]
        )
        hoped = self.transcribe(way, "--no-lm", "--hotwords", phrase.upper())
        assert hoped[name] == phrase
        given = ("--no-lm", "--hotwords", phrase, "--hotword-bonus")
        assert self.transcribe(way, *given, "8")[name] == phrase
        assert self.transcribe(way, *given, "-99") == plain


def test_words_have_times_and_confidences(way: Way, rates: dict[str, float]) -> None:
    """Tones of 80 ms with gaps of 30 ms: where each word was said is known."""
    path = way.exp / "09_decode/test.jsonl"
    references = {one["id"]: one["text"] for one in records(way.exp / "01_prepare/test.jsonl")}
    starts, ends = [], []
    for record in records(path):
        assert " ".join(one["text"] for one in record["words"]) == record["text"]
        times = [time for one in record["words"] for time in (one["start"], one["end"])]
        assert times == sorted(times), "monotone"
        assert all(0 <= one["confidence"] <= 1 for one in record["words"])
        if record["text"] != references[record["id"]]:
            continue
        clock = 0.06
        for one in record["words"]:
            length = 0.11 * len(one["text"])
            starts.append(abs(one["start"] - clock))
            ends.append(abs(one["end"] - (clock + length - 0.03)))
            clock += length + 0.11
    assert len(starts) > 20
    assert statistics.median(starts) <= 0.04
    assert statistics.median(ends) <= 0.04


def test_tune_puts_another_language_model_into_a_model_folder(
    way: Way, rates: dict[str, float], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(way.exp / "07_average", model)
    runner = CliRunner()
    text, arpa = str(way.folder / "text.txt"), str(tmp_path / "lm.arpa")
    assert runner.invoke(app, ["lm", "train", text, "-o", arpa, "--order", "2"]).exit_code == 0
    dev = str(way.exp / "01_prepare/dev.jsonl")
    save_rnn(model, RecurrentLM(RnnSettings(embedding=8, hidden=3, frequent=2), [*SPECIAL, *WORDS]))
    said = runner.invoke(app, ["tune", str(model), dev, "--lm", arpa, "--device", "cpu"])
    assert said.exit_code == 0, said.output
    assert "the recurrent language model of the folder is removed" in said.stderr
    assert not list(model.glob("rnnlm*"))
    assert said.stdout == f"{model}\n"
    assert "dev, tuned: WER" in said.stderr
    assert (model / "tune.png").read_bytes().startswith(b"\x89PNG")
    tuned = read_decoder(model)
    assert tuned is not None
    assert tuned == decoder_of(way.exp), "the same text makes the same decoder"
    # Again, with what is in the folder now.
    again = runner.invoke(app, ["tune", str(model), dev, "--device", "cpu"])
    assert again.exit_code == 0, again.output
    assert read_decoder(model) == tuned
    # And with the language model of another folder, or of a file in one.
    for lm in (way.exp, way.exp / "08_tune/lm.safetensors"):
        (model / "lm.safetensors").unlink()
        other = runner.invoke(app, ["tune", str(model), dev, "--lm", str(lm), "--device", "cpu"])
        assert other.exit_code == 0, other.output
        assert read_decoder(model) == tuned


def test_a_run_decodes_as_tune_left_the_model_of_an_experiment(
    way: Way, rates: dict[str, float], tmp_path: Path
) -> None:
    own = Way(way.folder, tmp_path / "exp")
    shutil.copytree(way.exp, own.exp)
    same = ["--set", f"lm.text=[{way.folder / 'text.txt'}]", "--set", "lm.order=2"]
    assert "running" not in own.run(*same).stderr
    dev = str(own.exp / "01_prepare/dev.jsonl")
    tune = ["tune", str(own.exp), dev, "--beam", "1", "--device", "cpu"]
    said = CliRunner().invoke(app, tune)
    assert said.exit_code == 0, said.output
    assert decoder_of(own.exp).settings != decoder_of(way.exp).settings
    said = own.run(*same)
    assert " 8 tune       up to date, as asr tune left it" in said.stderr
    assert "input 'decode' changed; input 'tune' changed" in said.stderr
    assert decoder_of(own.exp).settings.beam == 1


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_tune_warns_of_another_case_before_it_searches(
    way: Way, rates: dict[str, float], tmp_path: Path, unit: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(way.exp / "07_average", model)
    runner, arpa = CliRunner(), str(tmp_path / "lm.arpa")
    (tmp_path / "text.txt").write_text((way.folder / "text.txt").read_text().upper() + "\nbad\n")
    train = ["lm", "train", str(tmp_path / "text.txt"), "-o", arpa, "--order", "2", "--unit", unit]
    assert runner.invoke(app, train).exit_code == 0
    tune = ["tune", str(model), str(way.exp / "01_prepare/dev.jsonl"), "--lm", arpa]
    more = ["--characters"] if unit == "characters" else []
    said = runner.invoke(app, [*tune, "--beam", "10", "--device", "cpu", *more])
    assert said.exit_code == 0, said.output
    warning = {
        "words": "8 of 9 words of the lexicon cannot be spelled",
        "characters": "tokens of the model are unknown to the language model (c, e, f)",
    }
    assert 0 <= said.stderr.find(warning[unit]) < said.stderr.index("dev, greedy")


@pytest.mark.parametrize("space", [True, False], ids=["space", "no space"])
def test_phones_find_the_words_of_the_text_and_no_others(
    way: Way, tmp_path: Path, space: bool
) -> None:
    """Each letter is a phone of its own; one word has to be pronounced by ear."""
    mark = "" if space else "▁"
    known = [word for word in WORDS if word != "dace"]
    lines = (f"{word} {' '.join(letter.upper() for letter in word)}\n" for word in known)
    (tmp_path / "own.dict").write_text("".join(lines))
    phones = Way(way.folder, tmp_path / "exp")
    dictionary = f"tokens.dictionary={tmp_path / 'own.dict'}"
    text = f"lm.text=[{way.folder / 'text.txt'}]"
    kind = f"tokens.space={str(space).lower()}"
    phones.run("--set", "tokens.kind=phones", "--set", kind, "--set", dictionary, "--set", text)
    assert phones.rate() < 0.2
    lexicon = (phones.exp / "08_tune/words.txt").read_text("utf-8").splitlines()
    assert {f"bead {mark}B E A D", f"dace {mark}D A C E"} <= set(lexicon)
    (tmp_path / "own.dict").unlink()
    path = next((way.folder / "test").glob("*.wav"))
    found = Transcriber.load(phones.exp).transcribe(path)
    assert set(found.text.split()) <= set(WORDS)
    assert [word.text for word in found.words] == found.text.split()
    greedy = Transcriber.load(phones.exp, options=DecodingOptions(greedy=True))
    assert greedy.transcribe(path).text
