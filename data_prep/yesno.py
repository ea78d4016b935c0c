"""Kaldi's yesno: one man says "yes" or "no" eight times in a file, in Hebrew.

60 files at 8 kHz (OpenSLR 1). A file's name is its transcript: `0_1_1_0_0_1_0_1.wav`, 1 for yes and
0 for no. In Kaldi's split of the sorted names the first 30 are for training, the last 30 the test.

So all training files begin with "no", most test files with "yes": a network that sees only them
learns where words stand instead of how they sound. Training therefore also gets strings of its own
words in any order: its files are cut in the pauses, and the words are joined anew.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import Field

from asr.audio import load_audio
from asr.errors import DataError
from asr.manifest import Utterance, write_manifest
from asr.settings import Settings
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
    seed: int = 1  # of what is joined


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
    words = [word for one in splits["train"] for word in _words(one)]
    if words and options.strings:
        splits["train"] += write_strings(
            words,
            options.strings,
            shape=_STRINGS,
            seed=f"{options.seed} yesno",
            folder=output / "audio" / "train",
        )
    manifests = {name: output / f"{name}.jsonl" for name in splits}
    for name, chosen in splits.items():
        write_manifest(manifests[name], chosen)
    return manifests


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


def _words(whole: Utterance) -> list[Utterance]:
    """Cut a file into its words; none where its pauses are not clear."""
    pauses = _pauses(whole.audio_path)
    if len(pauses) != _WORDS_IN_A_FILE - 1:
        return []
    borders = pairwise([0.0, *pauses, whole.duration])
    return [
        replace(
            whole,
            id=f"{whole.id}-{number}",
            offset=round(start, 3),
            duration=round(stop - start, 3),
            text=text,
        )
        for number, (text, (start, stop)) in enumerate(
            zip((whole.text or "").split(), borders, strict=True)
        )
    ]


def _pauses(path: Path) -> list[float]:
    """Middles, in seconds, of the pauses between the first and the last sound of a file."""
    waveform = load_audio(path)
    frame = round(_FRAME_SECONDS * waveform.sample_rate)
    frames = waveform.samples[: len(waveform.samples) // frame * frame].reshape(-1, frame)
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    # Halfway, in dB, between the background and the words.
    loud = np.flatnonzero(level > (np.percentile(level, 20) + np.percentile(level, 95)) / 2)
    gaps = [(a + 1, b) for a, b in pairwise(loud.tolist()) if b - a - 1 >= _PAUSE_FRAMES]
    return [(start + stop) / 2 * _FRAME_SECONDS for start, stop in gaps]


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
