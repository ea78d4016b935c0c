"""How small a language model is in a model folder, and how fast it and its lexicon are opened.

    asr lm train books.txt.xz -o lm.arpa.gz --vocabulary 100000 --keep 4000000
    python benchmarks/opening.py lm.arpa.gz --text dev.txt

The same model as an ARPA file, read by KenLM, and packed as model folders hold it; the words
spelled in characters. With a text, what rounding the probabilities does to its perplexity. The best
of three times each, in one process.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.folder import LANGUAGE_MODEL, WORDS, load_decoder, place_language_model
from asr.decoding.language_model import open_language_model
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.packed import read_packed
from asr.lm.perplexity import measure_perplexity
from asr.lm.text import SPECIAL
from asr.lm.training import read_numbered
from asr.tokens import Characters


def main() -> None:
    """Print sizes, times and perplexities."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arpa", type=Path, help="an ARPA file")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="for the perplexity")
    chosen = parser.parse_args()
    model = read_arpa(chosen.arpa)
    words = model.words[len(SPECIAL) :]
    tokens = Characters.learn([*words, " "])
    print(f"{len(model) - len(model.words):,} n-grams of {len(words):,} words, order {model.order}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place_language_model(folder, model, words, tokens)
        packed = read_packed(folder / LANGUAGE_MODEL)
        whole = folder / "lm.arpa.gz"  # with the suffixes that KenLM wants
        write_arpa(whole, packed, lambda _: None)
        for path in (chosen.arpa, folder / LANGUAGE_MODEL, folder / WORDS):
            print(f"{path.name:<20} {path.stat().st_size / 1e6:8.1f} MB")
        names = Dictionary([*words, SPECIAL[0]])
        settings = BeamSettings()
        report("KenLM, ARPA file", lambda: KenLM(str(whole), names))
        report("packed", lambda: open_language_model(folder / LANGUAGE_MODEL, names))
        report("packed, and lexicon", lambda: load_decoder(folder, tokens, settings))
        (folder / LANGUAGE_MODEL).unlink()
        report("lexicon alone", lambda: load_decoder(folder, tokens, settings))
    if chosen.text:
        for kind, one in (("as it was", model), ("packed", packed)):
            text = read_numbered(chosen.text, one, "none", "words")
            print(f"perplexity, {kind:<12} {measure_perplexity(one, text).all:10.2f}")


def report(name: str, load: Callable[[], KenLM | BeamDecoder]) -> None:
    """Print how long something takes to load."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        loaded = load()
        seconds.append(time.perf_counter() - started)
        del loaded
    print(f"{name:<20} {min(seconds):8.2f} s")


if __name__ == "__main__":
    main()
