"""Synthetic speech: made-up text, spoken by the voices of espeak-ng.

Nothing is downloaded: the synthesiser is in the wheel `espeakng-loader` (pip install 'asr[demo]';
GPL-3.0). A speaker is a voice, "en-us+f3": an accent and a variant. No variant speaks in two
splits, under any accent, so the voices of dev and test were never trained on.

Written below the output folder: {split}.jsonl and audio/{split}/*.wav, 16 bit. The key `words`
of a manifest line holds [word, start, end] in seconds. The same options give the same bytes.
"""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
from numpy.random import Generator
from pydantic import Field, model_validator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from asr.audio import Waveform, resample
from asr.errors import ConfigError, DataError
from asr.manifest import Utterance, write_manifest
from asr.settings import Seed, Settings
from data_prep.espeak import Speech, Synthesizer, variants

FOLDER: str | None = None

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = (
    "en",  # southern British
    "en-029",  # Caribbean
    "en-gb-scotland",
    "en-gb-x-gbclan",  # Lancaster
    "en-gb-x-gbcwmd",  # West Midlands
    "en-gb-x-rp",
    "en-us",
    "en-us-nyc",
)
# Whispers and robots are no voices a person would have, and one has a space in its name.
_ODD_VARIANTS = ("whisper", "whisperf", "UniRobot", "anikaRobot", "Demonic", "Mr serious")
_ODD_VARIANT_PREFIX = "robosoft"
# These sound a little different in each process: espeak-ng reads memory that it never set.
_UNSTABLE_VARIANTS = ("Reed", "caleb")


class Options(Settings):
    """What is said, by how many voices, and how much the recordings differ."""

    sentences: Path | None = None  # text file, one sentence a line; None: strings of digits
    min_digits: int = Field(default=1, ge=1)  # digits in an utterance
    max_digits: int = Field(default=7, ge=1)  # digits in an utterance
    train_utterances: int = Field(default=2000, ge=1)  # to train on
    dev_utterances: int = Field(default=150, ge=1)  # how many
    test_utterances: int = Field(default=300, ge=0)  # 0: no test set
    train_voices: int = Field(default=70, ge=1)  # no voice is in two splits
    dev_voices: int = Field(default=10, ge=1)  # how many
    test_voices: int = Field(default=15, ge=1)  # how many
    rate_min: int = Field(default=110, ge=80, le=450)  # words a minute
    rate_max: int = Field(default=190, ge=80, le=450)  # words a minute
    pitch_min: int = Field(default=35, ge=0, le=100)  # 50 is the voice's own
    pitch_max: int = Field(default=65, ge=0, le=100)  # 50 is the voice's own
    max_silence: float = Field(default=0.25, ge=0, le=10)  # seconds before and after the speech
    peak_min: float = Field(default=0.2, gt=0, le=0.9)  # of full scale
    peak_max: float = Field(default=0.8, gt=0, le=0.9)  # of full scale
    snr_min: float = Field(default=20.0, ge=0)  # dB, of the white noise below the speech
    snr_max: float = Field(default=50.0, ge=0)  # dB
    sample_rate: int = Field(default=16000, ge=4000)  # Hz
    seed: Seed = 1  # of texts, voices and noise

    @model_validator(mode="after")
    def _order_ranges(self) -> Self:
        for low, high in (
            ("min_digits", "max_digits"),
            ("rate_min", "rate_max"),
            ("pitch_min", "pitch_max"),
            ("peak_min", "peak_max"),
            ("snr_min", "snr_max"),
        ):
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ValueError(f"{low} is {least}, above {high}, which is {most}")
        return self


@dataclass(frozen=True)
class _Split:
    name: str
    number: int  # seeds the split, so that the size of one split changes no other
    utterances: int
    voices: tuple[str, ...]


def prepare(options: Options, corpus: Path | None, output: Path) -> dict[str, Path]:
    """Synthesise the corpus into `output` and write its manifests.

    Args:
        corpus: not used; there is nothing to read.

    Returns:
        Split name -> manifest, with "train", "dev" and (where any utterances are asked) "test".

    Raises:
        ConfigError: the synthesiser is not installed, or has fewer voices than are asked for.
        DataError: the file of sentences cannot be used.
    """
    sentences = _read_sentences(options.sentences) if options.sentences else None
    splits = _plan(options)
    manifests = {split.name: output / f"{split.name}.jsonl" for split in splits}
    for manifest in manifests.values():
        manifest.unlink(missing_ok=True)  # an old manifest must not name new audio
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden) as progress:
        for split in splits:
            task = progress.add_task(f"synthesising {split.name}", total=split.utterances)
            utterances = []
            for utterance in _synthesize(split, options, sentences, output):
                utterances.append(utterance)
                progress.advance(task)
            write_manifest(manifests[split.name], utterances)
    return manifests


def fingerprint(options: Options, corpus: Path | None) -> str:
    """Return what changes when the file of sentences changes; '' for digits."""
    if options.sentences is None:
        return ""
    return hashlib.sha256("\n".join(_read_sentences(options.sentences)).encode()).hexdigest()


