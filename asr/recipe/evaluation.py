"""Stages 9 and 10: hypotheses of the test sets, and their error rates."""

from collections.abc import Mapping
from pathlib import Path

from asr import __version__
from asr.bundle import MODEL_FOLDER, read_description
from asr.decoding.hypotheses import require_all, write_hypotheses
from asr.manifest import read_manifest
from asr.recipe.config import Recipe
from asr.recipe.corpus import test_splits
from asr.recognizer import Recognizer, decoding_pool
from asr.scoring.report import read_json, write_json, write_report
from asr.scoring.scored import score_set
from asr.scoring.tables import print_table
from asr.scoring.transcripts import read_transcripts
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
    """Stage 10: error rates of every test set, as a table, as JSON and as a page."""
    normalizer = Normalizer(recipe.normalizer)
    sets = []
    for split in test_splits(recipe, folders["prepare"]):
        utterances = read_manifest(folders["prepare"] / f"{split}.jsonl")
        scored = score_set(
            split,
            {utterance.id: utterance.text or "" for utterance in utterances},
            read_transcripts(folders["decode"] / f"{split}.jsonl"),
            normalizer=normalizer,
            speakers={utterance.id: utterance.speaker for utterance in utterances},
        )
        sets.append(scored)
    card = read_description(folders["tune"])["card"]
    facts = {
        "model": f"{card['weights']}, seed {card['seed']}",
        "trained on": f"{card['training_hours']:.2f} h, {card['training_utterances']} utterances",
        "training took": f"{card['training_minutes']:.1f} min",
        "asr": __version__,
    }
    write_json(output / SCORES, sets)
    write_report(output / REPORT, sets, title=recipe.name, facts=facts)


def print_results(folder: Path) -> None:
    """Print the error rates of a finished experiment, and where its report and its model are."""
    scores = folder / SCORE_FOLDER
    print_table(read_json(scores / SCORES))
    print(f"report: {scores / REPORT}")
    print(f"model:  {folder / MODEL_FOLDER}")
