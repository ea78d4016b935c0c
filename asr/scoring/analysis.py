"""All that can be said of one system on a test set: rates, slices, confusions, oracle."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr.errors import DataError
from asr.scoring.bootstrap import DEFAULT, Bootstrap
from asr.scoring.confusions import (
    Confusions,
    VocabularySplit,
    count_confusions,
    split_by_vocabulary,
)
from asr.scoring.error_rate import ErrorCounts
from asr.scoring.lines import read_lines
from asr.scoring.oracle import oracle_errors, read_nbest
from asr.scoring.scored import ScoredSet, score_set
from asr.scoring.slices import Slice, slice_set, slice_values
from asr.scoring.test_set import System, TestSet
from asr.text import Normalizer


@dataclass(frozen=True)
class Questions:
    """What is asked beyond the rates."""

    bootstrap: Bootstrap = DEFAULT
    by: Sequence[str] = ()  # keys to cut by
    vocabulary: Collection[str] | None = None  # normalised words


@dataclass(frozen=True)
class Analysis:
    """One system's scores, and the answers to the questions."""

    scored: ScoredSet
    missing: int  # hypotheses counted as deleted
    slices: Mapping[str, Sequence[Slice]]  # by key
    confusions: Confusions
    vocabulary: VocabularySplit | None
    oracle: ErrorCounts | None  # word errors, where there are n-best lists

    def to_json(self) -> dict[str, Any]:
        """Plain data: that of the scored set, and the rest."""
        data = self.scored.to_json() | {
            "missing_hypotheses": self.missing,
            "slices": {key: [one.to_json() for one in found] for key, found in self.slices.items()},
            "confusions": self.confusions.to_json(),
        }
        if self.vocabulary is not None:
            data["vocabulary"] = self.vocabulary.to_json()
        if self.oracle is not None:
            data["oracle_word_error_rate"] = self.oracle.rate
        return data


def analyse(
    test_set: TestSet, system: System, *, normalizer: Normalizer, questions: Questions
) -> Analysis:
    """Score one system of a test set, and answer the questions.

    Raises:
        ConfigError: the references do not have a key to cut by.
        DataError: an n-best list is not one.
    """
    scored = score_set(
        system.name,
        test_set.references,
        system.texts,
        normalizer=normalizer,
        speakers=test_set.speakers,
    )
    scored = replace(scored, bootstrap=questions.bootstrap)
    alignments = [utterance.alignment for utterance in scored.utterances]
    nbest = read_nbest(system.attributes, system.name)
    oracle = None
    if nbest:
        oracle = oracle_errors(test_set.references, system.texts, nbest, normalizer=normalizer)
    vocabulary = questions.vocabulary
    return Analysis(
        scored=scored,
        missing=system.missing,
        slices={
            key: slice_set(scored, slice_values(scored, key, test_set.attributes))
            for key in questions.by
        },
        confusions=count_confusions(alignments),
        vocabulary=None if vocabulary is None else split_by_vocabulary(alignments, vocabulary),
        oracle=oracle,
    )


def read_vocabulary(path: Path, normalizer: Normalizer) -> set[str]:
    """Read a word a line, normalised; what follows it (a number, a pronunciation) is left out.

    Raises:
        DataError: there are no words in it.
    """
    lines = read_lines(path, "a word a line")
    words = {part for _, line in lines for part in normalizer(line.split()[0]).split()}
    if not words:
        raise DataError(f"{path}: there are no words in it; expected a word a line")
    return words
