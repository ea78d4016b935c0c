"""Word and character errors: how a hypothesis differs from its reference.

Words are aligned by jiwer; characters by rapidfuzz, as jiwer does it, but only to count. Every
error weighs 1. NIST's sclite weighs a substitution 4 and the others 3, so it prefers six deletions
and insertions to five substitutions, and then counts an error more.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jiwer
from rapidfuzz.distance import Levenshtein

EditKind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class ErrorCounts:
    """Hits and errors of one utterance or of many; they add up: `sum_counts` or `+`."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        """Counts of both together."""
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def reference_length(self) -> int:
        """Number of words (or characters) in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over the reference's length; it may exceed 1.

        An empty reference counts as length 1, so that the rate stays finite: nothing said and
        nothing heard is 0.0, nothing said and three words heard is 3.0.
        """
        return self.errors / max(self.reference_length, 1)


class Edit(NamedTuple):
    """One column of an alignment: a reference unit, a hypothesis unit, or both."""

    kind: EditKind
    reference: str | None  # None where the hypothesis has a unit too many
    hypothesis: str | None  # None where the hypothesis lacks a unit


@dataclass(frozen=True)
class Alignment:
    """Reference and hypothesis side by side, with the fewest edits that turn one into the other."""

    edits: tuple[Edit, ...]
    counts: ErrorCounts


def sum_counts(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """Counts of many utterances together; of none, all zero."""
    return sum(counts, ErrorCounts())


def align_words(reference: str, hypothesis: str) -> Alignment:
    """Align two transcripts word by word; words are what white space separates."""
    return align_words_batch([reference], [hypothesis])[0]


def align_words_batch(references: Sequence[str], hypotheses: Sequence[str]) -> list[Alignment]:
    """Align many pairs of transcripts at once, in order."""
    if not references:
        return []
    output = jiwer.process_words(_plainly_spaced(references), _plainly_spaced(hypotheses))
    pairs = zip(output.references, output.hypotheses, output.alignments, strict=True)
    return [
        Alignment(_edits(reference, hypothesis, chunks), _counts(chunks))
        for reference, hypothesis, chunks in pairs
    ]


def word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count word errors: "a b c", "a x c d" -> 2 hits, 1 substitution, 1 insertion."""
    return align_words(reference, hypothesis).counts


def character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count character errors.

    jiwer's convention: a space between words is a character like any other, white space at the
    ends is not.
    """
    return character_errors_batch([reference], [hypothesis])[0]


def character_errors_batch(
    references: Sequence[str], hypotheses: Sequence[str]
) -> list[ErrorCounts]:
    """Count the character errors of many pairs of transcripts at once, in order."""
    return [
        _character_counts(reference.strip(), hypothesis.strip())
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]


def _character_counts(reference: str, hypothesis: str) -> ErrorCounts:
    kinds = Counter(edit.tag for edit in Levenshtein.editops(reference, hypothesis))
    substitutions, deletions = kinds["replace"], kinds["delete"]
    hits = len(reference) - substitutions - deletions
    return ErrorCounts(hits, substitutions, deletions, kinds["insert"])


def _plainly_spaced(texts: Sequence[str]) -> list[str]:
    # jiwer splits at the plain space only: a tab would glue two words together.
    return [" ".join(text.split()) for text in texts]


def _counts(chunks: Sequence[Any]) -> ErrorCounts:
    totals = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
    for chunk in chunks:
        totals[chunk.type] += max(
            chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
        )
    return ErrorCounts(totals["equal"], totals["substitute"], totals["delete"], totals["insert"])


def _edits(
    reference: Sequence[str], hypothesis: Sequence[str], chunks: Sequence[Any]
) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    for chunk in chunks:
        said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            edits += [Edit("delete", unit, None) for unit in said]
        elif chunk.type == "insert":
            edits += [Edit("insert", None, unit) for unit in heard]
        else:
            edits += [Edit(chunk.type, *units) for units in zip(said, heard, strict=True)]
    return tuple(edits)
