"""Which words go wrong, and what they are taken for."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from asr.scoring.error_rate import Alignment

_STORED = 100  # of each list, in JSON


class WrongWord(NamedTuple):
    """A word of the references, and how it fares."""

    word: str
    wrong: int  # times substituted or deleted
    said: int  # times

    @property
    def rate(self) -> float:
        """Share of the times it was said in which it came out wrong."""
        return self.wrong / self.said


@dataclass(frozen=True)
class Confusions:
    """Errors by word, the most frequent first; equally frequent ones in alphabetical order."""

    substitutions: list[tuple[tuple[str, str], int]]  # ((said, heard), times)
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]
    words: list[WrongWord]  # those that were wrong, the most often wrong first

    def to_json(self) -> dict[str, Any]:
        """Plain data: at most the first 100 of each list."""
        return {
            "substitutions": [
                {"said": said, "heard": heard, "times": times}
                for (said, heard), times in self.substitutions[:_STORED]
            ],
            "deletions": [
                {"word": word, "times": times} for word, times in self.deletions[:_STORED]
            ],
            "insertions": [
                {"word": word, "times": times} for word, times in self.insertions[:_STORED]
            ],
            "words": [
                {"word": one.word, "wrong": one.wrong, "said": one.said}
                for one in self.words[:_STORED]
            ],
        }

    def for_page(self, kind: str, most: int) -> list[tuple[str, str, str]]:
        """The first errors of a kind: how often, what, and what finds it in the page's search."""
        if kind == "words":
            words = self.words[:most]
            return [(f"{one.wrong:,} of {one.said:,}", one.word, f"{one.word} →") for one in words]
        found = []
        for error, times in getattr(self, kind)[:most]:
            said, heard = error if kind == "substitutions" else (error, error)
            left = "***" if kind == "insertions" else said
            right = "***" if kind == "deletions" else heard
            shown = f"{said} → {heard}" if kind == "substitutions" else error
            found.append((f"{times:,}", shown, f"{left} → {right}"))
        return found


@dataclass(frozen=True)
class VocabularySplit:
    """The words of the references in and out of a vocabulary.

    Insertions belong to no reference word, and count in neither.
    """

    inside: int
    inside_wrong: int
    outside: int
    outside_wrong: int

    def to_json(self) -> dict[str, int]:
        """Plain data."""
        return {
            "inside": self.inside,
            "inside_wrong": self.inside_wrong,
            "outside": self.outside,
            "outside_wrong": self.outside_wrong,
        }


def count_confusions(alignments: Iterable[Alignment]) -> Confusions:
    """Count the errors of many utterances by word."""
    substitutions: Counter[tuple[str, str]] = Counter()
    deletions: Counter[str] = Counter()
    insertions: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for alignment in alignments:
        for edit in alignment.edits:
            if edit.reference is None:
                insertions[edit.hypothesis or ""] += 1
                continue
            said[edit.reference] += 1
            if edit.hypothesis is None:
                deletions[edit.reference] += 1
            elif edit.kind == "substitute":
                substitutions[edit.reference, edit.hypothesis] += 1
    wrong = Counter(deletions)
    for (word, _), times in substitutions.items():
        wrong[word] += times
    return Confusions(
        _ranked(substitutions),
        _ranked(deletions),
        _ranked(insertions),
        [WrongWord(word, times, said[word]) for word, times in _ranked(wrong)],
    )


def split_by_vocabulary(
    alignments: Iterable[Alignment], vocabulary: Collection[str]
) -> VocabularySplit:
    """Count the reference words in and out of a vocabulary, and how many of them are wrong."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for alignment in alignments:
        for edit in alignment.edits:
            if edit.reference is not None:
                counts[edit.reference in vocabulary, edit.kind == "equal"] += 1
    return VocabularySplit(
        inside=counts[True, True] + counts[True, False],
        inside_wrong=counts[True, False],
        outside=counts[False, True] + counts[False, False],
        outside_wrong=counts[False, False],
    )


def _ranked(counter: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))
