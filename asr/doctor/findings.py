"""What the data doctor finds: the findings, and the report of one manifest."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from asr.doctor.problems import ADVICE, STILL_USABLE, Problem, Trouble
from asr.doctor.sound import Sound
from asr.errors import DataError
from asr.manifest import Utterance


def is_borne(bad: int, total: int, share: float) -> bool:
    """Whether so many of a set may be unusable, where such a share of it may."""
    # Divided and not multiplied: 29 of 100 are 0.29 to the last bit, 0.29 * 100 is less than 29.
    return bad == 0 or bad / total <= share


def least_bound(bad: int, total: int) -> float:
    """The lowest share, in whole hundredths, that bears so many."""
    return math.ceil(100 * bad / total) / 100


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one utterance."""

    id: str
    audio_path: Path | None  # None: of a line that names none
    problem: Problem
    detail: str  # what came and what was expected, with the numbers
    number: float | None = None  # what was measured, where it is one number
    threshold: float | None = None  # what it was held against

    @classmethod
    def of(cls, utterance: Utterance, trouble: Trouble) -> Self:
        """Say of an utterance what is wrong with it."""
        return cls(utterance.id, utterance.audio_path, *trouble)

    @property
    def usable(self) -> bool:
        """Whether the utterance can be used nevertheless."""
        return self.problem in STILL_USABLE

    def to_json(self) -> dict[str, Any]:
        """Plain data, with what to do about it."""
        return {
            "id": self.id,
            "audio_filepath": None if self.audio_path is None else str(self.audio_path),
            "problem": self.problem,
            "detail": self.detail,
            "number": self.number,
            "threshold": self.threshold,
            "usable": self.usable,
            "advice": ADVICE[self.problem],
        }


@dataclass(frozen=True)
class Examined:
    """One utterance, opened and read."""

    utterance: Utterance
    sound: Sound
    text: str | None  # normalised; None: not transcribed


@dataclass(frozen=True)
class CheckReport:
    """What the data doctor found in one manifest."""

    examined: tuple[Examined, ...]  # in the manifest's order
    findings: tuple[Finding, ...]  # in the manifest's order, then those that were added
    usable: tuple[Utterance, ...]
    unusable: tuple[Utterance, ...]
    characters: Counter[str]  # of the normalised transcripts
    characters_per_second: tuple[float, float, float] | None  # lowest, median, highest

    @property
    def counts(self) -> dict[Problem, int]:
        """How many findings there are of each problem, the most frequent first."""
        return dict(Counter(finding.problem for finding in self.findings).most_common())

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """All utterances, the usable first."""
        return self.usable + self.unusable

    @property
    def hours(self) -> float:
        """Hours of sound, by the manifest, unusable utterances included."""
        return sum(utterance.duration for utterance in self.utterances) / 3600

    @property
    def speakers(self) -> set[str]:
        """Everybody the manifest names as a speaker."""
        return {one.speaker for one in self.utterances if one.speaker is not None}

    @property
    def seconds_opened(self) -> float:
        """Seconds of sound that were decoded."""
        return sum(one.sound.seconds or 0.0 for one in self.examined)

    def with_findings(self, more: Iterable[Finding]) -> "CheckReport":
        """Return a report with more findings; none of them makes an utterance unusable."""
        return replace(self, findings=(*self.findings, *more))

    def enforce(self, max_bad_fraction: float, where: str, all_findings: Path) -> None:
        """Raise DataError where more utterances than allowed cannot be used.

        Args:
            max_bad_fraction: the share of unusable utterances that is borne.
            where: the split, for the message.
            all_findings: the file that lists every finding, for the message.
        """
        bad, total = len(self.unusable), len(self.utterances)
        if is_borne(bad, total, max_bad_fraction):
            return
        # No test set is thinned out, so a higher bound is no way out there.
        advice = "mend the data or leave these out"
        if max_bad_fraction > 0:
            advice += f", or --set check.max_bad_fraction={least_bound(bad, total)}"
        serious = [finding for finding in self.findings if not finding.usable]
        counts = Counter(finding.problem for finding in serious).most_common()
        first = "; ".join(
            f"{finding.id}, {finding.audio_path}: {finding.problem}, {finding.detail}"
            for finding in serious[:5]
        )
        raise DataError(
            f"{where}: {bad} of {total} utterances cannot be used ({100 * bad / total:.1f} %, "
            f"at most {100 * max_bad_fraction:g} % are borne): "
            f"{', '.join(f'{count} {problem}' for problem, count in counts)}; the first: {first}; "
            f"all of them: {all_findings}; {advice}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "utterances": len(self.utterances),
            "unusable": len(self.unusable),
            "hours": self.hours,
            "speakers": len(self.speakers),
            "characters": dict(self.characters.most_common()),
            "characters_per_second": self.characters_per_second,
            "problems": self.counts,
            "findings": [finding.to_json() for finding in self.findings],
        }
