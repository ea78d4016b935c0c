"""Leakage: what a set shares with one that comes before it, so that it is no test of it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

from asr.doctor.findings import CheckReport, Examined, Finding
from asr.doctor.problems import Trouble
from asr.doctor.settings import Limits


def add_leakage(
    reports: Mapping[str, CheckReport], limits: Limits | None = None
) -> dict[str, CheckReport]:
    """Find speakers, recordings and texts of each set that are in one before it, too.

    Args:
        reports: of train, dev and test, in this order, by their names.
        limits: how long a text must be for it not to be said twice by chance.

    Returns:
        The reports, with a finding more for each utterance whose recording or text is in a set
        before, and for each speaker, at the first utterance.
    """
    before = _Known(limits or Limits())
    found = {}
    for name, report in reports.items():
        found[name] = report.with_findings(list(before.leaks(report.examined)))
        before.add(name, report.examined)
    return found


_OVERLAP = 0.1  # seconds; cuts may lie that far inside each other


class _Part(NamedTuple):
    """A part of a file that is in a set."""

    start: float  # seconds
    end: float
    where: str

    @classmethod
    def of(cls, one: Examined, where: str) -> Self:
        start = one.utterance.offset
        return cls(start, start + (one.sound.seconds or 0.0), where)

    def overlap(self, other: "_Part") -> float:
        return min(self.end, other.end) - max(self.start, other.start)


def _path(one: Examined) -> str:
    return os.path.abspath(one.utterance.audio_path)


class _Known:
    """What the sets so far have in them, and in which of them it was first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._speakers: dict[str, str] = {}
        self._sounds: dict[bytes, str] = {}
        self._texts: dict[str, str] = {}
        self._times: Counter[str] = Counter()  # of each text
        self._parts: defaultdict[str, list[_Part]] = defaultdict(list)  # of a file, by its path

    def add(self, name: str, examined: Sequence[Examined]) -> None:
        for one in examined:
            where = f"'{one.utterance.id}' of {name}"
            if one.utterance.speaker is not None:
                self._speakers.setdefault(one.utterance.speaker, name)
            if one.sound.digest:
                self._sounds.setdefault(one.sound.digest, where)
                self._parts[_path(one)].append(_Part.of(one, where))
            if one.text and len(one.text.split()) >= self._limits.repeated_words:
                self._texts.setdefault(one.text, where)
                self._times[one.text] += 1

    def leaks(self, examined: Sequence[Examined]) -> Iterator[Finding]:
        spoken = Counter(one.utterance.speaker for one in examined)
        named: set[str] = set()
        for one in examined:
            speaker = one.utterance.speaker
            if speaker in self._speakers and speaker not in named:
                named.add(speaker)
                count = spoken[speaker]
                detail = (
                    f"speaker '{speaker}' of {count} utterances is in {self._speakers[speaker]}"
                )
                yield Finding.of(one.utterance, Trouble("leak-speaker", detail, count, 0))
            shared = self._shared_sound(one)
            if shared:
                yield Finding.of(one.utterance, shared)
            if one.text is not None and one.text in self._texts:
                detail = f"'{one.text}' is also the text of {self._texts[one.text]}"
                count = self._times[one.text]
                yield Finding.of(one.utterance, Trouble("leak-text", detail, count, 0))

    def _shared_sound(self, one: Examined) -> Trouble | None:
        if not one.sound.digest:
            return None
        if one.sound.digest in self._sounds:
            detail = f"the same samples as {self._sounds[one.sound.digest]}"
            return Trouble("leak-audio", detail, one.sound.seconds, _OVERLAP)
        part = _Part.of(one, "")
        # Not by [...], which would enter each path that is asked for.
        for other in self._parts.get(_path(one), ()):
            if (seconds := part.overlap(other)) > _OVERLAP:
                detail = f"{seconds:.2f} s of it are also in {other.where}"
                return Trouble("leak-audio", detail, seconds, _OVERLAP)
        return None
