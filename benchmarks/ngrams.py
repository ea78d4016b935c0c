"""How long estimating an n-gram model takes, step by step, and how much memory.

    python benchmarks/ngrams.py books.txt.xz --order 3 --vocabulary 100000 --keep 4000000

The memory is the most that the process has had, Python and its libraries included.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from asr.lm.arpa import write_arpa
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams


def main() -> None:
    """Print the seconds of each step, and the memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, nargs="+", help="one sentence a line; .gz and .xz too")
    parser.add_argument("--order", type=int, default=3)
    parser.add_argument("--vocabulary", type=int, help="the most frequent words; else all")
    parser.add_argument("--keep", type=int, help="n-grams that pruning leaves; else all")
    chosen = parser.parse_args()
    given = {"order": chosen.order, "vocabulary": chosen.vocabulary, "keep": chosen.keep}
    started = time.monotonic()
    trained = train_ngrams(chosen.text, NgramSettings.parse(given, "benchmark"))
    writing = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        write_arpa(Path(folder) / "lm.arpa.gz", trained.model, lambda _: None)
    ended = time.monotonic()
    print(f"{trained.words:,} words, {trained.sentences:,} sentences")
    for order, ngrams in enumerate(trained.model.ngrams, start=1):
        print(f"{len(ngrams):,} {order}-grams")
    for step, seconds in (trained.seconds | {"writing": ended - writing}).items():
        print(f"{step:<12} {seconds:8.1f} s")
    print(f"{'all':<12} {ended - started:8.1f} s")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kibibytes = most / 1024 if sys.platform == "darwin" else most  # bytes there
    print(f"{'memory':<12} {kibibytes / 2**20:8.2f} GiB")


if __name__ == "__main__":
    main()
