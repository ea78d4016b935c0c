"""Isolated words joined into strings of words, each string of one speaker.

A speaker's recordings are dealt like cards, without replacement until all are used, then shuffled
again: within a speaker no recording is used more than once more often than another.

Under a whole string lies white noise as loud as the quietest 20 ms of its recordings: no microphone
gives digital zeros, and a recogniser trained on them would find the words by the zeros alone. Each
recording is faded in and out over 5 ms, so that its edges make no click, and otherwise left alone.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.audio import load_audio, resample
from asr.manifest import Utterance

SAMPLE_RATE = 8000  # Hz

_FADE = SAMPLE_RATE * 5 // 1000  # samples
_FRAME = SAMPLE_RATE * 20 // 1000  # samples
_MOST_NOISES = 2

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class StringShape:
    """How long strings are, and the silences before, between and after their words."""

    min_words: int
    max_words: int  # every number from the fewest to the most is equally likely
    silence_min: float  # seconds
    silence_max: float  # seconds


def write_strings(
    recordings: Sequence[Utterance],
    count: int,
    *,
    shape: StringShape,
    seed: str,
    folder: Path,
    background: Sequence[Utterance] = (),
) -> list[Utterance]:
    """Join recordings into `count` strings, as 16-bit WAV files at 8 kHz in `folder`.

    The speakers take turns. The same arguments give the same bytes. Each string's manifest line
    names the recordings it is made of under the key `recordings`.

    Args:
        recordings: isolated words, each with its speaker and its text.
        count: how many strings to make.
        shape: how long they are.
        seed: whatever decides what is drawn.
        folder: where the audio goes; it is made, and its name begins the ids.
        background: recordings of no word; in each place between words, none to two of them.
    """
    draw = random.Random(seed)
    by_speaker: dict[str, list[Utterance]] = {}
    for one in recordings:
        by_speaker.setdefault(one.speaker or "", []).append(one)
    decks = [_deal(by_speaker[speaker], draw) for speaker in sorted(by_speaker)]
    samples = {one.id: _load(one) for one in (*recordings, *background)}
    noises = _deal(background, draw)
    folder.mkdir(parents=True, exist_ok=True)
    strings = []
    for number in range(count):
        length = draw.randint(shape.min_words, shape.max_words)
        chosen = [next(decks[number % len(decks)]) for _ in range(length)]
        parts = _between(chosen, noises, draw) if background else chosen
        joined = _join([samples[one.id] for one in parts], shape, draw)
        path = folder / f"{folder.name}-{chosen[0].speaker}-{number:05d}.wav"
        soundfile.write(path, joined, SAMPLE_RATE, subtype="PCM_16")
        strings.append(_describe(path, chosen, len(joined)))
    return strings


def _deal(recordings: Sequence[Utterance], draw: random.Random) -> Iterator[Utterance]:
    """Yield recordings for ever, each once before any comes again."""
    deck = list(recordings)
    while True:
        draw.shuffle(deck)
        yield from deck


def _between(
    words: Sequence[Utterance], noises: Iterator[Utterance], draw: random.Random
) -> list[Utterance]:
    """Words with none to two noises before, between and after them."""
    parts = [next(noises) for _ in range(draw.randint(0, _MOST_NOISES))]
    for word in words:
        parts += [word, *(next(noises) for _ in range(draw.randint(0, _MOST_NOISES)))]
    return parts


def _load(recording: Utterance) -> Samples:
    """Read a recording at 8 kHz with its ends faded. Shape (N,)."""
    whole = load_audio(recording.audio_path, offset=recording.offset, duration=recording.duration)
    samples = resample(whole, SAMPLE_RATE).samples.copy()
    length = min(_FADE, len(samples) // 2)
    ramp = np.arange(length, dtype=np.float32) / max(length, 1)
    samples[:length] *= ramp
    samples[len(samples) - length :] *= ramp[::-1]
    return samples


def _join(words: Sequence[Samples], shape: StringShape, draw: random.Random) -> Samples:
    """Lay words over a floor of noise, with silences around them. Shape (N,)."""
    silences = [
        round(draw.uniform(shape.silence_min, shape.silence_max) * SAMPLE_RATE)
        for _ in range(len(words) + 1)
    ]
    noise = np.random.default_rng(draw.getrandbits(64))
    total = sum(silences) + sum(len(word) for word in words)
    joined = noise.standard_normal(total, dtype=np.float32) * min(_floor(word) for word in words)
    start = 0
    for silence, word in zip(silences, words, strict=False):
        start += silence
        joined[start : start + len(word)] += word
        start += len(word)
    return joined.clip(-1.0, 1.0)


def _floor(word: Samples) -> np.float32:
    """Return the loudness (root mean square) of a word's quietest frame, its faded ends apart."""
    inner = word[_FADE : len(word) - _FADE]
    count = len(inner) // _FRAME
    if count == 0:
        return np.float32(np.sqrt(np.mean(np.square(word))))
    frames = inner[: count * _FRAME].reshape(count, _FRAME)
    return np.float32(np.sqrt(np.square(frames).mean(axis=1).min()))


def _describe(path: Path, chosen: Sequence[Utterance], length: int) -> Utterance:
    return Utterance(
        id=path.stem,
        audio_path=path,
        duration=length / SAMPLE_RATE,
        text=" ".join(one.text or "" for one in chosen),
        speaker=chosen[0].speaker,
        sample_rate=SAMPLE_RATE,
        extra={"recordings": [one.id for one in chosen]},
    )
