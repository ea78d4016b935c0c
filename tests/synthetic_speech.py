"""Deterministic tone-per-letter speech: each letter is a pair of tones, a space is silence.

What a recogniser of a few hundred weights can learn to perfection in seconds, without a corpus.
"""

import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.manifest import Utterance, write_manifest

RATE = 8000  # Hz
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TONE_SECONDS = 0.08
_GAP_SECONDS = 0.03
_EDGE_SECONDS = 0.06  # of silence before and after
_RAMP_SECONDS = 0.005
_NOISE = 0.003


def speak(text: str, *, seed: int = 0) -> NDArray[np.float32]:
    """Letters and spaces -> (N,) samples at 8 kHz; the seed decides the noise."""
    edge = np.zeros(round(_EDGE_SECONDS * RATE))
    gap = np.zeros(round(_GAP_SECONDS * RATE))
    parts = [edge]
    for letter in text:
        parts += [_tones(letter), gap]
    samples = np.concatenate([*parts, edge])
    noise = np.random.default_rng(seed).normal(0, _NOISE, len(samples))
    return (samples + noise).astype(np.float32)


def make_texts(count: int, *, seed: int, letters: str = "abcdef", words: int = 3) -> list[str]:
    """Draw texts of 1 to `words` words of 2 to 4 letters."""
    chance = random.Random(seed)
    return [
        " ".join(
            "".join(chance.choices(letters, k=chance.randint(2, 4)))
            for _ in range(chance.randint(1, words))
        )
        for _ in range(count)
    ]


def write_utterances(folder: Path, texts: Sequence[str], *, name: str = "utt") -> list[Utterance]:
    """Speak texts into `NAME-000.wav` … and list them in `NAME.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    utterances = []
    for number, text in enumerate(texts):
        path = folder / f"{name}-{number:03d}.wav"
        samples = speak(text, seed=number)
        soundfile.write(path, samples, RATE)
        utterances.append(Utterance(path.stem, path, len(samples) / RATE, text=text))
    write_manifest(folder / f"{name}.jsonl", utterances)
    return utterances


def write_table(path: Path, splits: Mapping[str, Sequence[Utterance]]) -> None:
    """Write a CSV of paths, texts and splits, as a user would for the corpus `table`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "text", "split"])
        for split, utterances in splits.items():
            rows.writerows([one.audio_path, one.text, split] for one in utterances)


def _tones(letter: str) -> NDArray[np.float64]:
    time = np.arange(round(_TONE_SECONDS * RATE)) / RATE
    if letter == " ":
        return np.zeros(len(time))
    row, column = divmod(_LETTERS.index(letter), 6)
    low, high = 300 + 200 * row, 1500 + 350 * column
    ramp = np.minimum(1, np.minimum(time, time[::-1]) / _RAMP_SECONDS)
    both = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
    tones: NDArray[np.float64] = 0.3 * ramp * both
    return tones
