"""The Free Spoken Digit Dataset: six people, ten digits, fifty recordings of each, at 8 kHz.

A recording is `recordings/{digit}_{speaker}_{index}.wav`. Licence CC BY-SA 4.0.

Two ways to hold out a test set:

    held_out: null     the corpus's own split: index 0-4 of every speaker is the test, 5-9 is dev,
                       the rest is for training; every speaker is in all three
    held_out: theo     everything of one speaker is the test; of the others index 0-4 is dev, the
                       rest is for training

and two kinds of utterance: `isolated` digits as they are, or `strings` of digits joined from one
speaker's recordings of the same split, so that no recording is in two splits.
"""

import difflib
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from asr.errors import ConfigError, DataError
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.settings import Seed, Settings
from data_prep import synthesize
from data_prep.download import Archive, install
from data_prep.recordings import name_some, read_infos
from data_prep.word_strings import SAMPLE_RATE, StringShape, write_strings

FOLDER = "free-spoken-digit-dataset"

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAME = re.compile(r"([0-9])_([^_]+)_([0-9]+)")
_SYNTHETIC_VOICES = 200
_HELD_BACK = 5  # recordings of a digit that a test or dev set takes of each speaker
_RELEASED = 3000  # recordings in release 1.0.10
# GitHub publishes no checksum of the archives it makes; the recordings are counted instead.
_ARCHIVE = Archive(
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
    inside="free-spoken-digit-dataset-1.0.10",
)


class Options(Settings):
    """Settings of the FSDD corpus; those from `train_strings` on are for `strings` only."""

    kind: Literal["isolated", "strings"] = "isolated"  # digits alone, or several in a row
    held_out: str | None = None  # a speaker; None: the corpus's own split
    train_strings: int = Field(default=2000, ge=1)  # strings to train on
    dev_strings: int = Field(default=200, ge=1)  # strings of dev
    test_strings: int = Field(default=300, ge=1)  # strings of the test
    # More voices: strings that a synthesiser speaks, for training only (needs 'asr[demo]').
    synthetic_strings: int = Field(default=0, ge=0)
    min_digits: int = Field(default=1, ge=1)  # in a string
    max_digits: int = Field(default=7, ge=1)  # in a string
    silence_min: float = Field(default=0.05, ge=0)  # seconds
    silence_max: float = Field(default=0.4, ge=0)  # seconds
    seed: Seed = 0  # of what is joined

    @model_validator(mode="after")
    def _order_ranges(self) -> "Options":
        if self.min_digits > self.max_digits:
            raise ValueError(f"min_digits {self.min_digits} is above max_digits {self.max_digits}")
        if self.silence_min > self.silence_max:
            raise ValueError(
                f"silence_min {self.silence_min} is above silence_max {self.silence_max}"
            )
        return self

    @model_validator(mode="after")
    def _only_of_strings(self) -> "Options":
        others = self.model_fields_set - {"kind", "held_out"}
        if self.kind == "isolated" and others:
            raise ValueError(
                f"{', '.join(sorted(others))}: for strings only, and kind is isolated: leave it "
                "out, or set kind: strings"
            )
        return self


def download(options: Options, corpus: Path) -> None:
    """Fetch the corpus where it is missing."""
    if not corpus.is_dir():
        install(_ARCHIVE, corpus, check=_check)


