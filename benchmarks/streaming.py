"""How long `asr transcribe --stream` takes to say what it hears.

    python benchmarks/streaming.py --model exp/mini --manifest exp/mini/01_prepare/dev.jsonl

Each utterance comes in pieces, as a recorder would bring it, with silence after it, against a clock
that counts the sound and the time computing takes; a piece that arrives while the last is still
being worked on waits. Three latencies: from the end of the first word to the first result with
any word; from the end of a word to the first result that has it as it stays; from the end of the
last word to the final result. Word ends are the model's own, of the finished transcript.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from asr.audio import resample
from asr.bundle import Bundle, load_bundle
from asr.dataset import FrontEnd
from asr.emission_decoder import DecodingOptions, EmissionDecoder
from asr.live.transcriber import LiveTranscriber, Result
from asr.manifest import Utterance, read_manifest

SILENCE = 2.0  # seconds after each utterance


@dataclass(frozen=True)
class Answer:
    """A result, and when it was there: seconds after the first sample was spoken."""

    moment: float
    result: Result


def main() -> None:
    """Print the latencies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--utterances", type=int, default=20)
    parser.add_argument("--piece", type=float, default=0.1, help="seconds of sound at a time")
    parser.add_argument("--no-lm", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(chosen.model)
    decoder = EmissionDecoder.load(chosen.model, DecodingOptions(greedy=chosen.no_lm))
    utterances = read_manifest(chosen.manifest)
    step = max(1, len(utterances) // chosen.utterances)
    first: list[float] = []
    stable: list[float] = []
    final: list[float] = []
    worked = heard = 0.0
    for utterance in utterances[::step][: chosen.utterances]:
        samples = sound(bundle, utterance)
        live = LiveTranscriber(bundle, decoder)
        answers, busy = listen(live, samples, bundle.features.sample_rate, chosen.piece)
        worked, heard = worked + busy, heard + len(samples) / bundle.features.sample_rate
        take(answers, first, stable, final)
    how = "carries its state" if live.exact else "hears anew what is not final"
    print(f"{len(first)} utterances, {heard:.0f} s; the model {how}; one thread")
    for name, found in (("first word", first), ("each word", stable), ("final", final)):
        middle, late = np.quantile(found, [0.5, 0.95])
        print(f"{name:<12} median {middle:5.2f} s, 95 % within {late:5.2f} s")
    print(f"computing takes {worked / heard:.0%} of the time")


def sound(bundle: Bundle, utterance: Utterance) -> NDArray[np.float32]:
    """Samples (N,) at the model's rate, with faint noise after them."""
    front_end: FrontEnd = bundle.front_end
    rate = bundle.features.sample_rate
    samples = resample(front_end.load(utterance), rate).samples
    noise = np.random.default_rng(0).normal(0, 1e-4, round(SILENCE * rate))
    return np.concatenate([samples, noise.astype(np.float32)])


def listen(
    live: LiveTranscriber, samples: NDArray[np.float32], rate: int, piece: float
) -> tuple[list[Answer], float]:
    """What came of a stream and when, and the seconds spent computing."""
    answers: list[Answer] = []
    count = max(1, round(piece * rate))
    clock = worked = 0.0
    for start in range(0, len(samples), count):
        part = samples[start : start + count]
        clock = max(clock, (start + len(part)) / rate)  # it cannot be heard before it was spoken
        began = time.perf_counter()
        for result in live.add(part):
            answers.append(Answer(clock + time.perf_counter() - began, result))
        spent = time.perf_counter() - began
        clock, worked = clock + spent, worked + spent
    answers += [Answer(clock, result) for result in live.finish()]
    return answers, worked


def take(
    answers: Sequence[Answer], first: list[float], stable: list[float], final: list[float]
) -> None:
    """Add the latencies of one utterance to those of the others."""
    words = [word for one in answers if one.result.final for word in one.result.words]
    if not words:
        return
    first.append(next(one.moment for one in answers if one.result.words) - words[0].end)
    last = next(one.moment for one in reversed(answers) if one.result.final)
    final.append(last - words[-1].end)
    # Results up to some moment, final ones and the last partial one, as the reader sees them.
    seen: list[tuple[float, list[str]]] = []
    settled: list[str] = []
    for one in answers:
        texts = [word.text for word in one.result.words]
        seen.append((one.moment, settled + texts))
        if one.result.final:
            settled = settled + texts
    texts = [word.text for word in words]
    for place, word in enumerate(words):
        since = None
        for moment, shown in reversed(seen):
            if shown[: place + 1] != texts[: place + 1]:
                break
            since = moment
        if since is not None:
            stable.append(since - word.end)


if __name__ == "__main__":
    main()
