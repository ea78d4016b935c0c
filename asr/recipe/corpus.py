"""Stages 1 to 3: the corpus becomes manifests, is checked, and gives the tokens."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from asr.augment.chain import WaveformChain
from asr.doctor.examination import Expected, check_manifest
from asr.doctor.findings import CheckReport
from asr.doctor.leakage import add_leakage
from asr.doctor.page import write_page
from asr.doctor.settings import CheckSettings
from asr.errors import ConfigError, DataError
from asr.files import write_text
from asr.manifest import Utterance, read_manifest
from asr.recipe.config import Recipe
from asr.recipe.feasibility import bear_infeasible, encoder_frames, find_infeasible
from asr.recipe.initialization import refuse_other_model, start_tokens
from asr.text import Normalizer
from asr.tokens import (
    TokenTable,
    describe_characters,
    learn_tokens,
    tokens_from_json,
)
from data_prep import prepare_corpus

_FINDINGS = "findings.json"
_PAGE = "check.html"
_LEFT_OUT = "left_out.json"
_TOKENS = "tokens.json"
_INFEASIBLE = "infeasible.json"
_LEARNING = ("train", "dev")
_SHOWN = 60  # tokens


def prepare(recipe: Recipe, corpus_folder: Path | None, output: Path) -> None:
    """Stage 1: corpus -> one manifest a split."""
    data = recipe.corpus
    manifests = prepare_corpus(data.name, data.options, corpus=corpus_folder, output=output)
    for name, path in manifests.items():
        utterances = read_manifest(path)
        hours = sum(utterance.duration for utterance in utterances) / 3600
        _say(f"{name}: {len(utterances)} utterances, {hours:.2f} h")


def check(recipe: Recipe, folders: Mapping[str, Path], output: Path) -> None:
    """Stage 2: every recording is opened, every transcript read; what cannot be used is named.

    Unusable utterances of train and dev are left out, up to `check.max_bad_fraction` of them. A
    test set is never thinned out: every one of its recordings must be readable, and so must those
    that augmentation takes.

    Raises:
        DataError: too much is unusable.
        ConfigError: a folder for augmentation is missing or has no recordings, or the recipe does
            not fit the model it starts from.
        AudioError: a recording for augmentation cannot be used.
    """
    # Read for its errors: now, and not when training is about to start.
    WaveformChain(recipe.augment, recipe.features.sample_rate)
    refuse_other_model(recipe)
    prepared = folders["prepare"]
    reports = {split: _check_learning(recipe, prepared, split) for split in _LEARNING}
    bounds = dict.fromkeys(_LEARNING, recipe.check.max_bad_fraction)
    apart = [*_LEARNING]  # sets that should have nothing in common
    for split in test_splits(recipe, prepared):
        apart += [] if split in _LEARNING else [split]
        name = f"{split} as a test set" if split in _LEARNING else split
        reports[name], bounds[name] = _check_test_set(recipe, prepared, split), 0.0
    reports |= add_leakage({name: one for name, one in reports.items() if name in apart})
    for split in apart:
        _say(f"{split}: {_in_words(reports[split], recipe)}")
    # The findings first: whoever has to mend the data wants all of them, not the first five.
    findings = {split: report.to_json() for split, report in reports.items()}
    write_text(output / _FINDINGS, json.dumps(findings, ensure_ascii=False, indent=1) + "\n")
    write_page(output / _PAGE, reports)
    for split, report in reports.items():
        report.enforce(bounds[split], split, output / _FINDINGS)
    left_out = {split: [one.id for one in reports[split].unusable] for split in _LEARNING}
    write_text(output / _LEFT_OUT, json.dumps(left_out, ensure_ascii=False) + "\n")
    _name_unknown_characters(recipe, reports)


def _check_learning(recipe: Recipe, prepared: Path, split: str) -> CheckReport:
    """Check train or dev, whose targets must fit into their frames."""
    # How many pieces or phones a text has, its letters do not tell: `tokens` looks at those.
    letters = recipe.tokens.kind == "characters"
    return check_manifest(
        read_manifest(prepared / f"{split}.jsonl"),
        recipe.check,
        normalizer=Normalizer(recipe.normalizer),
        expected=Expected(
            encoder_frames=encoder_frames(recipe, split) if letters else None,
            sample_rate=recipe.features.sample_rate,
        ),
    )


def _check_test_set(recipe: Recipe, prepared: Path, split: str) -> CheckReport:
    """Check that a test set can be decoded to its last recording."""
    # A transcript that does not fit its frames cannot be learned from; but it can be scored.
    least = recipe.features.fft_size / recipe.features.sample_rate
    settings = CheckSettings(max_bad_fraction=0, min_seconds=least, max_seconds=float("inf"))
    return check_manifest(
        read_manifest(prepared / f"{split}.jsonl"),
        settings,
        normalizer=Normalizer(recipe.normalizer),
        expected=Expected(sample_rate=recipe.features.sample_rate),
    )


def _name_unknown_characters(recipe: Recipe, reports: Mapping[str, CheckReport]) -> None:
    """Say which characters of dev and test no training transcript has: each is an error there."""
    normalizer = Normalizer(recipe.normalizer)
    # Of what is left in: the tokens will be learned from that.
    texts = (normalizer(utterance.text or "") for utterance in reports["train"].usable)
    known = {character for text in texts for character in text}
    for split, report in reports.items():
        unknown = {one: count for one, count in report.characters.items() if one not in known}
        if unknown and split != "train":
            _say(
                f"{split}: {describe_characters(unknown)}: not in the training transcripts, so "
                "the model cannot write them and they count as errors"
            )


def tokens(recipe: Recipe, folders: Mapping[str, Path], output: Path) -> None:
    """Stage 3: the token table of the training transcripts, or of the model to start from.

    Utterances of train and dev with more tokens than CTC can emit in their frames are left out,
    up to `check.max_bad_fraction` together with those that the check left out.

    Raises:
        ConfigError: the transcripts do not give the tokens that the settings ask for.
        DataError: a text cannot be cut into tokens, or too many do not fit into their frames.
    """
    normalizer = Normalizer(recipe.normalizer)
    usable = {split: read_usable(folders, split) for split in _LEARNING}
    texts = [normalizer(one.text or "") for one in usable["train"]]
    if recipe.tokens.kind == "model":
        table = start_tokens(recipe, texts)
    else:
        table = learn_tokens(recipe.tokens, texts, normalizer)
    write_text(output / _TOKENS, json.dumps(table.to_json(), ensure_ascii=False) + "\n")
    shown = " ".join(repr(symbol)[1:-1] for symbol in table.symbols[:_SHOWN])
    _say(f"{len(table)} tokens: {shown}{' …' if len(table) > _SHOWN else ''}")
    infeasible = {
        split: find_infeasible(recipe, usable[split], table, split) for split in _LEARNING
    }
    write_text(output / _INFEASIBLE, json.dumps(infeasible, ensure_ascii=False, indent=1) + "\n")
    for split, found in infeasible.items():
        if found:
            total = len(read_manifest(folders["prepare"] / f"{split}.jsonl"))
            before = total - len(usable[split])
            bear_infeasible(recipe, split, found, before, total, output / _INFEASIBLE)


def read_tokens(folder: Path) -> TokenTable:
    """The token table that stage 3 wrote into a folder."""
    path = folder / _TOKENS
    return tokens_from_json(json.loads(path.read_text(encoding="utf-8")), str(path))


def read_usable(folders: Mapping[str, Path], split: str) -> list[Utterance]:
    """The utterances of train or dev that the check left in.

    Raises:
        DataError: none is left.
    """
    left_out = json.loads((folders["check"] / _LEFT_OUT).read_text(encoding="utf-8"))
    unusable = set(left_out[split])
    manifest = folders["prepare"] / f"{split}.jsonl"
    usable = [utterance for utterance in read_manifest(manifest) if utterance.id not in unusable]
    if not usable:
        raise DataError(f"{manifest}: no usable utterance is left; see what `asr check` says")
    return usable


def read_learnable(folders: Mapping[str, Path], split: str) -> list[Utterance]:
    """The usable utterances of train or dev whose tokens fit into their frames.

    Raises:
        DataError: none is left.
    """
    path = folders["tokens"] / _INFEASIBLE
    infeasible = json.loads(path.read_text(encoding="utf-8"))[split]
    left_out = {one["id"] for one in infeasible}
    learnable = [one for one in read_usable(folders, split) if one.id not in left_out]
    if not learnable:
        raise DataError(
            f"{split}: no utterance is left, all are too short for their tokens; see {path}; "
            "check that text and audio belong together, or lower encoder.factor"
        )
    return learnable


def test_splits(recipe: Recipe, prepared: Path) -> list[str]:
    """The splits to decode and score: those the recipe names, or all but train and dev.

    Raises:
        ConfigError: the recipe names a split that the corpus has not.
    """
    there = sorted(path.stem for path in prepared.glob("*.jsonl"))
    for split in recipe.test:
        if split not in there:
            raise ConfigError(f"key 'test': no split '{split}'; there are: {', '.join(there)}")
    others = [split for split in there if split not in _LEARNING]
    return list(recipe.test) or others or ["dev"]


def _in_words(report: CheckReport, recipe: Recipe) -> str:
    problems = ", ".join(f"{count} {problem}" for problem, count in report.counts.items())
    names = ", ".join(utterance.id for utterance in report.unusable[:5])
    more = ", …" if len(report.unusable) > 5 else ""
    left_out = f"; not usable: {names}{more}" if names else ""
    rate = recipe.features.sample_rate
    others = sum(one.sample_rate not in (None, rate) for one in report.utterances)
    resampled = f"; {others} of another sample rate, resampled to {rate} Hz" if others else ""
    return (
        f"{len(report.usable)} usable, {report.hours:.2f} h, "
        f"{problems or 'no findings'}{left_out}{resampled}"
    )


def _say(words: str) -> None:
    print(f"    {words}", file=sys.stderr, flush=True)
