"""Stages 9 and 10: hypotheses of the test sets, and their error rates."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr import __version__
from asr.bundle import MODEL_FOLDER, read_description
from asr.decoding.hypotheses import require_all, write_hypotheses
from asr.illustration.exhibition import Exhibition, describe_failures
from asr.illustration.illustrator import Illustrator
from asr.illustration.listener import ModelIllustrator
from asr.manifest import Utterance, read_manifest
from asr.recipe.config import Recipe
from asr.recipe.corpus import read_usable, test_splits
from asr.recognizer import Recognizer, decoding_pool
from asr.scoring.analysis import Questions, analyse
from asr.scoring.report import read_json, write_json, write_report
from asr.scoring.slices import usual_slices
from asr.scoring.tables import print_table
from asr.scoring.test_set import System, TestSet
from asr.scoring.transcripts import read_attributed, transcripts_of
from asr.text import Normalizer
from asr.training.distributed import choose_device

SCORE_FOLDER = "10_score"  # where an experiment has its scores
SCORES = "scores.json"
REPORT = "report.html"


def decode(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 9: hypotheses of every test set.

    Raises:
        DataError: a recording cannot be used; all that cannot are named.
    """
    recognizer = Recognizer.load(folders["tune"], choose_device(device))
    for split in test_splits(recipe, folders["prepare"]):
        utterances = read_manifest(folders["prepare"] / f"{split}.jsonl")
        with decoding_pool(folders["tune"], None, len(utterances)) as pool:
            answers = recognizer.transcribe_all(utterances, recipe.decoding.batch, pool)
            hypotheses = require_all(answers, total=len(utterances), what=split)
        write_hypotheses(output / f"{split}.jsonl", hypotheses)


def score(recipe: Recipe, folders: Mapping[str, Path], output: Path) -> None:
    """Stage 10: error rates of every test set, as a table, as JSON and as a page.

    The vocabulary in and out of which words are counted is that of the transcripts trained on.
    """
    rule = Normalizer(recipe.normalizer)
    trained = read_usable(folders, "train")
    vocabulary = {word for one in trained for word in rule(one.text or "").split()}
    count = recipe.report.pictures
    illustrator = ModelIllustrator.load(folders["tune"]) if count else Illustrator()
    questions = Questions(vocabulary=vocabulary)
    analyses, reports = [], []
    for split in test_splits(recipe, folders["prepare"]):
        utterances = read_manifest(folders["prepare"] / f"{split}.jsonl")
        test_set = _test_set(split, utterances, folders["decode"] / f"{split}.jsonl")
        (system,) = test_set.systems
        analysis = analyse(test_set, system, normalizer=rule, questions=questions)
        slices = usual_slices(analysis.scored, test_set.attributes)
        analysis = replace(analysis, slices=slices)
        exhibition = Exhibition(output, rule, utterances, count, illustrator)
        reported, errors = exhibition.report(test_set, system, analysis)
        if errors:
            print(f"asr: {describe_failures(errors, split)}", file=sys.stderr)
        analyses.append(analysis)
        reports.append(reported)
    card = read_description(folders["tune"])["card"]
    facts = {
        "model": f"{card['weights']}, seed {card['seed']}",
        "trained on": f"{card['training_hours']:.2f} h, {card['training_utterances']} utterances",
        "vocabulary": f"{len(vocabulary):,} words of the training transcripts",
        "training took": f"{card['training_minutes']:.1f} min",
        "asr": __version__,
    }
    write_json(output / SCORES, analyses)
    write_report(output / REPORT, reports, title=recipe.name, facts=facts)


def _test_set(split: str, utterances: Sequence[Utterance], hypotheses: Path) -> TestSet:
    said, heard = transcripts_of(utterances), read_attributed(hypotheses)
    system = System(split, heard.texts, heard.attributes, missing=0)
    return TestSet(said.texts, said.attributes, [system], notices=[])


def print_results(folder: Path) -> None:
    """Print the error rates of a finished experiment, and where its report and its model are."""
    scores = folder / SCORE_FOLDER
    print_table(read_json(scores / SCORES))
    print(f"report: {scores / REPORT}")
    print(f"model:  {folder / MODEL_FOLDER}")
