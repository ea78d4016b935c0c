"""Stages 5 and 8: the language models, and the weights that decode best with them."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from asr.bundle import load_bundle
from asr.decoding.folder import WORDS, copy_language_model, load_decoder
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.decoding.lexicon import read_words, write_lexicon
from asr.errors import ConfigError
from asr.files import write_text
from asr.lm.counts import UNKNOWN, Numbers
from asr.lm.packed import write_packed
from asr.lm.perplexity import measure_perplexity
from asr.lm.settings import Unit
from asr.lm.text import SPECIAL, close_vocabulary, number_words, read_lines
from asr.lm.training import byte_bar, text_rule, train_ngrams
from asr.recipe.config import Recipe, RecurrentSettings
from asr.recipe.corpus import read_learnable, read_usable
from asr.rnnlm.model import RecurrentLM, has_rnn, load_rnn, save_rnn
from asr.rnnlm.training import train_rnn
from asr.text import Normalizer
from asr.tokens import TokenTable
from asr.training.checkpoint import CHECKPOINT
from asr.training.distributed import choose_device
from asr.tuning.report import compute_development_set, write_tuned
from asr.tuning.spelling import warn_of_spelling
from asr.weights import Storage

_TRANSCRIPTS = "transcripts.txt"
_NOTHING = "The recipe has no section `lm`: there is no language model.\n"


def estimate(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 5: the language models and the lexicon, where the recipe asks for one.

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
    write_packed(output / LANGUAGE_MODEL, model)
    if recipe.lm.unit == "words":
        write_text(output / WORDS, "".join(f"{word}\n" for word in model.words[len(SPECIAL) :]))
    counts = ", ".join(f"{len(one):,} {n}-grams" for n, one in enumerate(model.ngrams, start=1))
    _say(f"{trained.words:,} {recipe.lm.unit} of text; {counts}")
    if odd := trained.fallbacks:
        _say(odd)
    read = _reader(recipe, recipe.lm.unit)
    lines = "".join(f"{one.text or ''}\n" for one in read_usable(folders, "dev"))
    dev = measure_perplexity(model, read([lines], model.words), "the transcripts of dev")
    _say(f"dev: perplexity {dev.all:.1f}, {dev.unknown_rate:.2%} of the words unknown to it")
    if recipe.lm.rnn is not None:
        _estimate_recurrent(recipe, recipe.lm.rnn, paths, lines, model.words, output, device)


def _estimate_recurrent(
    recipe: Recipe,
    settings: RecurrentSettings,
    paths: Sequence[Path],
    dev: str,
    words: list[str],
    output: Path,
    device: str,
) -> None:
    """Train the recurrent language model, or go on where it was stopped."""
    read = _reader(recipe, "words")
    with byte_bar("reading text", paths) as progress:
        text = read(read_lines(paths, progress), words)
    torch.manual_seed(recipe.seed)
    # The softmax wants its words by falling frequency.
    counts = np.bincount(text, minlength=len(words))
    frequent = np.argsort(-counts[len(SPECIAL) :], kind="stable") + len(SPECIAL)
    kept = [*range(len(SPECIAL)), *frequent[: settings.vocabulary]]
    number = np.full(len(words), UNKNOWN, dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    # Where none is left out, <unk> stands for what the n-gram model lacks, as one word.
    outside = max(1, len(words) - len(kept))
    rnn = RecurrentLM(settings.model, [words[one] for one in kept], outside)
    perplexity = train_rnn(
        rnn,
        number[text],
        number[read([dev], words)],
        settings.training,
        folder=output,
        seed=recipe.seed,
        device=choose_device(device),
    )
    save_rnn(output, rnn.cpu())
    (output / CHECKPOINT).unlink(missing_ok=True)
    _say(f"dev: perplexity {perplexity:.1f} by the recurrent language model")


def _reader(recipe: Recipe, unit: Unit) -> Callable[[Iterable[str], list[str]], Numbers]:
    """Lines of text -> numbers (N,) of the given words."""
    rule = text_rule(recipe.normalizer, unit)

    def read(lines: Iterable[str], words: list[str]) -> Numbers:
        return close_vocabulary(*number_words(map(rule, lines)), words)[0]

    return read


def tune(recipe: Recipe, folders: Mapping[str, Path], output: Path, device: str) -> None:
    """Stage 8: the model folder, with the decoder that makes the fewest errors on dev.

    The emissions of dev are computed once. Whatever decodes them, the confidences of its words are
    calibrated.

    Raises:
        DataError: a recording cannot be used.
    """
    for path in folders["average"].glob("model.*"):
        shutil.copyfile(path, output / path.name)
    where = choose_device(device)
    bundle = replace(load_bundle(folders["average"], where), warps=recipe.decoding.warps)
    decoder, search = None, recipe.decoding.search
    if recipe.lm is not None:
        _place(folders["lm"], output, bundle.tokens, recipe.export.weights)
    if recipe.searches:
        decoder = load_decoder(output, bundle.tokens, search)
        warn_of_spelling(output, decoder, bundle.tokens)
    dev = compute_development_set(bundle, read_learnable(folders, "dev"), recipe.decoding.batch)
    write_tuned(dev, decoder, search, source=output, output=output, device=str(where))


def _place(source: Path, output: Path, tokens: TokenTable, storage: Storage) -> None:
    """Copy the language models of stage 5, the lexicon spelled as the model spells."""
    copy_language_model(source, output)
    if (source / WORDS).exists():
        write_lexicon(output / WORDS, read_words(source / WORDS), tokens)
    if has_rnn(source):
        save_rnn(output, load_rnn(source), storage)


def _say(words: str) -> None:
    print(f"    {words}", file=sys.stderr, flush=True)
