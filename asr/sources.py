"""What the user's FILES mean: recordings, folders, patterns, manifests, lists, standard input.

Where several recordings would get the same stem for their outputs, all of these are told apart by
the first of these that does it: the file's suffix (x.wav, x.mp3), the name of the folder above
(a/x, b/x), numbers (x, x-2: the same file given twice). Upper and lower case count as the same, as
they do on the disks of Windows and macOS.
"""

import glob
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

from asr.audio import AUDIO_SUFFIXES
from asr.errors import AsrError, AudioError, ConfigError, DataError
from asr.manifest import Utterance, read_manifest

STANDARD_INPUT = "-"

_Tell = Callable[[str], object]

_MANIFEST_SUFFIX = ".jsonl"
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"|?*\\\x00-\x1f]')


@dataclass(frozen=True)
class Source:
    """A recording to be transcribed, or a part of one, or the reason why there is none."""

    name: str  # as the user knows it: the path, the id in the manifest, or "-"
    path: Path
    stem: PurePosixPath  # where its outputs go below the output folder, without a suffix
    offset: float = 0.0  # seconds from the start of the file
    duration: float | None = None  # seconds; None: to the end
    problem: AsrError | None = None  # what is wrong with this argument: to be reported, not opened


def find_sources(
    arguments: Sequence[str | Path],
    files_from: str | Path | None = None,
    *,
    standard_input: Path | None = None,
    tell: _Tell = lambda message: None,
) -> list[Source]:
    """Find the recordings that the arguments, and then the lines of a list, stand for.

    An argument is a file, a folder (all recordings below it by name, without hidden ones; links to
    folders are not followed), a manifest (.jsonl), a pattern that the shell left as it was
    ("calls/**/*.mp3"), or "-". A line of the list is a file, a folder or a manifest, as seen from
    the working folder.

    Args:
        arguments: what the user gave.
        files_from: a file with a path on each line, "-" for standard input.
        standard_input: the file that holds what came on standard input (asr.standard_input).
        tell: is given what the user should know, though nothing is wrong.

    Returns:
        Sources in the order given, no two with the same stem. What is wrong with one argument is
        the `problem` of a source; a file that is missing fails when it is opened.

    Raises:
        ConfigError: nothing was given, or standard input for two things.
        DataError: the list cannot be read, or is empty.
    """
    words = [str(argument) for argument in arguments]
    _refuse_two_readers(words, files_from)
    found: list[_Found] = []
    for word in words:
        if word == STANDARD_INPUT:
            if standard_input is None:
                raise ConfigError("-: standard input was not read; it cannot be transcribed here")
            source = Source(word, standard_input, PurePosixPath("stdin"))
            found.append(_Found(source, ()))
        elif os.path.lexists(word) or not glob.has_magic(word):
            found += _find_path(word, tell)
        else:
            found += _find_pattern(word, tell)
    if files_from is not None:
        for line in _read_list(files_from, standard_input):
            found += _find_path(line, tell)
    return _tell_apart(found)


def needs_standard_input(
    arguments: Sequence[str | Path], files_from: str | Path | None = None
) -> bool:
    """Whether `find_sources` needs what comes on standard input."""
    return STANDARD_INPUT in [str(word) for word in (*arguments, files_from)]


@dataclass(frozen=True)
class _Found:
    source: Source
    other_stems: tuple[PurePosixPath, ...]  # to tell it apart from others of its stem, best first


def _refuse_two_readers(words: list[str], files_from: str | Path | None) -> None:
    if not words and files_from is None:
        raise ConfigError(
            "FILES: none came; expected recordings, folders, patterns, manifests, or - for "
            "standard input"
        )
    if "" in words:
        raise ConfigError("FILES: an empty path came; check the quotes and the shell's variables")
    if [*words, str(files_from)].count(STANDARD_INPUT) > 1:
        raise ConfigError(
            "-: standard input was given for two things; it can be one recording or one list"
        )


def _find_path(word: str, tell: _Tell) -> list[_Found]:
    """A file, a folder or a manifest; a path where nothing is fails when it is opened."""
    path = Path(word)
    if path.is_dir():
        return _find_in_folder(word, path, tell)
    if path.suffix.lower() == _MANIFEST_SUFFIX:
        return _find_in_manifest(word, path)
    return [_file(word, path, path.parent)]


def _find_in_folder(word: str, folder: Path, tell: _Tell) -> list[_Found]:
    problems: list[OSError] = []
    found, others = [], 0
    for parent, inner, names in os.walk(folder, onerror=problems.append):
        inner[:] = [name for name in inner if not name.startswith(".")]
        shown = [name for name in names if not name.startswith(".")]
        kept = [Path(parent, name) for name in shown if _is_recording(name)]
        found += kept
        others += len(shown) - len(kept)
    if found and others:
        files = "1 file of another kind" if others == 1 else f"{others} files of other kinds"
        tell(f"{files} in {word} {'was' if others == 1 else 'were'} left alone")
    found.sort(key=lambda path: path.relative_to(folder).parts)
    sources = [_file(str(path), path, folder) for path in found]
    for problem in problems:
        place = str(problem.filename)
        reason = f"the folder cannot be read ({problem.strerror}); check your rights to it"
        sources.append(_problem(place, AudioError(f"{place}: {reason}")))
    if not sources:
        return [
            _problem(
                word,
                AudioError(
                    f"{word}: no recordings in this folder; expected files that end in "
                    f"{', '.join(AUDIO_SUFFIXES)}"
                ),
            )
        ]
    return sources