def draw_voices(counts: list[int], seed: int) -> list[tuple[str, ...]]:
    """Draw that many voices for each split; no variant serves two splits.

    Raises:
        ConfigError: there are not enough variants.
    """
    rng = np.random.default_rng([seed, 0])
    pool = person_variants()
    rng.shuffle(pool)
    shares = [max(1, len(pool) * count // sum(counts)) for count in counts]
    if sum(shares) > len(pool) or any(
        count > share * len(ACCENTS) for count, share in zip(counts, shares, strict=True)
    ):
        raise ConfigError(
            f"{sum(counts)} voices were asked for (train_voices + dev_voices + test_voices), but "
            f"espeak-ng's {len(pool)} variants in {len(ACCENTS)} accents do not give as many "
            "different ones; ask for fewer"
        )
    voices = []
    for count, share in zip(counts, shares, strict=True):
        own, pool = pool[:share], pool[share:]
        accents = [rng.permutation(ACCENTS) for _ in own]
        voices.append(
            tuple(f"{accents[i % share][i // share]}+{own[i % share]}" for i in range(count))
        )
    return voices


def person_variants() -> list[str]:
    """Return the variants that sound like a person and come out the same each time, sorted."""
    left_out = _ODD_VARIANTS + _UNSTABLE_VARIANTS
    return [
        name
        for name in variants()
        if name not in left_out and not name.startswith(_ODD_VARIANT_PREFIX)
    ]


def _plan(options: Options) -> list[_Split]:
    names = ["train", "dev"] + (["test"] if options.test_utterances else [])
    voices = draw_voices([getattr(options, f"{name}_voices") for name in names], options.seed)
    return [
        _Split(name, number, getattr(options, f"{name}_utterances"), voices[number])
        for number, name in enumerate(names)
    ]


def _read_sentences(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a readable UTF-8 text file ({error}); expected one sentence a line"
        ) from None
    sentences = [line.strip() for line in lines if line.strip()]
    if not sentences:
        raise DataError(f"{path}: no text in the file; expected one sentence a line")
    return sentences


def _synthesize(
    split: _Split, options: Options, sentences: list[str] | None, output: Path
) -> Iterator[Utterance]:
    folder = output / "audio" / split.name
    folder.mkdir(parents=True, exist_ok=True)
    with Synthesizer() as synthesizer:
        for index in range(split.utterances):
            rng = np.random.default_rng([options.seed, 1 + split.number, index])
            voice = split.voices[index % len(split.voices)]
            text = _draw_text(options, sentences, rng)
            speech = synthesizer.speak(
                text,
                voice,
                rate=int(rng.integers(options.rate_min, options.rate_max + 1)),
                pitch=int(rng.integers(options.pitch_min, options.pitch_max + 1)),
                seed=int(rng.integers(1, 2**31 - 1)),
            )
            if not np.any(speech.samples):
                raise DataError(f"the synthesiser has no sound for '{text}' (voice {voice})")
            waveform, delay = _record(speech, options, rng)
            name = f"{split.name}-{index:05d}"
            path = folder / f"{name}.wav"
            soundfile.write(path, waveform.samples, waveform.sample_rate, subtype="PCM_16")
            yield Utterance(
                id=name,
                audio_path=path,
                duration=waveform.duration,
                text=text,
                speaker=voice,
                sample_rate=waveform.sample_rate,
                extra={"words": _word_times(speech, delay)},
            )


def _draw_text(options: Options, sentences: list[str] | None, rng: Generator) -> str:
    if sentences is not None:
        return sentences[rng.integers(len(sentences))]
    count = rng.integers(options.min_digits, options.max_digits + 1)
    return " ".join(DIGITS[digit] for digit in rng.integers(len(DIGITS), size=count))


def _record(speech: Speech, options: Options, rng: Generator) -> tuple[Waveform, float]:
    """Resample, put silence around, set the level and add noise.

    Returns:
        The waveform, and the seconds of silence before the speech.
    """
    voice = Waveform(speech.samples.astype(np.float32) / np.float32(32768), speech.sample_rate)
    samples = resample(voice, options.sample_rate).samples
    samples *= rng.uniform(options.peak_min, options.peak_max) / np.abs(samples).max()
    snr = rng.uniform(options.snr_min, options.snr_max)
    noise_level = np.sqrt(np.mean(samples**2)) * 10 ** (-snr / 20)
    before, after = rng.integers(round(options.max_silence * options.sample_rate) + 1, size=2)
    samples = np.pad(samples, (before, after))
    samples += noise_level * rng.standard_normal(len(samples), dtype=np.float32)
    waveform = Waveform(samples.clip(-1, 1), options.sample_rate)
    return waveform, float(before) / options.sample_rate


def _word_times(speech: Speech, delay: float) -> list[list[Any]]:
    rate = speech.sample_rate
    return [
        [word.text, round(delay + word.start / rate, 3), round(delay + word.end / rate, 3)]
        for word in speech.words
    ]
