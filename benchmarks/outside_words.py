"""Words outside the lexicon: how many of them are written, and what that costs the others.

    python benchmarks/outside_words.py --model exp/digits --dev exp/digits/01_prepare/dev.jsonl \
        --test exp/digits/01_prepare/test.jsonl --leave-out seven four

The lexicon is made of the words of dev. A search with all of it, and one without the words that
are left out: that one with and without the words that the model spells by ear, for which a penalty
is chosen on dev.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from asr.batching import BatchSettings
from asr.bundle import Bundle, load_bundle
from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.lexicon import spell
from asr.decoding.revision import Reviser
from asr.manifest import read_manifest
from asr.scoring.error_rate import align_words
from asr.tuning.model import DevelopmentSet, tune_decoder
from asr.tuning.report import compute_development_set


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="of letters or pieces of words")
    parser.add_argument("--dev", type=Path, required=True, help="manifest to tune on")
    parser.add_argument("--test", type=Path, required=True, help="manifest to measure on")
    parser.add_argument("--leave-out", nargs="+", required=True, metavar="WORD")
    parser.add_argument("--beam", type=int, default=50)
    chosen = parser.parse_args()
    bundle = load_bundle(chosen.model)
    dev, test = (heard(bundle, path) for path in (chosen.dev, chosen.test))
    everything = sorted({word for text in dev.references for word in text.split()})
    some = [word for word in everything if word not in chosen.leave_out]
    print(f"{'':<48} {'WER':>7} {'left out, found':>16} {'others wrong':>13}")
    for name, words in (("all words", everything), (f"{len(some)} of {len(everything)}", some)):
        search(name, words, dev, test, chosen.leave_out, chosen.beam)


def heard(bundle: Bundle, manifest: Path) -> DevelopmentSet:
    """Log-probabilities of all utterances, and what was said."""
    return compute_development_set(bundle, read_manifest(manifest), BatchSettings())


def search(
    name: str,
    words: Sequence[str],
    dev: DevelopmentSet,
    test: DevelopmentSet,
    left_out: Sequence[str],
    beam: int,
) -> None:
    """The rows of one lexicon."""
    lexicon = spell(words, dev.tokens)
    decoder = BeamDecoder(dev.tokens, BeamSettings(beam=beam), lexicon=lexicon)
    described = tune_decoder(dev, decoder=decoder, settings=decoder.settings).description
    assert described.settings is not None
    tuned = decoder.with_settings(described.settings)
    found = [tuned(rows)[0] for rows in test.log_probs]
    report(f"{name}, no others", found, test, left_out)
    penalty = described.spelling_penalty
    if penalty is not None:
        reviser = Reviser(test.tokens, lexicon=lexicon, spelling_penalty=penalty)
        revised = [reviser(one, rows) for one, rows in zip(found, test.log_probs, strict=True)]
        report(f"{name}, others {penalty:g} nats more probable", revised, test, left_out)


def report(
    name: str, hypotheses: Sequence[Hypothesis], test: DevelopmentSet, left_out: Sequence[str]
) -> None:
    """Print a row."""
    there = right = others = wrong = 0
    for reference, one in zip(test.references, hypotheses, strict=True):
        for edit in align_words(reference, one.text).edits:
            if edit.kind != "insert" and edit.reference in left_out:
                there += 1
                right += edit.kind == "equal"
            else:
                others += edit.kind != "insert"
                wrong += edit.kind != "equal"
    rate = f"{test.count(hypotheses).rate:.2%}"
    print(f"{name:<48} {rate:>7} {f'{right} of {there}':>16} {wrong / max(1, others):>13.2%}")


if __name__ == "__main__":
    main()
