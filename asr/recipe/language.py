"""Stages 5 and 8: the language model, and the weights that decode best with it."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from asr.bundle import Bundle, load_bundle
from asr.decoding.alignment import align_words
from asr.decoding.beam import BeamDecoder
from asr.decoding.confidence import (
    Calibration,
    Judged,
    expected_calibration_error,
    fit_calibration,
)
from asr.decoding.folder import (
    LANGUAGE_MODEL,
    WORDS,
    DecoderDescription,
    load_decoder,
    read_words,
    save_decoder,
)
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.revision import Reviser
from asr.errors import AsrError, ConfigError
from asr.files import write_text
from asr.lm.arpa import write_arpa
from asr.lm.perplexity import measure_perplexity
from asr.lm.text import SPECIAL, close_vocabulary, number_words
from asr.lm.training import count_bar, text_rule, train_ngrams
from asr.recipe.config import LanguageModelSettings, Recipe
from asr.recipe.corpus import read_usable
from asr.recognizer import Recognizer
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.scoring.error_rate import align_words as align_texts
from asr.text import Normalizer
from asr.training.distributed import choose_device
from asr.tuning import Tuned, tune_weights

_TRANSCRIPTS = "transcripts.txt"
_PENALTIES = (16.0, 12.0, 9.0, 6.0, 4.0, 2.0)  # nats; the highest of equally good ones is kept
_NOTHING = "The recipe has no section `lm`: there is no language model.\n"


def estimate(recipe: Recipe, folders: Mapping[str, Path], output: Path) -> None:
    """Stage 5: the language model and the lexicon, where the recipe asks for one.

    Raises:
        ConfigError: there is nothing to estimate it from.
        DataError: a text cannot be used.
    """
    if recipe.lm is None:
        write_text(output / "README.txt", _NOTHING)
        return
    paths = [Path(path) for path in recipe.lm.text]
    if recipe.lm.transcripts:
        normalizer = Normalizer(recipe.normalizer)
        texts = [normalizer(one.text or "") for one in read_usable(folders, "train")]
        write_text(output / _TRANSCRIPTS, "".join(f"{text}\n" for text in texts))
        paths.insert(0, output / _TRANSCRIPTS)
    if not paths:
        raise ConfigError("lm: neither transcripts nor text to learn a language model from")
    trained = train_ngrams(paths, recipe.lm, normalizer=recipe.normalizer)
    model = trained.model
    with count_bar("writing", len(model)) as progress:
        write_arpa(output / LANGUAGE_MODEL, model, progress)
    if recipe.lm.unit == "words":
        write_text(output / WORDS, "".join(f"{word}\n" for word in model.words[len(SPECIAL) :]))
    counts = ", ".join(f"{len(one):,} {n}-grams" for n, one in enumerate(model.ngrams, start=1))
    _say(f"{trained.words:,} {recipe.lm.unit} of text; {counts}")
    rule = text_rule(recipe.normalizer, recipe.lm.unit)
    lines = "".join(f"{one.text or ''}\n" for one in read_usable(folders, "dev"))
    dev = measure_perplexity(model, close_vocabulary(*number_words([rule(lines)]), model.words)[0])
    _say(f"dev: perplexity {dev.all:.1f}, {dev.unknown_rate:.2%} of the words unknown to it")


def tune(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 8: the model folder, with the decoder that makes the fewest errors on dev.

    The emissions of dev are computed once. Whatever decodes them, the confidences of its words are
    calibrated.

    Raises:
        DataError: a recording cannot be used; all that cannot are named.
    """
    for path in folders["average"].glob("model.*"):
        shutil.copyfile(path, output / path.name)
    bundle = load_bundle(folders["average"], choose_device(device))
    log_probs, references = _emissions(recipe, folders, bundle)
    greedy = [greedy_decode(rows, bundle.tokens) for rows in log_probs]
    rates = {"greedy": _count(greedy, references)}
    best, found, penalty = greedy, None, None
    settings = recipe.decoding.search
    if recipe.lm is not None:
        decoder = load_decoder(folders["lm"], bundle.tokens, settings)
        _warn_of_spelling(recipe.lm, folders["lm"], decoder)
        found = tune_weights(decoder, settings, log_probs, references, bundle.tokens)
        rates |= {"language model": found.before, "tuned": found.after}
        settings = found.settings
        best = [decoder.with_settings(settings)(rows)[0] for rows in log_probs]
        penalty, best = _tune_penalty(best, log_probs, references, bundle, decoder)
        rates |= {"with words outside the lexicon": _count(best, references)}
    for name, counts in rates.items():
        _say(f"dev, {name}: WER {counts.rate:.2%}")
    judged = _judge(best, log_probs, references, bundle)
    calibration = fit_calibration(judged)
    errors = [expected_calibration_error(judged, one) for one in (Calibration(), calibration)]
    _say(f"confidences: expected calibration error {errors[0]:.3f}, calibrated {errors[1]:.3f}")
    report = {
        "word_error_rates": {name: counts.rate for name, counts in rates.items()},
        "calibration_error": {"before": errors[0], "after": errors[1]},
        **(_grid(found) if found else {}),
    }
    write_text(output / "tune.json", json.dumps(report, indent=1) + "\n")
    language_model, words = folders["lm"] / LANGUAGE_MODEL, folders["lm"] / WORDS
    save_decoder(
        output,
        DecoderDescription(settings if found else None, calibration, penalty),
        language_model=language_model if language_model.exists() else None,
        words=read_words(words) if words.exists() else None,
    )


