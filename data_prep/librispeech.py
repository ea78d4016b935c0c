"""LibriSpeech and Mini LibriSpeech: people reading audiobooks aloud, in English.

The layout is the official one, `SUBSET/READER/CHAPTER/READER-CHAPTER-NNNN.flac` beside
`READER-CHAPTER.trans.txt`; audio as `.opus` is taken too. Any folder of that shape below the corpus
folder is a subset. Licence CC BY 4.0 (OpenSLR 12; Mini LibriSpeech is OpenSLR 31).
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

import data_prep
from asr.errors import DataError
from asr.manifest import Utterance, write_manifest
from asr.settings import Settings
from data_prep.download import Archive, install
from data_prep.recordings import name_some, read_infos

FOLDER = "LibriSpeech"

_SUFFIXES = (".flac", ".opus")  # the lossless one first, where both are there
_URL = "https://www.openslr.org/resources"

# sha256 as in torchaudio.datasets.librispeech; none is published for Mini LibriSpeech.
_CHECKSUMS = {
    "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
    "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
    "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
}
_MINI_UTTERANCES = {"train-clean-5": 1519, "dev-clean-2": 1089}
_DOWNLOADABLE = (*_MINI_UTTERANCES, *_CHECKSUMS)


def _one_or_many(names: Any) -> Any:
    return (names,) if isinstance(names, str) else names


_Subsets = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class Options(Settings):
    """Which subsets serve what; each test subset becomes a split of its own name."""

    train: _Subsets = Field(default=("train-clean-5",), min_length=1)  # subsets to train on
    dev: _Subsets = Field(default=("dev-clean-2",), min_length=1)  # subsets that are dev
    test: _Subsets = ()  # each becomes a test set of its own name

    @model_validator(mode="after")
    def _keep_training_apart(self) -> "Options":
        both = set(self.train) & {*self.dev, *self.test}
        if both:
            raise ValueError(f"subset '{min(both)}' is in train and in dev or test; choose one")
        if {"train", "dev"} & set(self.test):
            raise ValueError("a test subset cannot be named 'train' or 'dev'")
        return self

    @property
    def subsets(self) -> tuple[str, ...]:
        """Every subset named, once."""
        return tuple(dict.fromkeys((*self.train, *self.dev, *self.test)))


def download(options: Options, corpus: Path) -> None:
    """Fetch the subsets that are missing, after making sure that all of them can be had.

    Raises:
        DataError: a subset is missing and has no public home, or a download failed.
    """
    missing = [subset for subset in options.subsets if not (corpus / subset).is_dir()]
    for subset in missing:
        if subset not in _DOWNLOADABLE:
            raise _missing(subset, corpus)
    for subset in missing:
        install(_archive(subset), corpus / subset, check=partial(_check, subset=subset))


def fingerprint(options: Options, corpus: Path) -> str:
    """Return a string that changes when a file of the chosen subsets changes."""
    return data_prep.fingerprint_files([corpus / subset for subset in options.subsets])


def prepare(options: Options, corpus: Path | None, output: Path) -> dict[str, Path]:
    """Write the manifests train, dev and one for each test subset; texts as they are (capitals).

    Raises:
        DataError: a subset is missing, or transcripts and recordings do not match.
    """
    if corpus is None:
        raise DataError(f"librispeech: no corpus folder; expected '{FOLDER}' (--corpus DIR)")
    splits = {"train": options.train, "dev": options.dev} | {name: (name,) for name in options.test}
    for subset in options.subsets:
        if not (corpus / subset).is_dir():
            raise _missing(subset, corpus)
    utterances = {subset: _read_subset(corpus / subset) for subset in options.subsets}
    manifests = {name: output / f"{name}.jsonl" for name in splits}
    for name, subsets in splits.items():
        chosen = [one for subset in dict.fromkeys(subsets) for one in utterances[subset]]
        write_manifest(manifests[name], chosen)
    return manifests


def _archive(subset: str) -> Archive:
    mini = subset in _MINI_UTTERANCES
    return Archive(
        url=f"{_URL}/{31 if mini else 12}/{subset}.tar.gz",
        inside=f"LibriSpeech/{subset}",
        checksum=None if mini else ("sha256", _CHECKSUMS[subset]),
    )


def _check(folder: Path, subset: str) -> None:
    """Raise DataError where a subset just unpacked is not whole."""
    came = len(_pair(folder))
    expected = _MINI_UTTERANCES.get(subset, came)
    if came != expected:
        raise DataError(f"{subset}: {came} utterances came, {expected} were expected; try again")


def _missing(subset: str, corpus: Path) -> DataError:
    folders = (
        sorted(path.name for path in corpus.iterdir() if path.is_dir()) if corpus.is_dir() else []
    )
    here = ", ".join(name for name in folders if not name.startswith(".")) or "none"
    return DataError(
        f"{corpus}: there is no subset '{subset}'; subsets there: {here}; "
        f"downloaded where --corpus is not given: {', '.join(_DOWNLOADABLE)}"
    )


def _read_subset(folder: Path) -> list[Utterance]:
    pairs = _pair(folder)
    infos = read_infos([path for _, path, _ in pairs])
    return [
        Utterance(
            id=identifier,
            audio_path=path,
            duration=info.duration,
            text=text,
            speaker=identifier.split("-")[0],
            sample_rate=info.sample_rate,
        )
        for (identifier, path, text), info in zip(pairs, infos, strict=True)
    ]


def _pair(folder: Path) -> list[tuple[str, Path, str]]:
    """Return (id, recording, transcript) of each utterance; DataError where one lacks the other."""
    texts = _read_transcripts(folder)
    # Reversed, so that the preferred kind is the one that stays.
    audio = {
        path.stem: path for suffix in reversed(_SUFFIXES) for path in folder.glob(f"*/*/*{suffix}")
    }
    silent, untold = sorted(texts.keys() - audio.keys()), sorted(audio.keys() - texts.keys())
    problems = []
    if silent:
        problems.append(f"utterances without a recording: {name_some(silent)}")
    if untold:
        problems.append(f"recordings without a transcript: {name_some(untold)}")
    if not texts and not audio:
        problems.append("nothing like READER/CHAPTER/READER-CHAPTER-NNNN.flac is there")
    if problems:
        raise DataError(f"{folder}: {'; '.join(problems)}; unpack or copy the subset again")
    return [(identifier, audio[identifier], texts[identifier]) for identifier in sorted(texts)]


def _read_transcripts(folder: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*/*/*.trans.txt")):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 text ({error.reason}); copy it again") from None
        for number, line in enumerate(lines, start=1):
            identifier, _, text = line.strip().partition(" ")
            if not text or identifier in texts:
                what = "comes twice" if text else "has no text"
                raise DataError(
                    f"{path}:{number}: utterance '{identifier}' {what}; expected 'ID WORDS', once"
                )
            texts[identifier] = text.strip()
    return texts