def _is_recording(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES


def _find_in_manifest(word: str, path: Path) -> list[_Found]:
    try:
        utterances = read_manifest(path)
    except DataError as error:
        return [_problem(word, error)]
    return [_utterance(utterance, path) for utterance in utterances]


def _find_pattern(pattern: str, tell: _Tell) -> list[_Found]:
    """Files of any name where the pattern has a suffix ("*.sph"), or else recordings and folders.

    ** stands for all folders below, so that these are not searched once more.
    """
    suffix = Path(pattern).suffix
    any_name = suffix != "" and not glob.has_magic(suffix)
    # What comes before the first wildcard; the structure below it is kept in the outputs.
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    found: list[_Found] = []
    for name in sorted(glob.glob(pattern, recursive=True), key=lambda name: Path(name).parts):
        path = Path(name)
        if path.is_dir():
            found += [] if "**" in pattern else _find_in_folder(name, path, tell)
        elif path.suffix.lower() == _MANIFEST_SUFFIX:
            found += _find_in_manifest(name, path)
        elif any_name or _is_recording(path.name):
            found.append(_file(name, path, fixed))
    if not found:
        error = AudioError(f"{pattern}: no recording has a name of this pattern; check it")
        return [_problem(pattern, error)]
    return found


def _read_list(files_from: str | Path, standard_input: Path | None) -> list[str]:
    path = Path(files_from)
    if str(files_from) == STANDARD_INPUT:
        if standard_input is None:
            raise ConfigError("--files-from -: standard input was not read; give the list's path")
        path = standard_input
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"--files-from {files_from}: cannot be read ({error.strerror}); expected a text file "
            "with a path on each line"
        ) from None
    if b"\0" in content:
        raise DataError(
            f"--files-from {files_from}: this is no text; expected a text file with a path on each "
            "line (from find: without -print0)"
        )
    # As the file system has them: names need not be UTF-8.
    lines = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).split("\n")
    paths = [line.removesuffix("\r") for line in lines if line.strip()]
    if not paths:
        raise DataError(f"--files-from {files_from}: no paths in it; expected one on each line")
    return paths


def _file(name: str, path: Path, root: Path) -> _Found:
    """A file whose outputs mirror the folders between `root` and it."""
    inner = PurePosixPath(path.relative_to(root).as_posix())
    above = os.path.basename(os.path.abspath(root))
    stem = inner.with_suffix("")
    return _Found(Source(name, path, stem), (inner, PurePosixPath(above, stem)))


def _utterance(utterance: Utterance, manifest: Path) -> _Found:
    """An utterance, whose id may look like a path: outputs stay below the output folder."""
    parts = [_NOT_IN_FILE_NAMES.sub("_", part) for part in utterance.id.split("/")]
    stem = PurePosixPath(*[part for part in parts if part not in ("", ".", "..")] or ["utterance"])
    source = Source(
        utterance.id,
        utterance.audio_path,
        stem,
        offset=utterance.offset,
        duration=utterance.duration or None,
    )
    return _Found(source, (PurePosixPath(manifest.stem, stem),))


def _problem(name: str, error: AsrError) -> _Found:
    return _Found(Source(name, Path(name), PurePosixPath("problem"), problem=error), ())


def _tell_apart(found: list[_Found]) -> list[Source]:
    """Give every source a stem of its own."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(found):
        if one.source.problem is None:  # others have no outputs
            groups[_key(one.source.stem)].append(index)
    # Those that no other has keep theirs, whatever the others are called in the end.
    taken = {key for key, members in groups.items() if len(members) == 1}
    sources = [one.source for one in found]
    for members in groups.values():
        if len(members) == 1:
            continue
        stems = _distinct([found[index] for index in members], taken)
        taken.update(map(_key, stems))
        for index, stem in zip(members, stems, strict=True):
            sources[index] = replace(sources[index], stem=stem)
    return sources


def _distinct(group: Sequence[_Found], taken: set[str]) -> list[PurePosixPath]:
    for choice in range(min(len(one.other_stems) for one in group)):
        stems = [one.other_stems[choice] for one in group]
        keys = set(map(_key, stems))
        if len(keys) == len(stems) and not keys & taken:
            return stems
    return list(_numbered((one.source.stem for one in group), taken))


def _numbered(stems: Iterable[PurePosixPath], taken: set[str]) -> Iterator[PurePosixPath]:
    """x, x, x -> x, x-2, x-3, without those that are taken."""
    given = set(taken)
    for stem in stems:
        candidate, number = stem, 1
        while _key(candidate) in given:
            number += 1
            candidate = stem.with_name(f"{stem.name}-{number}")
        given.add(_key(candidate))
        yield candidate


def _key(stem: PurePosixPath) -> str:
    return str(stem).casefold()
