"""Seeded transcripts to write: some with times as they should be, some with none of that."""

import random

from asr.decoding.hypothesis import Word
from asr.transcript.transcript import Segment, Transcript

TEXTS = (
    "a the and hello recognition don't straße ÄÖÜ naïve привет 日本語を話します 🎉 5 1 "
    '"quoted" " "" & &amp; <b> </v> --> a-b NOTE STYLE WEBVTT {x} \\ab ;; % % 100% , . \''
)


def make_transcript(
    *segments: str, pause: float = 1.0, gap: float = 0.0, name: str = "a.wav"
) -> Transcript:
    """Words of 0.4 s with `gap` seconds between, segments with `pause` seconds between."""
    clock, made = 0.5, []
    for segment in segments:
        words = []
        for text in segment.split():
            words.append(Word(text, round(clock, 3), round(clock + 0.4, 3), 0.9))
            clock += 0.4 + gap
        made.append(Segment(tuple(words)))
        clock += pause - gap
    return Transcript(name, round(clock + 5, 3), tuple(made))


def tidy_transcript(seed: int) -> Transcript:
    """Times in whole milliseconds, in order, without overlap; words may touch."""
    rng = random.Random(seed)
    clock, segments = rng.choice([0, 700, 400_000_000]), []
    for _ in range(rng.randrange(6)):
        words = []
        for _ in range(rng.randrange(1, 40)):
            start = clock + rng.choice([0, 0, 1, 40, 300, 1500])
            clock = start + rng.choice([1, 20, 333, 900])
            confidence = round(rng.random(), 4)
            words.append(Word(rng.choice(TEXTS.split()), start / 1000, clock / 1000, confidence))
        segments.append(Segment(tuple(words)))
    name = rng.choice(["a.wav", "my calls/b 100%.mp3", ";; tab\there", "ü\n日本 語.wav", "-"])
    duration = (clock + rng.choice([1, 5000])) / 1000
    return Transcript(name, duration, tuple(segments), channel=rng.choice([None, 1, 2]))


def untidy_transcript(seed: int) -> Transcript:
    """Overlaps, words without length, words that end before they begin or after the recording."""
    rng = random.Random(seed)
    segments = []
    for part in range(rng.randrange(1, 5)):
        words = []
        for count in range(rng.randrange(1, 20)):
            start = part * 8 + count * rng.choice([0, 0.3, 0.40004]) - 0.2
            words.append(
                Word(rng.choice(TEXTS.split()), start, start + rng.uniform(-0.1, 3), rng.random())
            )
        segments.append(Segment(tuple(words)))
    return Transcript("a.wav", rng.choice([0.0, 0.004, 20.00049, 100.0]), tuple(segments))
