"""What length costs: memory of long recordings, and errors where they are heard in windows.

    python benchmarks/long_audio.py               # 10 minutes and 10 hours, an untrained model
    python benchmarks/long_audio.py --format json           # with the times of all its words
    python benchmarks/long_audio.py --format json --model exp/mini --speech talk.flac
    python benchmarks/long_audio.py --model exp/mini --stitching talk.flac other.wav
    python benchmarks/long_audio.py --model exp/mini --manifest exp/mini/01_prepare/dev.jsonl

The untrained model says a word now and then. Memory is the peak of the process and of those that
search for it, together; what each hour adds is what its words take, on their way to the output.

`--stitching` tells by how much log-probabilities that were heard in windows and joined differ from
those of the whole recording heard at once (`--seconds` of each; of noise where none is named). A
model that normalises what it hears at once hears each window by itself.

The last joins the utterances of each speaker and chapter, as LibriSpeech names them, to one
recording with half a second between them, and counts the errors of the whole against those of
utterances heard one by one.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from asr.audio import Waveform, load_audio, resample
from asr.batching import BatchSettings
from asr.bundle import Bundle, load_bundle, save_bundle
from asr.dataset import FrontEnd
from asr.decoding.hypothesis import Hypothesis
from asr.emission_decoder import EmissionDecoder
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.features import FeatureExtractor, FeatureSettings
from asr.longform.stitching import Stitcher
from asr.longform.windows import WindowPlan, WindowSettings
from asr.manifest import Utterance, read_manifest
from asr.recognizer import Recognizer, decoding_pool
from asr.scoring.error_rate import sum_counts, word_errors
from asr.text import Normalizer
from asr.tokens import Characters
from asr.transcript.transcript import Transcript
from asr.transcription.transcriber import Recording, Transcriber

RATE = 16000
GAP_SECONDS = 0.5
MINUTE = 60
_LOOK_EVERY = 0.1  # seconds, at the memory


@dataclass(frozen=True)
class Cost:
    """What one command cost."""

    seconds: float
    megabytes: float  # at its peak


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="else an untrained one, 3 x 256")
    parser.add_argument("--manifest", type=Path, help="utterances to join; else memory is measured")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 600])
    parser.add_argument("--format", choices=("txt", "json"), default="txt", help="of the output")
    parser.add_argument("--speech", type=Path, help="a recording to repeat; else noise")
    parser.add_argument("--stitching", type=Path, nargs="*", help="recordings to compare on")
    parser.add_argument("--seconds", type=float, default=60, help="of each of them")
    chosen = parser.parse_args()
    if chosen.manifest is not None:
        compare(chosen.model, read_manifest(chosen.manifest))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.model or make_model(Path(folder) / "model")
        if chosen.stitching is not None:
            names = chosen.stitching or [write_noise(Path(folder) / "noise.wav", chosen.seconds)]
            compare_stitching(model, names, chosen.seconds)
            return
        measure_memory(model, chosen.minutes, chosen.format, chosen.speech, Path(folder))


def measure_memory(
    model: Path, lengths: Sequence[float], format: str, speech: Path | None, folder: Path
) -> None:
    """Print the peak at each length in minutes, and what an hour adds to it."""
    found = []
    for minutes in lengths:
        path = repeat(folder / "long.wav", minutes * MINUTE, speech)
        output = folder / f"long.{format}"
        cost = transcribe(model, path, "--format", format, "--output", str(output))
        words = count_words(output, format)
        speed = minutes * MINUTE / cost.seconds
        found.append((minutes / 60, cost.megabytes, words))
        print(
            f"{minutes:g} minutes: {words} words, {cost.megabytes:.0f} MB at the peak, "
            f"{cost.seconds:.1f} s, {speed:.0f} times real time",
            flush=True,
        )
    (hours, megabytes, words), (longest, most, many) = min(found), max(found)
    if longest > hours:
        grown = (most - megabytes) / (longest - hours)
        spoken = (many - words) / (longest - hours)
        share = f", {grown / spoken * 10_000:.2f} MB for 10,000 words" if spoken else ""
        print(f"each hour of {spoken:.0f} words adds {grown:.2f} MB to the peak ({format}){share}")


def count_words(path: Path, format: str) -> int:
    """In a transcript; those of json have times."""
    text = path.read_text(encoding="utf-8")
    if format == "txt":
        return len(text.split())
    return sum(len(segment["words"]) for segment in json.loads(text)["segments"])


def compare_stitching(model: Path, paths: Sequence[Path], seconds: float) -> None:
    """Print how far log-probabilities in windows are from those of the whole."""
    bundle = load_bundle(model)
    recognizer, rate = Recognizer(bundle), bundle.features.sample_rate
    plan = WindowPlan.make(WindowSettings(), bundle.features, bundle.encoder.settings.factor)
    for path in paths:
        samples = resample(load_audio(path), rate).samples[: round(seconds * rate)]
        (whole,) = hear(bundle, recognizer, [samples])
        windows = list(plan.cut([samples]))
        stitcher = Stitcher()
        rows = hear(bundle, recognizer, [window.samples for window in windows])
        joined = torch.cat(
            [
                stitcher.add(window.start, heard, last=window.last)
                for window, heard in zip(windows, rows, strict=True)
            ]
        )
        assert joined.shape == whole.shape, (joined.shape, whole.shape)
        apart = (joined - whole).abs()
        # Where a token has a probability of a millionth, by how much is of no account.
        likely = torch.maximum(joined, whole) > np.log(1e-6)
        best = (joined.argmax(1) != whole.argmax(1)).float().mean()
        print(
            f"{path}: {len(samples) / rate:.0f} s in {len(windows)} windows: log-probs differ by "
            f"{apart.max():.3g} at most, {apart.mean():.3g} in the mean (above 1e-6: "
            f"{apart[likely].max():.3g} and {apart[likely].mean():.3g}); another token is the best "
            f"in {best:.2%} of the frames",
            flush=True,
        )


def hear(bundle: Bundle, recognizer: Recognizer, parts: Sequence[np.ndarray]) -> list[torch.Tensor]:
    """Log-probabilities of each, heard by itself."""
    rate = bundle.features.sample_rate
    features = [bundle.front_end.features(Waveform(part, rate), "part") for part in parts]
    return [recognizer.log_probs([one])[0] for one in features]


def make_model(folder: Path) -> Path:
    """An untrained model of the usual shape, which says something now and then."""
    torch.manual_seed(0)
    features = FeatureSettings(sample_rate=RATE, cmvn="per_utterance")
    tokens = Characters(" 'abcdefghijklmnopqrstuvwxyz")
    encoder = Encoder(EncoderSettings(), inputs=features.dimension, tokens=len(tokens))
    with torch.no_grad():
        encoder.head.weight.mul_(6)
        encoder.head.bias[0] += 6
    save_bundle(folder, Bundle(features, None, encoder, tokens, Normalizer("basic")))
    return folder


def write_noise(path: Path, seconds: float) -> Path:
    """A recording of any length: a minute of noise, again and again."""
    noise = np.random.default_rng(0).normal(0, 0.1, MINUTE * RATE).astype(np.float32)
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while left > 0:
            file.write(noise[:left])
            left -= len(noise)
    return path


def repeat(path: Path, seconds: float, speech: Path | None) -> Path:
    """A recording of a length."""
    if speech is None:
        return write_noise(path, seconds)
    samples = resample(load_audio(speech), RATE).samples
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while left > 0:
            file.write(np.clip(samples[:left], -1, 1))
            left -= len(samples)
    return path


def transcribe(model: Path, path: Path, *more: str) -> Cost:
    """Run `asr transcribe` in a process of its own."""
    command = [sys.executable, "-m", "asr", "transcribe", "--model", str(model), str(path)]
    return run_measured([*command, *more])


def run_measured(command: Sequence[str]) -> Cost:
    """Run a command, and add up the memory of it and of all processes it starts."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            status = process.wait(_LOOK_EVERY)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _megabytes(process.pid))
    if status:
        raise SystemExit(f"{' '.join(command)}: status {status}")
    return Cost(time.perf_counter() - started, peak)


