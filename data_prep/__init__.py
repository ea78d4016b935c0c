"""Corpora: one module a corpus, each turning a folder of recordings into manifests.

A corpus module `data_prep/NAME.py` has

    FOLDER       the corpus folder's name below the corpora folder; None where there is none to
                 look for (a made-up corpus, or the user's own)
    Options      its settings, with defaults
    prepare      (options, corpus, output) -> split name -> manifest; always "train" and "dev",
                 every other name is a test set

and, where it needs them,

    download     (options, corpus): fetch what the options need and the folder lacks
    fingerprint  (options, corpus) -> a string that changes when what is read on disk changes
"""

import difflib
import hashlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from asr.errors import ConfigError, DataError
from asr.settings import Settings

CORPORA = ("fsdd", "librispeech", "synthesize", "table", "yesno")


class Corpus(Protocol):
    """What every corpus module offers; `download` and `fingerprint` may be absent."""

    FOLDER: str | None
    Options: type[Settings]
    prepare: Callable[[Any, Path | None, Path], dict[str, Path]]


def load_corpus(name: str) -> Corpus:
    """Return the module that prepares a corpus.

    Raises:
        ConfigError: no corpus has that name; the nearest one is named.
    """
    if name not in CORPORA:
        near = difflib.get_close_matches(name, CORPORA, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "for your own data use 'table'"
        raise ConfigError(f"corpus '{name}' is not known; {hint} (known: {', '.join(CORPORA)})")
    return cast(Corpus, importlib.import_module(f"data_prep.{name}"))


def locate(name: str, corpus: Path | None) -> Path | None:
    """Return where a corpus lies, or where its download will go; None where it needs no folder.

    Args:
        name: one of CORPORA.
        corpus: where the user says it lies: the corpus folder itself or the folder around it.
            None looks below the environment variable ASR_CORPORA, or below ./corpora.
    """
    folder = load_corpus(name).FOLDER
    if corpus is not None:
        around = folder is not None and (corpus / folder).is_dir()
        return corpus / folder if folder is not None and around else corpus
    if folder is None:
        return None
    return Path(os.environ.get("ASR_CORPORA") or "corpora") / folder


def prepare_corpus(
    name: str, options: Mapping[str, Any], *, corpus: Path | None, output: Path
) -> dict[str, Path]:
    """Write a corpus's manifests into `output`, downloading the corpus first where it is missing.

    Nothing is downloaded where `corpus` says where it lies.

    Returns:
        Split name -> manifest: "train", "dev" and the test sets.

    Raises:
        ConfigError: the corpus or one of its options is not known.
        DataError: the corpus is missing, incomplete or damaged.
    """
    module, settings, folder = _resolve(name, options, corpus)
    if corpus is not None and not corpus.exists():
        raise DataError(f"{corpus}: there is no such corpus folder; check where '{name}' lies")
    download = getattr(module, "download", None)
    if corpus is None and folder is not None and download is not None:
        download(settings, folder)
    output.mkdir(parents=True, exist_ok=True)
    return module.prepare(settings, folder, output)


def complete_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a corpus with its defaults filled in, as plain data.

    Raises:
        ConfigError: the corpus or one of its options is not known.
    """
    _, settings, _ = _resolve(name, options, None)
    return settings.model_dump(mode="json")


def corpus_fingerprint(name: str, options: Mapping[str, Any], corpus: Path | None) -> str:
    """Return a string that changes when the files of a corpus change.

    It is '' where there are none: a made-up corpus, or one not downloaded yet.
    """
    module, settings, folder = _resolve(name, options, corpus)
    own = getattr(module, "fingerprint", None)
    if own is not None:
        return cast(str, own(settings, folder))
    return "" if folder is None else fingerprint_files([folder])


def fingerprint_files(paths: list[Path]) -> str:
    """Hash the names, sizes and modification times of the files at and below some paths."""
    digest = hashlib.sha256()
    found = False
    for path in paths:
        for file, relative in sorted(_walk(path, path.name), key=lambda entry: entry[1]):
            # A link that leads nowhere counts by itself: what is missing is named elsewhere.
            status = file.stat(follow_symlinks=file.exists())
            digest.update(f"{relative}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            found = True
    return digest.hexdigest() if found else ""


def _walk(path: Path, relative: str) -> Iterator[tuple[Path, str]]:
    """Yield every file below a folder (or the one file) with its name relative to the folder."""
    if path.is_file():
        yield path, relative
    elif path.is_dir():
        for folder, _, names in os.walk(path):
            inside = os.path.relpath(folder, path)
            for name in names:
                yield Path(folder, name), Path(relative, inside, name).as_posix()


def _resolve(
    name: str, options: Mapping[str, Any], corpus: Path | None
) -> tuple[Corpus, Settings, Path | None]:
    module = load_corpus(name)
    return module, module.Options.parse(options, f"corpus '{name}'"), locate(name, corpus)
