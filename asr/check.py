"""The data doctor: open every recording, read every transcript, and say what cannot be used."""

import hashlib
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from asr.audio import load_audio, read_info, refuse_silence
from asr.errors import AudioError
from asr.findings import CheckReport, Finding, Problem
from asr.manifest import Utterance
from asr.settings import Settings
from asr.text import Normalizer
from asr.tokens import describe_characters, frames_needed

_UNUSED_SECONDS = 0.5  # less than that at the end is a codec's padding or a trimmed silence


class CheckSettings(Settings):
    """What makes an utterance unusable, and how many such are borne."""

    max_bad_fraction: float = Field(default=0.01, ge=0, le=1)  # more unusable ones stop
    min_seconds: float = Field(default=0.1, ge=0)  # shorter recordings hold no word
    max_seconds: float = Field(default=40.0, gt=0)  # longer ones do not fit in a training batch


@dataclass(frozen=True)
class _Sound:
    """What came of opening one utterance's recording."""

    seconds: float | None = None  # None: not decoded
    digest: bytes = b""  # of the samples
    file_seconds: float = 0.0
    trouble: tuple[Problem, str] | None = None


def check_manifest(
    utterances: Sequence[Utterance],
    settings: CheckSettings,
    *,
    normalizer: Normalizer,
    encoder_frames: Callable[[float], int] | None = None,
    allowed_characters: set[str] | None = None,
) -> CheckReport:
    """Open every recording and read every transcript.

    Args:
        utterances: the manifest.
        settings: the limits; `max_bad_fraction` acts in `CheckReport.enforce`, not here.
        normalizer: applied to the transcripts first.
        encoder_frames: seconds of audio -> frames the encoder puts out; None: whether CTC can
            emit the transcript is not checked.
        allowed_characters: those the model has tokens for; None: not checked.
    """
    sounds = list(_open_all(utterances, settings))
    texts = [None if one.text is None else normalizer(one.text) for one in utterances]
    others = _other_findings(utterances, sounds)
    findings: list[Finding] = []
    usable: list[Utterance] = []
    unusable: list[Utterance] = []
    for utterance, sound, text in zip(utterances, sounds, texts, strict=True):
        troubles = [sound.trouble] if sound.trouble else []
        troubles += _text_troubles(text, allowed_characters)
        if text and encoder_frames and sound.seconds is not None and not sound.trouble:
            troubles += _ctc_troubles(text, sound.seconds, encoder_frames)
        own = [Finding(utterance.id, utterance.audio_path, *trouble) for trouble in troubles]
        (unusable if own else usable).append(utterance)
        findings += own + others[utterance.id]
    pairs = zip(utterances, texts, strict=True)
    return CheckReport(
        findings=tuple(findings),
        usable=tuple(usable),
        unusable=tuple(unusable),
        characters=Counter("".join(text or "" for text in texts)),
        characters_per_second=_spread(
            [len(text) / one.duration for one, text in pairs if text and one.duration]
        ),
    )


def _open_all(utterances: Sequence[Utterance], settings: CheckSettings) -> Iterator[_Sound]:
    """Decode all recordings, in order; libsndfile works outside the interpreter's lock."""
    bar = Progress(
        TextColumn("opening recordings"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        with bar:
            sounds = pool.map(lambda one: _open_one(one, settings), utterances)
            yield from bar.track(sounds, total=len(utterances))
    finally:
        # After Ctrl-C the recordings still waiting are not opened.
        pool.shutdown(cancel_futures=True)


def _open_one(utterance: Utterance, settings: CheckSettings) -> _Sound:
    path, seconds = utterance.audio_path, utterance.duration
    try:
        file_seconds = read_info(path).duration
        if seconds < settings.min_seconds:
            return _Sound(
                trouble=("too-short", f"{seconds:.3f} s, at least {settings.min_seconds:g} s")
            )
        if seconds > settings.max_seconds:
            # Not decoded: an hour of samples in every thread could fill the memory.
            return _Sound(
                trouble=("too-long", f"{seconds:.1f} s, at most {settings.max_seconds:g} s")
            )
        waveform = load_audio(path, offset=utterance.offset, duration=seconds)
        refuse_silence(waveform, path)
    except AudioError as error:
        return _Sound(trouble=(error.problem, str(error).removeprefix(f"{path}: ")))
    except OSError as error:
        return _Sound(trouble=("unreadable", str(error)))
    digest = hashlib.blake2b(waveform.samples.tobytes(), digest_size=16).digest()
    return _Sound(waveform.duration, digest, file_seconds)


def _text_troubles(text: str | None, allowed: set[str] | None) -> list[tuple[Problem, str]]:
    if text is None:
        return [("no-text", "the manifest has no key 'text' for it")]
    if not text:
        return [("empty-text", "nothing is left of the transcript once normalised")]
    unknown = Counter(one for one in text if allowed is not None and one not in allowed)
    if unknown:
        return [("unknown-characters", f"{describe_characters(unknown)} in '{text}'")]
    return []


def _ctc_troubles(
    text: str, seconds: float, encoder_frames: Callable[[float], int]
) -> list[tuple[Problem, str]]:
    needed, given = frames_needed(text), encoder_frames(seconds)
    if given >= needed:
        return []
    return [
        (
            "infeasible",
            f"{len(text)} characters need {needed} encoder frames (one each, and a blank between "
            f"equal neighbours), {seconds:.2f} s of audio give {given}",
        )
    ]


def _other_findings(
    utterances: Sequence[Utterance], sounds: Sequence[_Sound]
) -> dict[str, list[Finding]]:
    """What an utterance only shows beside the others: left-over and repeated sound."""
    findings: dict[str, list[Finding]] = defaultdict(list)
    uses = Counter(utterance.audio_path for utterance in utterances)
    first: dict[bytes, Utterance] = {}
    for utterance, sound in zip(utterances, sounds, strict=True):
        if sound.seconds is None:
            continue
        left_over = sound.file_seconds - utterance.offset - sound.seconds
        if uses[utterance.audio_path] == 1 and left_over > _UNUSED_SECONDS:
            detail = f"{left_over:.2f} s of the file after its end belong to no utterance"
            findings[utterance.id].append(
                Finding(utterance.id, utterance.audio_path, "unused-audio", detail)
            )
        original = first.setdefault(sound.digest, utterance)
        if original is not utterance:
            detail = f"the same samples as '{original.id}', {original.audio_path}"
            findings[utterance.id].append(
                Finding(utterance.id, utterance.audio_path, "duplicate-audio", detail)
            )
    return findings


def _spread(values: list[float]) -> tuple[float, float, float] | None:
    return (min(values), median(values), max(values)) if values else None