def prepare(options: Options, corpus: Path | None, output: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test (and, for `strings`, audio/ beside them).

    Raises:
        ConfigError: `held_out` is no speaker of the corpus.
        DataError: the recordings are not there, not named as they should be, or not complete.
    """
    if corpus is None:
        raise DataError(f"fsdd: no corpus folder; expected the folder '{FOLDER}' (--corpus DIR)")
    manifests = {}
    for name, utterances in _split(_read(corpus), options.held_out, corpus).items():
        if options.kind == "strings":
            utterances = _join(utterances, name, options, output)
        if name == "train" and options.synthetic_strings:
            utterances += _synthesize(options, output)
        manifests[name] = output / f"{name}.jsonl"
        write_manifest(manifests[name], utterances)
    return manifests


def _join(
    utterances: list[Utterance], split: str, options: Options, output: Path
) -> list[Utterance]:
    shape = StringShape(
        options.min_digits, options.max_digits, options.silence_min, options.silence_max
    )
    counts = {
        "train": options.train_strings,
        "dev": options.dev_strings,
        "test": options.test_strings,
    }
    return write_strings(
        utterances,
        counts[split],
        shape=shape,
        seed=f"{options.seed} {split}",
        folder=output / "audio" / split,
    )


def _synthesize(options: Options, output: Path) -> list[Utterance]:
    """Strings of digits in the voices of a synthesiser, at the corpus's sample rate."""
    told = synthesize.Options(
        min_digits=options.min_digits,
        max_digits=options.max_digits,
        train_utterances=options.synthetic_strings,
        train_voices=_SYNTHETIC_VOICES,
        dev_utterances=1,
        dev_voices=1,
        test_utterances=0,
        sample_rate=SAMPLE_RATE,
        seed=options.seed,
    )
    return read_manifest(synthesize.prepare(told, None, output / "synthetic")["train"])


def _split(
    utterances: list[Utterance], held_out: str | None, corpus: Path
) -> dict[str, list[Utterance]]:
    """Return the recordings of train, dev and test."""
    speakers = sorted({one.speaker or "" for one in utterances})
    if held_out is not None and held_out not in speakers:
        near = difflib.get_close_matches(held_out, speakers, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ConfigError(
            f"corpus 'fsdd': held_out: '{held_out}' is no speaker; {hint}speakers: "
            f"{', '.join(speakers)}"
        )
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for one in utterances:
        splits[_split_of(one, held_out)].append(one)
    empty = [name for name, chosen in splits.items() if not chosen]
    if empty:
        raise DataError(f"{corpus}: no recordings for {' and '.join(empty)}; copy the whole corpus")
    return splits


def _split_of(one: Utterance, held_out: str | None) -> str:
    block = int(one.id.rsplit("_", 1)[1]) // _HELD_BACK
    if held_out is not None:
        return "test" if one.speaker == held_out else "dev" if block == 0 else "train"
    return "test" if block == 0 else "dev" if block == 1 else "train"


def _read(corpus: Path) -> list[Utterance]:
    paths = _recordings(corpus)
    return [
        Utterance(
            id=path.stem,
            audio_path=path,
            duration=info.duration,
            text=_WORDS[int(path.stem[0])],
            speaker=path.stem.split("_")[1],
            sample_rate=info.sample_rate,
        )
        for path, info in zip(paths, read_infos(paths), strict=True)
    ]


def _recordings(corpus: Path) -> list[Path]:
    """Return the recordings by speaker, index and digit; DataError where one is odd or missing."""
    folder = corpus / "recordings" if (corpus / "recordings").is_dir() else corpus
    keys = {}
    strange = []
    for path in sorted(folder.glob("*.wav")):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            strange.append(path.name)
        else:
            keys[match[2], int(match[3]), match[1]] = path
    if strange:
        raise DataError(
            f"{folder}: recordings not named DIGIT_SPEAKER_INDEX.wav: {name_some(strange)}; "
            "rename them or move them away"
        )
    if not keys:
        raise DataError(
            f"{folder}: no recordings; expected files like recordings/7_theo_12.wav; "
            "say where the corpus lies with --corpus"
        )
    _refuse_gaps(folder, set(keys))
    return [keys[key] for key in sorted(keys)]


def _refuse_gaps(folder: Path, keys: set[tuple[str, int, str]]) -> None:
    """Raise DataError where a speaker lacks a digit that he or she has up to some index."""
    last: dict[str, int] = {}
    for speaker, index, _ in keys:
        last[speaker] = max(index, last.get(speaker, 0))
    missing = [
        f"{digit}_{speaker}_{index}.wav"
        for speaker in sorted(last)
        for index in range(last[speaker] + 1)
        for digit in "0123456789"
        if (speaker, index, digit) not in keys
    ]
    if missing:
        raise DataError(
            f"{folder}: missing recordings: {name_some(missing)}; copy the corpus again"
        )


def _check(folder: Path) -> None:
    """Raise DataError where a folder just unpacked is not the corpus."""
    came = len(_recordings(folder))
    if came != _RELEASED:
        raise DataError(f"fsdd: {came} recordings came, {_RELEASED} were expected; try again")
