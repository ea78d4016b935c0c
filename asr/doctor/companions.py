"""What is worth a word about the sound of utterances, by itself and beside that of the others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr.doctor.findings import Examined
from asr.doctor.problems import Trouble
from asr.doctor.settings import Limits


@dataclass(frozen=True)
class _Usual:
    """What most recordings of the set have."""

    rate: int  # Hz
    channels: int


def set_troubles(
    examined: Sequence[Examined], limits: Limits, sample_rate: int | None
) -> Iterator[tuple[int, Trouble]]:
    """Find left-over, distorted, different and repeated sound, and repeated text.

    Args:
        examined: all utterances of the set.
        limits: where findings begin.
        sample_rate: Hz that the model hears; None: not checked.

    Returns:
        Places in the set, each with what is wrong there.
    """
    uses = Counter(one.utterance.audio_path for one in examined)
    usual = _Usual(
        _most_frequent(Counter(one.sound.sample_rate for one in examined)),
        _most_frequent(Counter(one.sound.channels for one in examined)),
    )
    for place, one in enumerate(examined):
        if one.sound.seconds is None:
            continue
        if uses[one.utterance.audio_path] == 1:
            yield from ((place, trouble) for trouble in _left_over(one, limits))
        yield from ((place, trouble) for trouble in _distorted(one, limits))
        yield from ((place, trouble) for trouble in _different(one, usual, sample_rate))
    yield from _repeated_sound(examined)
    yield from _repeated_text(examined, limits)


def _most_frequent(counts: Counter[int]) -> int:
    """The number that most have; 0 stands for not known."""
    known = [(count, number) for number, count in counts.items() if number]
    return max(known, default=(0, 0))[1]


def _left_over(one: Examined, limits: Limits) -> Iterator[Trouble]:
    left_over = one.sound.file_seconds - one.utterance.offset - (one.sound.seconds or 0.0)
    if left_over > limits.unused_seconds:
        detail = f"{left_over:.2f} s of the file after its end belong to no utterance"
        yield Trouble("unused-audio", detail, left_over, limits.unused_seconds)


def _distorted(one: Examined, limits: Limits) -> Iterator[Trouble]:
    sound = one.sound
    if sound.clipped_share > limits.clipped_share:
        detail = (
            f"{100 * sound.clipped_share:.2f} % of the samples lie in flat tops of three or more, "
            f"at most {100 * limits.clipped_share:g} % are expected"
        )
        yield Trouble("clipped", detail, sound.clipped_share, limits.clipped_share)
    if sound.dc_offset > limits.dc_offset:
        detail = (
            f"the mean of the samples is {sound.dc_offset:.2f} of their RMS, "
            f"at most {limits.dc_offset:g} is expected"
        )
        yield Trouble("dc-shifted", detail, sound.dc_offset, limits.dc_offset)
    if sound.dead_channels:
        detail = f"{sound.dead_channels} of {sound.channels} channels are silent"
        yield Trouble("dead-channel", detail, sound.dead_channels, 0)


def _different(one: Examined, usual: _Usual, sample_rate: int | None) -> Iterator[Trouble]:
    rate, channels, said = one.sound.sample_rate, one.sound.channels, one.utterance.sample_rate
    if rate != usual.rate:
        detail = f"{rate} Hz; most of the set have {usual.rate} Hz"
        yield Trouble("other-rate", detail, rate, usual.rate)
    if sample_rate is not None and rate < sample_rate:
        detail = f"{rate} Hz; the model hears {sample_rate} Hz"
        yield Trouble("low-rate", detail, rate, sample_rate)
    if said is not None and said != rate:
        detail = f"the manifest says {said} Hz, the file has {rate} Hz"
        yield Trouble("wrong-rate", detail, rate, said)
    if channels != usual.channels:
        detail = f"{channels} channels; most of the set have {usual.channels}"
        yield Trouble("other-channels", detail, channels, usual.channels)


def _repeated_sound(examined: Sequence[Examined]) -> Iterator[tuple[int, Trouble]]:
    heard = [one.sound.digest for one in examined if one.sound.seconds is not None]
    times = Counter(heard)
    first: dict[bytes, Examined] = {}
    for place, one in enumerate(examined):
        if one.sound.seconds is None:
            continue
        original = first.setdefault(one.sound.digest, one).utterance
        if original is not one.utterance:
            count = times[one.sound.digest]
            detail = (
                f"the same samples as '{original.id}', {original.audio_path}; {count} utterances "
                "have them"
            )
            yield place, Trouble("duplicate-audio", detail, count, 1)


def _repeated_text(examined: Sequence[Examined], limits: Limits) -> Iterator[tuple[int, Trouble]]:
    """Each repeated text once, at the first utterance that has it."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(examined):
        if one.text and len(one.text.split()) >= limits.repeated_words:
            places.setdefault(one.text, []).append(place)
    for text, found in places.items():
        if len(found) > 1:
            names = ", ".join(f"'{examined[place].utterance.id}'" for place in found[1:6])
            more = ", …" if len(found) > 6 else ""
            detail = f"'{text}' is said {len(found)} times, also by {names}{more}"
            yield found[0], Trouble("duplicate-text", detail, len(found), 1)
