"""Your own recordings: a table of paths and texts, or a folder of recordings with .txt files.

A table is a CSV or TSV file in UTF-8 with a header. It needs a column of paths (relative to the
table's folder) and one of texts; columns of speakers and of splits are used where there are any.
In a folder, `jo/a.wav` is transcribed in `jo/a.txt`; hidden files are not looked at.

Splits: those of the split column; else whole speakers, where ten or more are named; else single
utterances. Texts stay as they are written: the recipe's normaliser is applied later.
"""

import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from rich.console import Console
from rich.progress import track

from asr.audio import AUDIO_SUFFIXES, AudioInfo, read_info
from asr.errors import AudioError, ConfigError, DataError
from asr.files import write_text
from asr.manifest import Utterance, write_manifest
from asr.settings import Seed, Settings
from data_prep.partition import FEWEST_SPEAKERS, Shares, by_speaker, by_utterance
from data_prep.rows import Row, read_folder, read_table, walk

FOLDER: str | None = None

_SAME_SPLIT = {"training": "train", "valid": "dev", "validation": "dev", "val": "dev"}
_SAME_SPLIT |= {"development": "dev", "devel": "dev"}
_SPLIT_NAME = re.compile(r"\w[\w.-]*")
_NAMED_PROBLEMS = 5
_LEFT_OUT_FILE = "rejected.tsv"


_Problem = tuple[str, str, str]  # where, path, reason


class Options(Settings):
    """Which columns are meant, and how the recordings are shared out."""

    path_column: str | None = None  # None: the first of the usual names
    text_column: str | None = None  # as for the path; so for the next two
    speaker_column: str | None = None
    split_column: str | None = None
    dev: float = Field(default=0.1, gt=0, lt=1)  # share of the utterances, where no column says
    test: float = Field(default=0.1, ge=0, lt=1)  # share of the utterances, where no column says
    max_bad: int = Field(default=0, ge=0)  # rows that may be left out; more of them are an error
    seed: Seed = 1  # of the split

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> Self:
        if self.dev + self.test >= 1:
            raise ValueError(f"dev {self.dev} and test {self.test} leave nothing to train on")
        return self


@dataclass(frozen=True)
class _Recording:
    """A row that can be used."""

    id: str
    row: Row
    info: AudioInfo


def prepare(options: Options, corpus: Path | None, output: Path) -> dict[str, Path]:
    """Write manifests of the user's recordings; the recordings stay where they are.

    Args:
        corpus: the CSV or TSV file, or the folder.

    Returns:
        Split name -> manifest; always with "train" and "dev".

    Raises:
        ConfigError: no corpus was given, or a column that is named does not exist.
        DataError: more rows than `max_bad` cannot be used, or too few can.
    """
    corpus = _existing(corpus)
    rows = list(_read_rows(corpus, options))
    if not rows:
        raise DataError(f"{corpus}: a header and no rows; expected a row for each recording")
    usable, bad = _check(rows)
    _report(bad, len(rows), corpus, options)
    ids = _make_ids([row for row, _ in usable], corpus if corpus.is_dir() else corpus.parent)
    recordings = [_Recording(name, *each) for name, each in zip(ids, usable, strict=True)]
    splits = _share_out(recordings, options, corpus)
    (output / _LEFT_OUT_FILE).unlink(missing_ok=True)
    if bad:
        lines = ["\t".join(cells) for cells in [("where", "path", "reason"), *bad]]
        write_text(output / _LEFT_OUT_FILE, "\n".join(lines) + "\n")
    manifests = {}
    for name in ["train", "dev", *sorted(set(splits.values()) - {"train", "dev"})]:
        manifests[name] = output / f"{name}.jsonl"
        chosen = [_to_utterance(item) for item in recordings if splits[item.id] == name]
        write_manifest(manifests[name], chosen)
    return manifests


