"""Scored test sets as named records: utterances aligned, errors counted, intervals drawn."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from asr.scoring.bootstrap import (
    DEFAULT,
    Bootstrap,
    Floats,
    Interval,
    Units,
    percentile_interval,
    rates,
)
from asr.scoring.error_rate import (
    Alignment,
    ErrorCounts,
    align_words_batch,
    character_errors_batch,
    sum_counts,
)
from asr.scoring.transcripts import match
from asr.text import Normalizer


@dataclass(frozen=True)
class ScoredUtterance:
    """One utterance: its words aligned, its errors counted."""

    id: str
    speaker: str | None
    alignment: Alignment  # of the words
    characters: ErrorCounts

    @property
    def words(self) -> ErrorCounts:
        """Word errors."""
        return self.alignment.counts


@dataclass(frozen=True)
class ScoreSummary:
    """Errors of many utterances together."""

    utterances: int
    wrong_utterances: int  # with one word error or more
    words: ErrorCounts
    characters: ErrorCounts

    @property
    def sentence_error_rate(self) -> float:
        """Share of utterances with a word error in them; 0.0 of none."""
        return self.wrong_utterances / max(self.utterances, 1)

    def to_json(self) -> dict[str, Any]:
        """Plain data: the rates as fractions of 1, and the counts they come from."""
        return {
            "utterances": self.utterances,
            "word_error_rate": self.words.rate,
            "character_error_rate": self.characters.rate,
            "sentence_error_rate": self.sentence_error_rate,
            "words": _counts_to_json(self.words),
            "characters": _counts_to_json(self.characters),
        }


@dataclass(frozen=True)
class Intervals:
    """Where the rates would lie with other speakers: 95 % intervals by percentile bootstrap."""

    units: Units
    bootstrap: Bootstrap
    words: Interval
    characters: Interval
    sentences: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain data: low and high of each rate, as fractions of 1, and how they were drawn."""
        return {
            "level": 0.95,
            "over": self.units.kind,
            "count": self.units.count,
            "resamples": self.bootstrap.resamples,
            "seed": self.bootstrap.seed,
            "word_error_rate": list(self.words),
            "character_error_rate": list(self.characters),
            "sentence_error_rate": list(self.sentences),
        }


@dataclass(frozen=True)
class ScoredSet:
    """One test set, scored."""

    name: str
    normalizer: str  # applied to both sides
    emptied_references: int  # references that only the normaliser made empty
    utterances: tuple[ScoredUtterance, ...]
    bootstrap: Bootstrap = DEFAULT

    @cached_property
    def summary(self) -> ScoreSummary:
        """Errors of all utterances together."""
        return summarize(self.utterances)

    @cached_property
    def intervals(self) -> Intervals:
        """How sure the rates are."""
        return draw_intervals(self.utterances, self.bootstrap)

    @cached_property
    def speakers(self) -> dict[str, ScoreSummary]:
        """Errors by speaker, the highest word error rate first; those without one left out."""
        groups: dict[str, list[ScoredUtterance]] = defaultdict(list)
        for utterance in self.utterances:
            if utterance.speaker is not None:
                groups[utterance.speaker].append(utterance)
        summaries = {speaker: summarize(group) for speaker, group in groups.items()}
        ranked = sorted(summaries.items(), key=lambda item: (-item[1].words.rate, item[0]))
        return dict(ranked)

    @property
    def most_errors_first(self) -> list[ScoredUtterance]:
        """The utterances, those with the most word errors first."""
        return sorted(self.utterances, key=lambda one: (-one.words.errors, -one.words.rate, one.id))

    def to_json(self) -> dict[str, Any]:
        """Plain data: the summary of the whole set, its intervals, and each speaker's summary."""
        return {
            "name": self.name,
            "normalizer": self.normalizer,
            "emptied_references": self.emptied_references,
            **self.summary.to_json(),
            "intervals": self.intervals.to_json(),
            "speakers": {name: summary.to_json() for name, summary in self.speakers.items()},
        }


def score_set(
    name: str,
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    *,
    normalizer: Normalizer,
    speakers: Mapping[str, str | None] | None = None,
) -> ScoredSet:
    """Score one test set, in the order of its references.

    Args:
        name: what the test set is called in tables and messages.
        references: what was said, by utterance id.
        hypotheses: what was recognised, by utterance id.
        normalizer: applied to both sides.
        speakers: who speaks, by utterance id, where that is known.

    Raises:
        DataError: an utterance has no hypothesis or no reference.
    """
    pairs = match(references, hypotheses, where=name)
    said = [normalizer(pair.reference) for pair in pairs]
    heard = [normalizer(pair.hypothesis) for pair in pairs]
    words = align_words_batch(said, heard)
    characters = character_errors_batch(said, heard)
    who = speakers or {}
    return ScoredSet(
        name=name,
        normalizer=normalizer.name,
        emptied_references=sum(
            bool(pair.reference.strip()) and not text
            for pair, text in zip(pairs, said, strict=True)
        ),
        utterances=tuple(
            ScoredUtterance(pair.id, who.get(pair.id), alignment, counts)
            for pair, alignment, counts in zip(pairs, words, characters, strict=True)
        ),
    )


def summarize(utterances: Iterable[ScoredUtterance]) -> ScoreSummary:
    """Add up the errors of utterances."""
    scored = list(utterances)
    return ScoreSummary(
        utterances=len(scored),
        wrong_utterances=sum(utterance.words.errors > 0 for utterance in scored),
        words=sum_counts(utterance.words for utterance in scored),
        characters=sum_counts(utterance.characters for utterance in scored),
    )


def draw_intervals(utterances: Sequence[ScoredUtterance], bootstrap: Bootstrap) -> Intervals:
    """Intervals of the error rates of utterances, over their speakers where these are known."""
    units = Units.choose([utterance.speaker for utterance in utterances])
    sums = bootstrap.sums(error_columns(utterances), units).T
    return Intervals(
        units,
        bootstrap,
        words=percentile_interval(rates(sums[0], sums[1])),
        characters=percentile_interval(rates(sums[2], sums[3])),
        sentences=percentile_interval(rates(sums[4], sums[5])),
    )


def error_columns(utterances: Sequence[ScoredUtterance]) -> Floats:
    """Errors and lengths of each utterance: word, character and sentence errors, each with length.

    Returns:
        (utterances, 6)
    """
    rows = [
        (
            one.words.errors,
            one.words.reference_length,
            one.characters.errors,
            one.characters.reference_length,
            one.words.errors > 0,
            1,
        )
        for one in utterances
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 6)


def _counts_to_json(counts: ErrorCounts) -> dict[str, int]:
    return {
        "reference_length": counts.reference_length,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
