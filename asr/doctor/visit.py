"""A visit of the doctor: several manifests, each by itself, beside the others, and by a model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from asr.bundle import load_bundle
from asr.doctor.examination import Expected, check_manifest
from asr.doctor.findings import CheckReport, is_borne
from asr.doctor.leakage import add_leakage
from asr.doctor.reading import read_leniently, read_lm_words
from asr.doctor.settings import CheckSettings, Limits
from asr.doctor.suspects import (
    EXCESS,
    MeasureName,
    Suspect,
    rank_transcripts,
    suspect_findings,
)
from asr.errors import DataError
from asr.recognizer import Recognizer
from asr.text import Normalizer
from asr.training.distributed import choose_device


@dataclass
class Visit:
    """What came of a visit."""

    reports: dict[str, CheckReport] = field(default_factory=dict)  # by the path of the manifest
    rankings: dict[str, list[Suspect]] = field(default_factory=dict)  # the least likely text first
    ranked_by: MeasureName = EXCESS
    errors: list[DataError] = field(default_factory=list)  # manifests that cannot be read

    def all_well(self, max_bad_fraction: float = 0.0) -> bool:
        """Whether all can be used, but for a share of each set, whatever else is reported.

        Where an id comes twice or a line is bad, nothing reads the manifest: no share is borne.
        """
        return not self.errors and all(
            is_borne(len(report.unusable), len(report.utterances), max_bad_fraction)
            and not {"bad-line", "duplicate-id"} & set(report.counts)
            for report in self.reports.values()
        )

    @property
    def hours_opened(self) -> float:
        """Hours of sound that were decoded."""
        return sum(report.seconds_opened for report in self.reports.values()) / 3600

    def to_json(self) -> dict[str, Any]:
        """Plain data, by the path of the manifest."""
        data = {path: report.to_json() for path, report in self.reports.items()}
        for path, ranking in self.rankings.items():
            data[path]["ranked_by"] = self.ranked_by
            data[path]["ranking"] = [one.to_json() for one in ranking]
        return data


@dataclass(frozen=True)
class Doctor:
    """All that manifests are held against."""

    lengths: CheckSettings
    limits: Limits
    normalizer: Normalizer
    expected: Expected
    recognizer: Recognizer | None = None
    rank_by: MeasureName = EXCESS

    @classmethod
    def prepare(
        cls,
        lengths: CheckSettings,
        limits: Limits,
        *,
        normalizer: str,
        lm: Path | None = None,
        recognizer: Recognizer | None = None,
        rank_by: MeasureName = EXCESS,
    ) -> Self:
        """Read the words of a language model, and take what the model hears and writes.

        Args:
            lengths: the shortest and longest utterance that can be used.
            limits: where other findings begin.
            normalizer: the name of the rule for transcripts, where there is no model.
            lm: a model folder, an ARPA file or a list of words.
            recognizer: of the model that will be used.
            rank_by: what puts the transcripts in order, with a model.
        """
        words = None if lm is None else read_lm_words(lm)
        if recognizer is None:
            return cls(lengths, limits, Normalizer(normalizer), Expected(vocabulary=words))
        bundle = recognizer.bundle
        expected = Expected(
            bundle.encoder_frames, bundle.tokens, bundle.features.sample_rate, words
        )
        return cls(lengths, limits, bundle.normalizer, expected, recognizer, rank_by)

    def visit(self, manifests: Sequence[Path]) -> Visit:
        """Check manifests: of train, dev and test in this order, or of sets by themselves."""
        visit, reports = Visit(ranked_by=self.rank_by), {}
        for path in manifests:
            try:
                utterances, bad_lines = read_leniently(path)
            except DataError as error:
                visit.errors.append(error)
                continue
            report = check_manifest(
                utterances,
                self.lengths,
                normalizer=self.normalizer,
                expected=self.expected,
                limits=self.limits,
            )
            if self.recognizer is not None:
                ranking = rank_transcripts(self.recognizer, report.examined, self.rank_by)
                visit.rankings[str(path)] = ranking
                report = report.with_findings(suspect_findings(ranking, self.limits, self.rank_by))
            reports[str(path)] = report.with_findings(bad_lines)
        visit.reports = add_leakage(reports, self.limits)
        return visit


def load_recognizer(folder: Path, device: str) -> Recognizer:
    """Open a model; what it hears is decoded greedily."""
    return Recognizer(load_bundle(folder, choose_device(device)))
