"""Read a manifest as far as it can be read, and the words of a language model."""

from pathlib import Path

from asr.bundle import model_folder
from asr.decoding.folder import WORDS
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.decoding.lexicon import read_words
from asr.doctor.findings import Finding
from asr.errors import DataError, ModelError
from asr.lm.arpa import read_vocabulary
from asr.lm.packed import read_packed
from asr.lm.text import SPECIAL
from asr.manifest import Utterance, read_lines

_ARPA = (".arpa", ".arpa.gz")
_PACKED = ".safetensors"


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
    """Read the words of a language model, or of a list with one first on each line.

    Args:
        path: a model folder, an ARPA file (.arpa, .arpa.gz), packed n-grams (.safetensors), or a
            list of words.

    Raises:
        DataError: it is missing, damaged, or empty, or the model is one over characters.
    """
    try:
        if path.is_dir():
            return _folder_words(model_folder(path))
        if path.name.endswith(_ARPA):
            return frozenset(read_vocabulary(path))
        if path.suffix == _PACKED:
            return _packed_words(path)
    except ModelError as error:
        raise DataError(f"--lm {error}") from None
    return _listed_words(path)


def _folder_words(folder: Path) -> frozenset[str]:
    """The lexicon, where there is one: a search finds no other word, whatever the n-grams are."""
    if (folder / WORDS).exists():
        return frozenset(read_words(folder / WORDS))
    if not (folder / LANGUAGE_MODEL).exists():
        raise ModelError(
            f"{folder}: has no language model and no lexicon; expected a model folder with one, "
            "such as a recipe with a section 'lm' makes, an ARPA file, or a list of words"
        )
    return _packed_words(folder / LANGUAGE_MODEL)


def _packed_words(path: Path) -> frozenset[str]:
    words = read_packed(path).words[len(SPECIAL) :]
    if all(len(word) == 1 for word in words):
        raise ModelError(
            f"{path}: a model over characters, which lacks no word; expected one over words, or a "
            "list of words"
        )
    return frozenset(words)


def _listed_words(path: Path) -> frozenset[str]:
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
