"""Scoring of made-up transcripts: seconds for 100,000 utterances, from files to intervals.

    python benchmarks/scoring.py --utterances 100000

Prints what each step takes, for one system and for two compared.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from asr.scoring.analysis import Questions, analyse
from asr.scoring.bootstrap import Bootstrap
from asr.scoring.comparison import compare
from asr.scoring.test_set import read_test_set
from asr.text import Normalizer

_Answer = TypeVar("_Answer")
_VOCABULARY = [f"word{number}" for number in range(20_000)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=15, help="in each utterance")
    parser.add_argument("--speakers", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), chosen)
        started = time.perf_counter()
        test_set = timed("read, match", lambda: read_test_set(files[0], files[1:]))
        rule = Normalizer.for_scoring("basic")
        questions = Questions(Bootstrap(chosen.resamples), by=("speaker", "duration"))
        analyses = [
            timed(
                f"align, count, slices: {system.name}",
                lambda system=system: analyse(
                    test_set, system, normalizer=rule, questions=questions
                ),
            )
            for system in test_set.systems
        ]
        timed("intervals", lambda: analyses[0].scored.intervals)
        one = time.perf_counter() - started
        timed("two systems compared", lambda: compare(*(one.scored for one in analyses)))
        print(f"{'all':<40} {one:8.1f} s and {time.perf_counter() - started - one:.1f} s")


def timed(what: str, work: Callable[[], _Answer]) -> _Answer:
    """Do it, and print how long it took."""
    started = time.perf_counter()
    answer = work()
    print(f"{what:<40} {time.perf_counter() - started:8.1f} s")
    return answer


def write_files(folder: Path, chosen: argparse.Namespace) -> list[Path]:
    """A manifest and two hypothesis files with one word in ten wrong."""
    rng = random.Random(1)
    paths = [folder / name for name in ("ref.jsonl", "a.jsonl", "b.jsonl")]
    lines: list[list[str]] = [[], [], []]
    for number in range(chosen.utterances):
        words = rng.choices(_VOCABULARY, k=rng.randrange(1, 2 * chosen.words))
        record = {
            "id": f"u{number:06d}",
            "audio_filepath": "a.wav",
            "duration": 0.4 * len(words),
            "text": " ".join(words),
            "speaker": f"s{rng.randrange(chosen.speakers)}",
        }
        lines[0].append(json.dumps(record))
        for side in (1, 2):
            heard = " ".join(corrupted(words, rng))
            lines[side].append(json.dumps({"id": record["id"], "text": heard}))
    for path, content in zip(paths, lines, strict=True):
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
    return paths


def corrupted(words: list[str], rng: random.Random) -> list[str]:
    """The words with a tenth of them dropped, doubled or replaced."""
    heard = []
    for word in words:
        draw = rng.random()
        if draw < 0.03:
            continue
        heard.append(rng.choice(_VOCABULARY) if draw < 0.08 else word)
        if draw > 0.98:
            heard.append(rng.choice(_VOCABULARY))
    return heard


if __name__ == "__main__":
    main()
