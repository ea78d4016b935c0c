"""The report of many made-up utterances: how large it is, and how fast it opens in Chromium.

    python benchmarks/report.py --utterances 10000

Prints the size of the page, the time to write it, and, where there is Chromium, the time until it
is loaded and painted, and what a search over all utterances, a sort and the turn of a page take.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from asr.illustration.exhibition import PICTURES, Exhibition
from asr.manifest import Utterance
from asr.scoring.analysis import Questions, analyse
from asr.scoring.report import write_report
from asr.scoring.test_set import System, TestSet
from asr.scoring.transcripts import transcripts_of
from asr.text import Normalizer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser import BROWSERS, Page, open_browser
from programs import installed

_VOCABULARY = [f"word{number}" for number in range(20_000)]
_RATE, _SECONDS = 16000, 10.0
_PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utterances", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=15, help="in each utterance, about")
    parser.add_argument("--speakers", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        utterances, test_set = make_set(folder, chosen)
        page = folder / "exp/10_score/report.html"
        started = time.perf_counter()
        write_page(page, utterances, test_set, chosen.pictures)
        print(f"scored and written  {time.perf_counter() - started:8.2f} s")
        print(f"size of the page    {page.stat().st_size / 1e6:8.2f} MB")
        if installed(BROWSERS) is None:
            print("no Chromium: not opened")
            return
        with open_browser(folder / "profile") as browser:
            measure(browser, page)


def make_set(folder: Path, chosen: argparse.Namespace) -> tuple[list[Utterance], TestSet]:
    """Utterances with a recording each (of noise, one under many names), one word in ten wrong."""
    rng, audio = random.Random(1), folder / "corpora/english/test"
    audio.mkdir(parents=True)
    noise = np.random.default_rng(1).normal(0, 0.05, round(_SECONDS * _RATE))
    soundfile.write(folder / "noise.wav", noise, _RATE)
    utterances, heard = [], {}
    for number in range(chosen.utterances):
        path = audio / f"speaker-{number % chosen.speakers:04d}-{number:06d}.wav"
        os.link(folder / "noise.wav", path)
        said = rng.choices(_VOCABULARY, k=rng.randrange(1, 2 * chosen.words))
        words = [
            {
                "text": rng.choice(_VOCABULARY) if rng.random() < 0.1 else word,
                "start": 0.3 * place,
                "end": 0.3 * place + 0.2,
                "confidence": round(rng.random() ** 0.2, 4),
            }
            for place, word in enumerate(said)
        ]
        speaker = f"{number % chosen.speakers:04d}"
        utterances.append(Utterance(path.stem, path, _SECONDS, " ".join(said), speaker=speaker))
        heard[path.stem] = {"text": " ".join(str(one["text"]) for one in words), "words": words}
    said_all = transcripts_of(utterances)
    system = System("test", {key: str(one["text"]) for key, one in heard.items()}, heard, 0)
    return utterances, TestSet(said_all.texts, said_all.attributes, [system], [])


def write_page(path: Path, utterances: list[Utterance], test_set: TestSet, pictures: int) -> None:
    """As stage 10 of a recipe does, without a model."""
    rule, (system,) = Normalizer("basic"), test_set.systems
    analysis = analyse(test_set, system, normalizer=rule, questions=Questions())
    exhibition = Exhibition(path.parent, rule, utterances, pictures)
    reported, errors = exhibition.report(test_set, system, analysis)
    assert not errors
    write_report(path, [reported], title="benchmark", facts={})


def measure(browser: Page, path: Path) -> None:
    """Open it five times, and use it; the medians."""
    opened, painted = [], []
    for _ in range(5):
        started = time.perf_counter()
        opened.append(browser.open(path))
        browser.run(_PAINTED)
        painted.append(time.perf_counter() - started)
    print(f"loaded              {np.median(opened):8.2f} s")
    print(f"painted             {np.median(painted):8.2f} s")
    search = "document.querySelector('[type=search]')"
    type_word = f"{search}.value = 'word77'; {search}.dispatchEvent(new Event('input'))"
    for what, action in {
        "first search": type_word,
        "second search": type_word.replace("77", "78"),
        "sort by id": "document.querySelector('.utterances thead button').click()",
        "next page": "document.querySelector('.on').click()",
    }.items():
        taken = browser.run(
            f"(async () => {{ const begun = performance.now(); {action}; await {_PAINTED};"
            "return performance.now() - begun; })()"
        )
        print(f"{what:<20}{taken / 1000:8.2f} s")
    assert not browser.complaints, browser.complaints


if __name__ == "__main__":
    main()