def _emissions(
    recipe: Recipe, folders: Mapping[str, Path], bundle: Bundle
) -> tuple[list[Tensor], list[str]]:
    """Log-probabilities (U, V) of dev and its normalised references."""
    utterances = read_usable(folders, "dev")
    answers = dict[str, Tensor | AsrError]()
    for utterance, answer in Recognizer(bundle).log_probs_all(utterances, recipe.decoding.batch):
        if isinstance(answer, AsrError):
            raise answer
        answers[utterance.id] = answer
    normalizer = Normalizer(recipe.normalizer)
    references = [normalizer(one.text or "") for one in utterances]
    return [answers[one.id] for one in utterances], references  # type: ignore[misc]


def _tune_penalty(
    hypotheses: list[Hypothesis],
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    bundle: Bundle,
    decoder: BeamDecoder,
) -> tuple[float | None, list[Hypothesis]]:
    """The spelling penalty with the fewest errors, None if none is better; and what it makes."""
    chosen, best = None, hypotheses
    for penalty in _PENALTIES if decoder.lexicon is not None else ():
        reviser = Reviser(bundle.tokens, lexicon=decoder.lexicon, spelling_penalty=penalty)
        pairs = zip(hypotheses, log_probs, strict=True)
        revised = [reviser(one, rows) for one, rows in pairs]
        if _count(revised, references).errors < _count(best, references).errors:
            chosen, best = penalty, revised
    return chosen, best


def _count(hypotheses: Sequence[Hypothesis], references: Sequence[str]) -> ErrorCounts:
    pairs = zip(references, hypotheses, strict=True)
    return sum_counts(word_errors(reference, one.text) for reference, one in pairs)


def _judge(
    hypotheses: Sequence[Hypothesis],
    log_probs: Sequence[Tensor],
    references: Sequence[str],
    bundle: Bundle,
) -> list[Judged]:
    """Of every word that was recognised: how sure the model was, and whether it was right."""
    judged = []
    for one, rows, reference in zip(hypotheses, log_probs, references, strict=True):
        words = align_words(rows, bundle.tokens.encode(one.text), bundle.tokens)
        edits = [edit for edit in align_texts(reference, one.text).edits if edit.kind != "delete"]
        judged += [
            Judged(word.log_prob, edit.kind == "equal")
            for word, edit in zip(words, edits, strict=True)
        ]
    return judged


def _grid(found: Tuned) -> dict[str, Any]:
    return {
        "lm_weights": found.grid.lm_weights.tolist(),
        "word_bonuses": found.grid.word_bonuses.tolist(),
        "errors": found.grid.errors.tolist(),
        "words": found.grid.words,
        "searches": found.rounds,
        "oracle_word_error_rate": found.oracle.rate,
    }


def _warn_of_spelling(settings: LanguageModelSettings, folder: Path, decoder: BeamDecoder) -> None:
    if settings.unit == "words":
        words = read_words(folder / WORDS)
        missing = len(words) - len(decoder.lexicon or ())
        if missing:
            _say(f"{missing:,} of {len(words):,} words cannot be spelled with the model's tokens")


def _say(words: str) -> None:
    print(f"    {words}", file=sys.stderr, flush=True)