def _megabytes(process: int) -> float:
    """Of a process and those below it; what several share counts once."""
    found, waiting = 0, [process]
    while waiting:
        place = Path("/proc", str(waiting.pop()))
        try:
            shares = (place / "smaps_rollup").read_text().splitlines()
            found += sum(int(line.split()[1]) for line in shares if line.startswith("Pss:"))
            for children in place.glob("task/*/children"):
                waiting += map(int, children.read_text().split())
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    return found / 1024


def compare(model: Path, utterances: Sequence[Utterance]) -> None:
    """Errors of joined recordings, as against those of their utterances."""
    bundle = load_bundle(model)
    chapters: dict[str, list[Utterance]] = {}
    for utterance in sorted(utterances, key=lambda one: one.id):
        chapters.setdefault(utterance.id.rsplit("-", 1)[0], []).append(utterance)
    with decoding_pool(model, None, len(utterances)) as pool:
        recognizer = Recognizer(bundle, EmissionDecoder.load(model))
        alone = {
            one.id: answer.text
            for one, answer in recognizer.transcribe_all(utterances, BatchSettings(), pool)
            if isinstance(answer, Hypothesis)
        }
        front_end = FrontEnd(FeatureExtractor(bundle.features), bundle.stats)
        recordings = [
            Recording(name, lambda parts=parts: join(front_end, parts))
            for name, parts in chapters.items()
        ]
        transcriber = Transcriber(bundle, EmissionDecoder.load(model))
        joined = {
            recording.name: answer.text
            for recording, answer in transcriber.transcribe_all(recordings, pool)
            if isinstance(answer, Transcript)
        }
    texts = {name: " ".join(said(bundle, one) for one in parts) for name, parts in chapters.items()}
    one_by_one = sum_counts(
        word_errors(texts[name], " ".join(alone.get(one.id, "") for one in parts))
        for name, parts in chapters.items()
    )
    whole = sum_counts(word_errors(texts[name], joined.get(name, "")) for name in chapters)
    lengths = [sum(one.duration + GAP_SECONDS for one in parts) for parts in chapters.values()]
    print(
        f"{len(chapters)} recordings of {min(lengths):.0f} to {max(lengths):.0f} s, "
        f"{whole.reference_length} words: WER {whole.rate:.2%} heard in windows, "
        f"{one_by_one.rate:.2%} utterance by utterance: {whole.rate - one_by_one.rate:+.2%}"
    )
    print(json.dumps({"windows": whole.rate, "utterances": one_by_one.rate}))


def said(bundle: Bundle, utterance: Utterance) -> str:
    """The reference, normalised."""
    return bundle.normalizer(utterance.text or "")


def join(front_end: FrontEnd, utterances: Sequence[Utterance]) -> list[np.ndarray]:
    """Samples of utterances with gaps of faint noise between."""
    rate = front_end.extractor.settings.sample_rate
    noise = np.random.default_rng(0).normal(0, 1e-4, round(GAP_SECONDS * rate)).astype(np.float32)
    parts = (resample(front_end.load(one), rate).samples for one in utterances)
    return list(itertools.chain.from_iterable((part, noise) for part in parts))


if __name__ == "__main__":
    main()
