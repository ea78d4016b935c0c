"""Kaldi's yesno: one man says "yes" or "no" eight times in a file, in Hebrew.

60 files at 8 kHz (OpenSLR 1). A file's name is its transcript: `0_1_1_0_0_1_0_1.wav`, 1 for yes and
0 for no. In Kaldi's split of the sorted names the first 30 are for training, the last 30 the test.

So all training files begin with "no", most test files with "yes": a network that sees only them
learns where words stand instead of how they sound. Training therefore also gets strings of its own
words in any order: its files are cut into words and pauses, and joined anew, so that the noises
and clicks of the pauses are heard in other places too.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import Field

from asr.audio import load_audio
from asr.errors import DataError
from asr.manifest import Utterance, write_manifest
from asr.settings import Seed, Settings
from data_prep.download import Archive, install
from data_prep.recordings import name_some, read_infos
from data_prep.word_strings import StringShape, write_strings

FOLDER = "waves_yesno"

_WORDS = {"0": "no", "1": "yes"}
_RECORDINGS = 60
_TRAINING = 30
_WORDS_IN_A_FILE = 8
_FRAME_SECONDS = 0.02
# The words bring the silence around them along.
_STRINGS = StringShape(min_words=1, max_words=8, silence_min=0.0, silence_max=0.2)
_PAUSE_FRAMES = 5  # shorter gaps are within a word
_MARGIN = 0.1  # seconds around a word that belong to it: its quiet beginning and end
_SHORTEST = 0.05  # seconds of a piece worth using
# The checksum is the one in torchaudio.datasets.yesno.
_ARCHIVE = Archive(
    url="https://www.openslr.org/resources/1/waves_yesno.tar.gz",
    inside=FOLDER,
    checksum=("sha256", "c3f49e0cca421f96b75b41640749167b52118f232498667ca7a5f9416aef8e73"),
)


class Options(Settings):
    """Settings of the yesno corpus."""

    dev: int = Field(default=5, ge=1, le=15)  # files of the 30 for training that go to dev
    strings: int = Field(default=200, ge=0)  # joined from the words of the training files
    seed: Seed = 1  # of what is joined


def download(options: Options, corpus: Path) -> None:
    """Fetch the corpus where it is missing."""
    if not corpus.is_dir():
        install(_ARCHIVE, corpus, check=_check)


def prepare(options: Options, corpus: Path | None, output: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test.

    Dev is `options.dev` files spread evenly over the 30 for training, because neighbours in the
    sorted list begin with the same words.

    Raises:
        DataError: the folder has not the corpus's 60 recordings.
    """
    if corpus is None:
        raise DataError(f"yesno: no corpus folder; expected the folder '{FOLDER}' (--corpus DIR)")
    utterances = _utterances(corpus)
    training, test = utterances[:_TRAINING], utterances[_TRAINING:]
    held_out = {number * _TRAINING // options.dev for number in range(options.dev)}
    splits = {
        "train": [one for number, one in enumerate(training) if number not in held_out],
        "dev": [one for number, one in enumerate(training) if number in held_out],
        "test": test,
    }
    cuts = {one.id: _cut(one) for one in splits["train"]} if options.strings else {}
    _say_unclear([name for name, cut in cuts.items() if not cut], len(cuts))
    pieces = [piece for cut in cuts.values() for piece in cut]
    words = [piece for piece in pieces if piece.text]
    if words:
        splits["train"] += write_strings(
            words,
            options.strings,
            shape=_STRINGS,
            seed=f"{options.seed} yesno",
            folder=output / "audio" / "train",
            background=[piece for piece in pieces if not piece.text],
        )
    manifests = {name: output / f"{name}.jsonl" for name in splits}
    for name, chosen in splits.items():
        write_manifest(manifests[name], chosen)
    return manifests


def _say_unclear(names: Sequence[str], files: int) -> None:
    """Count the files that lend no words to the strings, and name three of them."""
    if names:
        print(
            f"yesno: {len(names)} of {files} training files are not cut into words for the "
            f"strings, not having {_WORDS_IN_A_FILE} clear ones; they are trained on whole: "
            f"{name_some(names, most=3)}",
            file=sys.stderr,
        )


def _utterances(corpus: Path) -> list[Utterance]:
    paths = _recordings(corpus)
    return [
        Utterance(
            id=path.stem,
            audio_path=path,
            duration=info.duration,
            text=" ".join(_WORDS[digit] for digit in path.stem.split("_")),
            speaker="1",
            sample_rate=info.sample_rate,
        )
        for path, info in zip(paths, read_infos(paths), strict=True)
    ]


def _cut(whole: Utterance) -> list[Utterance]:
    """Cut a file into its words and what lies between them; nothing where that is not clear."""
    sounds = _sounds(whole.audio_path)
    if len(sounds) != _WORDS_IN_A_FILE:
        return []
    spans = [
        (max(0.0, start - _MARGIN), min(whole.duration, stop + _MARGIN)) for start, stop in sounds
    ]
    words = list(zip(spans, (whole.text or "").split(), strict=True))
    borders = [0.0, *(border for span in spans for border in span), whole.duration]
    pauses = [(span, "") for span in zip(borders[::2], borders[1::2], strict=True)]
    return [
        replace(
            whole,
            id=f"{whole.id}-{number}",
            offset=round(start, 3),
            duration=round(stop - start, 3),
            text=text,
        )
        for number, ((start, stop), text) in enumerate(words + pauses)
        if stop - start > _SHORTEST
    ]


def _sounds(path: Path) -> list[tuple[float, float]]:
    """Begin and end, in seconds, of what stands out from the background of a file."""
    waveform = load_audio(path)
    frame = round(_FRAME_SECONDS * waveform.sample_rate)
    frames = waveform.samples[: len(waveform.samples) // frame * frame].reshape(-1, frame)
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    # Halfway, in dB, between the background and the words.
    threshold = (np.percentile(level, 20) + np.percentile(level, 95)) / 2
    loud = np.flatnonzero(level > threshold).tolist()
    gaps = [(a, b) for a, b in pairwise(loud) if b - a - 1 >= _PAUSE_FRAMES]
    starts = loud[:1] + [b for _, b in gaps]
    stops = [a for a, _ in gaps] + loud[-1:]
    return [
        (start * _FRAME_SECONDS, (stop + 1) * _FRAME_SECONDS)
        for start, stop in zip(starts, stops, strict=True)
    ]


def _check(folder: Path) -> None:
    """Raise DataError where a folder just unpacked is not the corpus."""
    _recordings(folder)


def _recordings(corpus: Path) -> list[Path]:
    """Return the corpus's recordings by name; raise DataError where they are not those 60."""
    paths = sorted(corpus.glob("*.wav"))
    strange = [path.name for path in paths if not set(path.stem.split("_")) <= set(_WORDS)]
    if strange:
        raise DataError(
            f"{corpus}: recordings that are not named by zeros and ones like 0_1_1_0_0_1_0_1.wav: "
            f"{name_some(strange)}; they are not yesno's: move them away"
        )
    if len(paths) != _RECORDINGS:
        raise DataError(
            f"{corpus}: {len(paths)} recordings (*.wav) came, yesno has {_RECORDINGS}; "
            "remove the folder to download it again, or say where it lies with --corpus"
        )
    return paths
