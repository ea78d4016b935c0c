"""Open every recording of a manifest, read every transcript, and say what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from statistics import median

from asr.doctor.companions import set_troubles
from asr.doctor.findings import CheckReport, Examined, Finding
from asr.doctor.listening import listen_all
from asr.doctor.problems import Trouble
from asr.doctor.settings import CheckSettings, Limits
from asr.doctor.transcript import (
    infeasible_troubles,
    rare_character_troubles,
    rate_troubles,
    spelling_troubles,
    text_troubles,
    vocabulary_troubles,
)
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import TokenTable


@dataclass(frozen=True)
class Expected:
    """What utterances are held against, themselves and their companions apart."""

    encoder_frames: Callable[[float], int] | None = None  # of so many seconds of audio
    tokens: TokenTable | None = None  # None: all characters may be there, each a token
    sample_rate: int | None = None  # Hz that the model hears
    vocabulary: Set[str] | None = None  # of the language model


def check_manifest(
    utterances: Sequence[Utterance],
    settings: CheckSettings,
    *,
    normalizer: Normalizer,
    expected: Expected | None = None,
    limits: Limits | None = None,
) -> CheckReport:
    """Open every recording and read every transcript.

    Args:
        utterances: the manifest.
        settings: what makes utterances unusable; `max_bad_fraction` acts in
            `CheckReport.enforce`, not here.
        normalizer: applied to the transcripts first.
        expected: what they are held against; what is None there is not checked.
        limits: where findings begin that are only reported.
    """
    expected, limits = expected or Expected(), limits or Limits()
    sounds = listen_all(utterances, settings)
    texts = [None if one.text is None else normalizer(one.text) for one in utterances]
    examined = tuple(map(Examined, utterances, sounds, texts))
    serious = _unusable_troubles(examined, expected)
    others = _reported_troubles(examined, normalizer, expected, limits)
    findings = [
        Finding.of(utterance, trouble)
        for place, utterance in enumerate(utterances)
        for trouble in serious[place] + others[place]
    ]
    return CheckReport(
        examined=examined,
        findings=tuple(findings),
        usable=tuple(one for place, one in enumerate(utterances) if not serious[place]),
        unusable=tuple(one for place, one in enumerate(utterances) if serious[place]),
        characters=Counter("".join(text or "" for text in texts)),
        characters_per_second=_spread(
            [
                len(one.text) / one.utterance.duration
                for one in examined
                if one.text and one.utterance.duration
            ]
        ),
    )


def _unusable_troubles(examined: Sequence[Examined], expected: Expected) -> list[list[Trouble]]:
    """Why each utterance cannot be used; an empty list of those that can."""
    times = Counter(one.utterance.id for one in examined)
    ids: set[str] = set()
    found = []
    for one in examined:
        sound, text = one.sound, one.text
        troubles = [sound.trouble] if sound.trouble else []
        troubles += text_troubles(text, expected.tokens)
        known = not any(trouble.problem == "unknown-characters" for trouble in troubles)
        if text and expected.encoder_frames and sound.seconds is not None and known:
            frames = expected.encoder_frames
            troubles += infeasible_troubles(text, sound.seconds, frames, expected.tokens)
        if one.utterance.id in ids:
            name = one.utterance.id
            detail = (
                f"'{name}' was given already to an earlier utterance, {times[name]} times in all"
            )
            troubles.append(Trouble("duplicate-id", detail, times[name], 1))
        ids.add(one.utterance.id)
        found.append(troubles)
    return found


def _reported_troubles(
    examined: Sequence[Examined], normalizer: Normalizer, expected: Expected, limits: Limits
) -> dict[int, list[Trouble]]:
    """What is worth a word about utterances, by their place in the set."""
    found: defaultdict[int, list[Trouble]] = defaultdict(list)
    troubles = [
        *set_troubles(examined, limits, expected.sample_rate),
        *spelling_troubles(examined, normalizer, limits),
        *rate_troubles(examined, limits),
        *rare_character_troubles(examined, limits),
    ]
    if expected.vocabulary is not None:
        troubles += vocabulary_troubles(examined, expected.vocabulary)
    for place, trouble in troubles:
        found[place].append(trouble)
    return found


def _spread(values: list[float]) -> tuple[float, float, float] | None:
    return (min(values), median(values), max(values)) if values else None
