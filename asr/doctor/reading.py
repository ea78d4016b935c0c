"""Read a manifest as far as it can be read, and the words of a language model."""

from pathlib import Path

from asr.doctor.findings import Finding
from asr.errors import DataError, ModelError
from asr.lm.arpa import read_vocabulary
from asr.manifest import Utterance, read_lines

_ARPA = (".arpa", ".arpa.gz")


def read_leniently(path: Path) -> tuple[list[Utterance], list[Finding]]:
    """Read the utterances of a manifest, an id given twice included, and name its bad lines.

    Raises:
        DataError: the file is missing or not UTF-8, or has no good line.
    """
    utterances: list[Utterance] = []
    findings: list[Finding] = []
    errors: list[DataError] = []
    for number, one in read_lines(path):
        if isinstance(one, Utterance):
            utterances.append(one)
            continue
        errors.append(one)
        detail = str(one).removeprefix(f"{path}:{number}: ")
        findings.append(Finding(f"line {number}", None, "bad-line", detail))
    if not utterances and errors:
        raise errors[0]
    if not utterances:
        raise DataError(f"{path}: the manifest has no utterances; expected one JSON object a line")
    return utterances, findings


def read_lm_words(path: Path) -> frozenset[str]:
    """Read the words of an ARPA file (.arpa, .arpa.gz), or of a list with one first on each line.

    Raises:
        DataError: the file is missing, damaged, or empty.
    """
    if path.name.endswith(_ARPA):
        try:
            return frozenset(read_vocabulary(path))
        except ModelError as error:
            raise DataError(f"--lm {error}") from None
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"--lm {path}: cannot be read ({error}); expected an ARPA file, or a word on each line"
        ) from None
    words = frozenset(line.split()[0] for line in lines if line.strip())
    if not words:
        raise DataError(f"--lm {path}: no words in it; expected one on each line")
    return words
