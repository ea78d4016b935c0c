"""A test set: what was said, what systems heard, and what is known of each utterance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr.errors import DataError
from asr.scoring.lines import first_few, read_pairs
from asr.scoring.sclite import assign, read_ctm, read_stm, require_known
from asr.scoring.transcripts import (
    Missing,
    Transcripts,
    match,
    read_attributed,
    read_parallel,
    word_records,
)

_WITH_IDS = {".jsonl", ".json", ".trn", ".ctm", ".stm"}


@dataclass(frozen=True)
class System:
    """What one system recognised; the same utterances as in the references, in their order."""

    name: str
    texts: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]]  # words, nbest, …
    missing: int  # utterances that it has no hypothesis of, whose text is ''


@dataclass(frozen=True)
class TestSet:
    """References and the systems to score, matched by id."""

    __test__ = False  # no test of pytest's

    references: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]]  # of the references: speaker, duration, …
    systems: Sequence[System]
    notices: Sequence[str]  # what was left out, for the user to know

    @property
    def speakers(self) -> dict[str, str | None]:
        """Who speaks, by utterance id, None where that is not known."""
        return {key: self.attributes.get(key, {}).get("speaker") for key in self.references}


def read_test_set(
    reference: Path,
    hypotheses: Sequence[Path],
    *,
    parallel: bool = False,
    missing: Missing = "error",
) -> TestSet:
    """Read references and hypotheses, and match them.

    Args:
        reference: a file that `read_attributed` reads, or `.stm`, which takes `.ctm` hypotheses.
        hypotheses: a file for each system.
        parallel: the files are plain lines without ids, line by line the same utterances.
        missing: whether a missing hypothesis is an error or counts as empty.

    Raises:
        DataError: naming file, line or ids, for anything that is not as it should be.
    """
    if parallel:
        return _parallel_set(reference, hypotheses)
    if reference.suffix == ".stm":
        return _segmented_set(reference, hypotheses, missing)
    said = read_attributed(reference)
    heard = {path: read_attributed(path) for path in hypotheses}
    return _matched(said, heard, missing, [])


def with_speakers(test_set: TestSet, path: Path) -> TestSet:
    """Take the speakers from lines of `id speaker`, Kaldi's utt2spk; ids beyond the set are fine.

    Raises:
        DataError: an utterance has no line.
    """
    speakers = read_pairs(path, "lines of 'id speaker'")
    unknown = [key for key in test_set.references if key not in speakers]
    if unknown:
        raise DataError(
            f"{path}: {len(unknown)} of {len(test_set.references)} utterances have no speaker "
            f"({first_few(unknown)}); expected a line 'id speaker' for each"
        )
    attributes = {
        key: {**test_set.attributes.get(key, {}), "speaker": speakers[key]}
        for key in test_set.references
    }
    return replace(test_set, attributes=attributes)


def _parallel_set(reference: Path, hypotheses: Sequence[Path]) -> TestSet:
    for path in (reference, *hypotheses):
        if path.suffix in _WITH_IDS:
            raise DataError(
                f"{path}: {path.suffix} files have ids; --parallel is for plain lines without: "
                "leave it out"
            )
    said = read_parallel(reference)
    heard = {path: read_parallel(path) for path in hypotheses}
    for path, transcripts in heard.items():
        if len(transcripts.texts) != len(said.texts):
            raise DataError(
                f"{path}: {len(transcripts.texts)} lines came, {reference} has {len(said.texts)}; "
                "expected line by line the same utterances"
            )
    if not said.texts:
        raise DataError(f"{reference}: the file is empty; expected a transcript a line")
    return _matched(said, heard, "error", [])


def _segmented_set(reference: Path, hypotheses: Sequence[Path], missing: Missing) -> TestSet:
    segments = read_stm(reference)
    scored = [segment for segment in segments if segment.scored]
    said = Transcripts(
        {segment.id: segment.text for segment in scored},
        {
            segment.id: {"speaker": segment.speaker, "duration": segment.end - segment.start}
            for segment in scored
        },
    )
    heard, notices = {}, []
    if len(scored) < len(segments):
        notices.append(
            f"{reference}: {len(segments) - len(scored)} of {len(segments)} segments do not count: "
            "gaps, or marked to be ignored in scoring"
        )
    for path in hypotheses:
        if path.suffix != ".ctm":
            raise DataError(
                f"{path}: {path.suffix or 'no suffix'} came; expected .ctm beside an .stm reference"
            )
        words = read_ctm(path)
        require_known(words, segments, path)
        shared = assign(words, segments)
        heard[path] = Transcripts(
            {key: " ".join(word.text for word in given) for key, given in shared.words.items()},
            {key: {"words": word_records(list(given))} for key, given in shared.words.items()},
        )
        if shared.not_scored:
            notices.append(f"{path}: {shared.not_scored} words in these segments are not scored")
        if shared.outside:
            times = first_few(f"{one.text} at {one.start:.2f} s" for one in shared.outside)
            notices.append(
                f"{path}: {len(shared.outside)} words lie in no segment and are not scored "
                f"({times})"
            )
    return _matched(said, heard, missing, notices)


def _matched(
    said: Transcripts, heard: Mapping[Path, Transcripts], missing: Missing, notices: list[str]
) -> TestSet:
    systems = []
    for name, (path, transcripts) in zip(_names(list(heard)), heard.items(), strict=True):
        pairs = match(said.texts, transcripts.texts, where=str(path), missing=missing)
        lacking = [pair.id for pair in pairs if pair.id not in transcripts.texts]
        if lacking:
            notices.append(
                f"{path}: {len(lacking)} of {len(pairs)} hypotheses are missing and count as "
                f"deleted ({first_few(lacking)})"
            )
        texts = {pair.id: pair.hypothesis for pair in pairs}
        systems.append(System(name, texts, transcripts.attributes, len(lacking)))
    return TestSet(said.texts, said.attributes, systems, notices)


def _names(paths: Sequence[Path]) -> list[str]:
    """File names, or whole paths where file names are the same."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
