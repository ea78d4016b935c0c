"""What the data doctor finds: problems with names, what to do about them, and the report."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asr.errors import AudioProblem, DataError
from asr.manifest import Utterance

Problem = (
    AudioProblem
    | Literal["too-short", "too-long", "no-text", "empty-text", "unknown-characters", "infeasible"]
    | Literal["unused-audio", "duplicate-audio"]
)

ADVICE: dict[Problem, str] = {
    "unreadable": "copy the file again, or convert it to wav or flac",
    "empty-audio": "copy or record the file again",
    "cut-short": "copy the file again",
    "damaged": "copy the file again",
    "wrong-duration": "prepare the manifest again, or copy the file again",
    "silent": "check the microphone or the channel, or leave the utterance out",
    "not-finite": "convert or record the file again",
    "too-short": "check offset and duration, or lower min_seconds",
    "too-long": "cut the recording at pauses, or raise max_seconds",
    "no-text": "transcribe it, or leave the utterance out",
    "empty-text": "check the transcript and the normaliser, or leave the utterance out",
    "unknown-characters": "normalise or spell out the text, or train with text that has them",
    "infeasible": "check that text and audio belong together, or lower the subsampling factor",
    "unused-audio": "check duration: the file goes on, and the text may belong to all of it",
    "duplicate-audio": "keep one of them, above all where one trains and the other tests",
}
_STILL_USABLE: frozenset[Problem] = frozenset(("unused-audio", "duplicate-audio"))


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one utterance."""

    id: str
    audio_path: Path
    problem: Problem
    detail: str  # what came and what was expected, with the numbers

    @property
    def usable(self) -> bool:
        """Whether the utterance can be used nevertheless."""
        return self.problem in _STILL_USABLE

    def to_json(self) -> dict[str, Any]:
        """Plain data, with what to do about it."""
        return {
            "id": self.id,
            "audio_filepath": str(self.audio_path),
            "problem": self.problem,
            "detail": self.detail,
            "usable": self.usable,
            "advice": ADVICE[self.problem],
        }


@dataclass(frozen=True)
class CheckReport:
    """What the data doctor found in one manifest."""

    findings: tuple[Finding, ...]  # in the manifest's order
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

    def enforce(self, max_bad_fraction: float, where: str, all_findings: Path) -> None:
        """Raise DataError where more utterances than allowed cannot be used.

        Args:
            max_bad_fraction: the share of unusable utterances that is borne.
            where: the split, for the message.
            all_findings: the file that lists every finding, for the message.
        """
        bad, total = len(self.unusable), len(self.utterances)
        if bad <= max_bad_fraction * total:
            return
        # No test set is thinned out, so a higher bound is no way out there.
        advice = "mend the data or leave these out"
        if max_bad_fraction > 0:
            advice += f", or --set check.max_bad_fraction={math.ceil(100 * bad / total) / 100}"
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