def fingerprint(options: Options, corpus: Path | None) -> str:
    """Return what changes when the table, or the size or time of a recording it names, changes."""
    if corpus is None:
        return ""  # not at hand, for the stages after the first
    corpus = _existing(corpus)
    digest = hashlib.sha256()
    if corpus.is_dir():
        paths = [path for path in walk(corpus) if path.suffix.lower() in (*AUDIO_SUFFIXES, ".txt")]
    else:
        digest.update(corpus.read_bytes())
        paths = [row.audio for row in _read_rows(corpus, options)]
    for path in paths:
        try:
            state = path.stat() if path.is_file() else None
        except OSError:  # a text in the place of a path
            state = None
        digest.update(f"{path}\n{state and (state.st_size, state.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


def _existing(corpus: Path | None) -> Path:
    if corpus is None:
        raise ConfigError(
            "no corpus was given; name your table (CSV or TSV with a path and a text column) or "
            "your folder of recordings with .txt files: --corpus my.csv"
        )
    if not corpus.exists():
        raise DataError(f"{corpus}: no such file or folder; expected a CSV or TSV file or a folder")
    return corpus


def _read_rows(corpus: Path, options: Options) -> Iterator[Row]:
    if corpus.is_dir():
        return read_folder(corpus)
    kinds = ("path", "text", "speaker", "split")
    return read_table(corpus, {kind: getattr(options, f"{kind}_column") for kind in kinds})


def _check(rows: list[Row]) -> tuple[list[tuple[Row, AudioInfo]], list[_Problem]]:
    """Sort the rows into those that can be used and the problems of the others."""
    usable: list[tuple[Row, AudioInfo]] = []
    bad: list[_Problem] = []
    first: dict[str, str] = {}
    console = Console(stderr=True)
    hidden = not sys.stderr.isatty()
    for row in track(rows, "checking recordings", console=console, disable=hidden):
        key = os.path.abspath(row.audio)
        try:
            reason = row.problem or _find_problem(row, first.get(key))
            info = None if reason else read_info(row.audio)
        except AudioError as error:
            reason, info = str(error), None
        if info is None:
            bad.append((row.where, row.path, str(reason)))
            continue
        first[key] = row.where
        usable.append((row, info))
    return usable, bad


def _find_problem(row: Row, same: str | None) -> str | None:
    if not row.text.strip():
        return "the text is empty"
    if same is not None:
        return f"the same recording as {same}"
    if row.split is not None and not _SPLIT_NAME.fullmatch(row.split):
        return f"split '{row.split}' is not a name of letters, digits, '-' and '_'"
    return None


def _make_ids(rows: list[Row], base: Path) -> list[str]:
    """Make ids of relative paths: 'jo/a.wav' -> 'jo-a'.

    Where two recordings would have the same id ('a.wav', 'a.flac'), a hash tells them apart.
    """
    paths = [Path(os.path.relpath(row.audio, base)).as_posix() for row in rows]
    plain = [_plain_id(path) for path in paths]
    times = Counter(plain)
    return [
        name if times[name] == 1 else f"{name}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        for name, path in zip(plain, paths, strict=True)
    ]


def _plain_id(name: str) -> str:
    parts = [part for part in Path(name).with_suffix("").parts if part not in ("..", "/")]
    return re.sub(r"\s+", "_", "-".join(parts))


def _report(bad: list[_Problem], count: int, corpus: Path, options: Options) -> None:
    """Name the rows that cannot be used; raise DataError where there are too many."""
    if not bad:
        return
    named = "; ".join(_describe(*problem) for problem in bad[:_NAMED_PROBLEMS])
    more = f"; and {len(bad) - _NAMED_PROBLEMS} more" if len(bad) > _NAMED_PROBLEMS else ""
    summary = f"{corpus}: {len(bad)} of {count} recordings cannot be used"
    if len(bad) > options.max_bad:
        raise DataError(
            f"{summary}: {named}{more}. Correct them, or leave them out by setting max_bad to "
            f"{len(bad)} (it is {options.max_bad})"
        )
    print(f"{summary} and are left out (see {_LEFT_OUT_FILE}): {named}{more}", file=sys.stderr)


def _describe(where: str, path: str, reason: str) -> str:
    known = where == path or path in reason
    return f"{where}: {reason}" if known else f"{where}: {path}: {reason}"


def _share_out(recordings: list[_Recording], options: Options, corpus: Path) -> dict[str, str]:
    """Decide the splits: id -> split name."""
    given = {item.id: _split_name(item.row.split) for item in recordings if item.row.split}
    shares = Shares(options.dev, options.test, options.seed)
    if given and "dev" not in given.values():
        print(f"{corpus}: no split is named 'dev'; taken from 'train' instead", file=sys.stderr)
        train = [item for item in recordings if given[item.id] == "train"]
        given |= _draw(train, Shares(options.dev, 0, options.seed), corpus)
    splits = given or _draw(recordings, shares, corpus)
    counts = Counter(splits.values())
    for name in ("train", "dev"):
        if not counts[name]:
            raise DataError(
                f"{corpus}: nothing for the split '{name}' ({len(recordings)} recordings: "
                f"{dict(counts)}); expected recordings to train on and some for 'dev'; "
                "add recordings, or correct the split column"
            )
    return splits


def _split_name(name: str) -> str:
    return _SAME_SPLIT.get(name.lower(), name.lower())


def _draw(recordings: list[_Recording], shares: Shares, corpus: Path) -> dict[str, str]:
    speakers = {item.id: item.row.speaker or item.id for item in recordings}
    named = {item.row.speaker for item in recordings if item.row.speaker}
    if len(named) >= FEWEST_SPEAKERS:
        return by_speaker(speakers, shares)
    if named:
        print(
            f"{corpus}: {len(named)} speakers are too few to keep some for 'dev' and test sets "
            f"(at least {FEWEST_SPEAKERS}): the splits share speakers",
            file=sys.stderr,
        )
    return by_utterance(list(speakers), shares)


def _to_utterance(item: _Recording) -> Utterance:
    return Utterance(
        id=item.id,
        audio_path=item.row.audio,
        duration=item.info.duration,
        text=item.row.text,
        speaker=item.row.speaker,
        sample_rate=item.info.sample_rate,
    )
