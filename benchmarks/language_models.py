"""What each step of decoding brings, on the same log-probabilities.

    python benchmarks/language_models.py --model exp/mini --manifest exp/mini/01_prepare/dev.jsonl \
        --transcripts exp/mini/01_prepare/train.jsonl --text books.txt.xz --rnn exp/mini/05_lm

Greedily, by beam search without anything, with a lexicon, with language models of the training
transcripts and of more text, and with a recurrent language model on top. The weights of each row
are tuned on the manifest itself, so that all rows are a little too good, and equally so. The last
columns are the model's perplexity there, the share of words it does not know, and how many times
faster than real time one core decodes, the acoustic model left out.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asr.batching import BatchSettings
from asr.bundle import load_bundle
from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.greedy import greedy_decode
from asr.decoding.lexicon import Lexicon, spell
from asr.decoding.pool import DecodingPool
from asr.lm.packed import write_packed
from asr.lm.perplexity import measure_perplexity
from asr.lm.settings import NgramSettings
from asr.lm.text import SPECIAL
from asr.lm.training import read_numbered, train_ngrams
from asr.manifest import read_manifest
from asr.rnnlm.model import load_rnn
from asr.scoring.error_rate import ErrorCounts, sum_counts, word_errors
from asr.training.distributed import usable_cores
from asr.tuning.model import (
    BLANK_PENALTY,
    OUTSIDE,
    RANKED,
    RESCORED,
    DevelopmentSet,
    tune_decoder,
)
from asr.tuning.report import compute_development_set


@dataclass(frozen=True)
class Ngrams:
    """A language model to be tried."""

    name: str
    texts: Sequence[Path]
    settings: NgramSettings


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True, help="what is decoded")
    parser.add_argument("--transcripts", type=Path, required=True, help="manifest of the training")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="more text")
    parser.add_argument("--rnn", type=Path, help="folder with a recurrent language model")
    parser.add_argument("--vocabulary", type=int, default=100_000)
    parser.add_argument("--keep", type=int, default=4_000_000, help="n-grams after pruning")
    parser.add_argument("--beam", type=int, default=100)
    chosen = parser.parse_args()
    bundle = load_bundle(chosen.model)
    utterances = read_manifest(chosen.manifest)
    dev = compute_development_set(bundle, utterances, BatchSettings())
    seconds = sum(one.duration for one in utterances)
    settings = BeamSettings(beam=chosen.beam)
    print(f"{'':<52} {'WER':>8} {'oracle':>8} {'ppl':>7} {'OOV':>7} {'x real time':>12}")
    started = time.perf_counter()
    greedy = dev.count([greedy_decode(rows, dev.tokens) for rows in dev.log_probs])
    report("greedy", greedy, speed=seconds / (time.perf_counter() - started))
    searched(f"beam {chosen.beam}", BeamDecoder(dev.tokens, settings), dev, seconds)
    normalizer = bundle.normalizer
    with tempfile.TemporaryDirectory() as folder:
        said, heard = Path(folder) / "said.txt", Path(folder) / "dev.txt"
        texts = [normalizer(one.text or "") for one in read_manifest(chosen.transcripts)]
        said.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        heard.write_text("".join(f"{text}\n" for text in dev.references), encoding="utf-8")
        everything = [said, *chosen.text]
        pruned = {"vocabulary": chosen.vocabulary, "keep": chosen.keep}
        models = [
            Ngrams("lexicon alone", everything, NgramSettings(order=2, **pruned)),
            Ngrams("3-gram of the transcripts", [said], NgramSettings(order=3)),
            Ngrams("3-gram of all text", everything, NgramSettings(order=3, **pruned)),
            Ngrams("4-gram of all text", everything, NgramSettings(order=4, **pruned)),
        ]
        lexicons: dict[tuple[str, ...], Lexicon] = {}  # pronouncing what is new takes minutes
        for one in models:
            trained = train_ngrams(one.texts, one.settings, normalizer=normalizer.name).model
            packed = Path(folder) / "lm.safetensors"
            write_packed(packed, trained)
            words = trained.words[len(SPECIAL) :]
            alone = one.name == "lexicon alone"
            if tuple(words) not in lexicons:
                lexicons[tuple(words)] = spell(words, dev.tokens)
            load = partial(
                BeamDecoder,
                dev.tokens,
                settings.model_copy(update={"lm_weight": 0.0}) if alone else settings,
                lexicon=lexicons[tuple(words)],
                language_model=None if alone else packed,
            )
            text = read_numbered([heard], trained, "none", "words")
            measured = measure_perplexity(trained, text)
            name = f"{one.name}, {len(words):,} words"
            if not alone:
                name += f", {len(trained) / 1e6:.1f} M n-grams"
            perplexity = None if alone else measured.all
            rnn = chosen.rnn if one is models[-1] else None
            tune(name, load, dev, seconds, perplexity, measured.unknown_rate, rnn)


def searched(name: str, decoder: BeamDecoder, dev: DevelopmentSet, seconds: float) -> None:
    """A search with nothing to tune."""
    wide = decoder.with_settings(decoder.settings.model_copy(update={"nbest": 100}))
    started = time.perf_counter()
    lists = [wide(rows) for rows in dev.log_probs]
    speed = seconds / (time.perf_counter() - started)
    oracle = sum_counts(
        min((word_errors(reference, one.text) for one in found), key=lambda counts: counts.errors)
        for reference, found in zip(dev.references, lists, strict=True)
    )
    report(name, dev.count([found[0] for found in lists]), oracle=oracle, speed=speed)


def tune(
    name: str,
    load: Callable[[], BeamDecoder],
    dev: DevelopmentSet,
    seconds: float,
    perplexity: float | None,
    unknown: float,
    rnn: Path | None,
) -> None:
    """A search whose weights are tuned, and what comes after it."""
    model = None if rnn is None else load_rnn(rnn)
    decoder = load()
    with DecodingPool(load, usable_cores()) as pool:
        tuned = tune_decoder(dev, decoder=decoder, settings=decoder.settings, rnn=model, pool=pool)
    weights = tuned.weights
    assert weights is not None
    best = decoder.with_settings(weights.settings)
    started = time.perf_counter()
    for rows in dev.log_probs:
        best(rows)
    speed = seconds / (time.perf_counter() - started)
    report(
        name,
        weights.plain,
        oracle=weights.oracle,
        perplexity=perplexity,
        unknown=unknown,
        speed=speed,
    )
    more = {
        BLANK_PENALTY: "  + blank penalty",
        RANKED: "  + ranked by all paths",
        RESCORED: "  + recurrent model",
        OUTSIDE: "  + words outside it",
    }
    for key, what in more.items():
        if key in tuned.rates:
            report(what, tuned.rates[key])
    before, after = tuned.calibration_errors
    print(
        f"    weight {weights.settings.lm_weight:g}, bonus {weights.settings.word_bonus:g}, blank "
        f"penalty {weights.settings.blank_penalty:g}; "
        f"untuned {weights.before.rate:.2%}; calibration error {before:.3f}, then {after:.3f}",
        flush=True,
    )


def report(
    name: str,
    counts: ErrorCounts,
    *,
    oracle: ErrorCounts | None = None,
    perplexity: float | None = None,
    unknown: float | None = None,
    speed: float | None = None,
) -> None:
    """Print a row."""
    cells = [
        f"{counts.rate:.2%}",
        "" if oracle is None else f"{oracle.rate:.2%}",
        "" if perplexity is None else f"{perplexity:.0f}",
        "" if unknown is None else f"{unknown:.2%}",
        "" if speed is None else f"{speed:.0f}",
    ]
    widths = (8, 8, 7, 7, 12)
    row = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    print(f"{name:<52} {row}", flush=True)


if __name__ == "__main__":
    main()
