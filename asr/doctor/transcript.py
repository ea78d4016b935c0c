"""What is wrong with transcripts, one by one and beside the others of their set."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from statistics import median

from asr.doctor.findings import Examined
from asr.doctor.problems import Trouble
from asr.doctor.settings import Limits
from asr.errors import DataError
from asr.text import Normalizer
from asr.tokens import TokenTable, describe_characters, frames_needed

_ENOUGH = 20  # transcripts, from which others can stand out
_DEVIATION = 1.4826  # of the median absolute deviation, for it to be a normal's standard deviation
_SMALLEST_DEVIATION = 0.1  # of log(characters per second): nobody speaks more evenly
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # Unicode's categories; Cs is half a pair of UTF-16
_JOINERS = "\u200c\u200d"  # invisible, and part of the spelling in Persian and in India


def text_troubles(text: str | None, tokens: TokenTable | None) -> list[Trouble]:
    """Why a normalised transcript cannot be used."""
    if text is None:
        return [Trouble("no-text", "the manifest has no key 'text' for it")]
    if not text:
        return [Trouble("empty-text", "nothing is left of the transcript once normalised", 0, 1)]
    unknown = tokens.unknown(text) if tokens else Counter[str]()
    if unknown:
        detail = f"{describe_characters(unknown)} in '{text}'"
        return [Trouble("unknown-characters", detail, unknown.total(), 0)]
    return []


def infeasible_troubles(
    text: str,
    seconds: float,
    encoder_frames: Callable[[float], int],
    tokens: TokenTable | None,
) -> list[Trouble]:
    """Why CTC cannot emit a transcript: in tokens of the table, or in characters without one."""
    try:
        sequence: Sequence[object] = tokens.encode(text) if tokens else text
    except DataError as error:
        return [Trouble("unknown-characters", str(error))]
    unit = "characters" if tokens is None or tokens.kind == "characters" else "tokens"
    needed, given = frames_needed(sequence), encoder_frames(seconds)
    if given >= needed:
        return []
    detail = (
        f"{len(sequence)} {unit} need {needed} encoder frames (one each, and a blank between "
        f"equal neighbours), {seconds:.2f} s of audio give {given}"
    )
    return [Trouble("infeasible", detail, given, needed)]


def spelling_troubles(
    examined: Sequence[Examined], normalizer: Normalizer, limits: Limits
) -> Iterator[tuple[int, Trouble]]:
    """Transcripts in another form than the others, by their place in the set."""
    written = {
        place: (one.utterance.text, one.text)
        for place, one in enumerate(examined)
        if one.utterance.text and one.text
    }
    changed = {place for place, (raw, text) in written.items() if raw != text}
    share = 1 - len(changed) / max(1, len(written))
    stand_out = len(written) >= _ENOUGH and share >= limits.normalised_share
    for place, (raw, text) in written.items():
        if sum(one.isdigit() for one in text):
            digits = sum(one.isdigit() for one in text)
            yield place, Trouble("digits", f"{digits} in '{text}'", digits, 0)
        hidden = Counter(one for one in raw if _is_hidden(one))
        if hidden:
            detail = f"{describe_characters(hidden)}, which nobody sees, in {raw!r}"
            yield place, Trouble("not-normalised", detail, hidden.total(), 0)
        elif others := _not_composed(raw):
            detail = f"{others} characters not in Unicode's form NFC: '{raw}'"
            yield place, Trouble("not-normalised", detail, others, 0)
        elif stand_out and place in changed:
            detail = (
                f"'{raw}'; normaliser {normalizer.name} makes it '{text}', and leaves "
                f"{100 * share:.1f} % of the transcripts as they are"
            )
            yield place, Trouble("not-normalised", detail, share, limits.normalised_share)


def _not_composed(text: str) -> int:
    """How many characters Unicode's form NFC replaces; 0 where the text is in it."""
    composed = unicodedata.normalize("NFC", text)
    if text == composed:
        return 0
    # Where all characters stay and only marks change places, one of them does at least.
    return (Counter(text) - Counter(composed)).total() or 1


def _is_hidden(character: str) -> bool:
    """Control and format characters, and what stands where decoding went wrong."""
    if character in _JOINERS:
        return False
    return character == "\ufffd" or unicodedata.category(character) in _HIDDEN


def rate_troubles(examined: Sequence[Examined], limits: Limits) -> Iterator[tuple[int, Trouble]]:
    """Transcripts with far more or fewer characters a second than the others.

    Distances are from the median, of logarithms, in standard deviations estimated by the median
    absolute deviation (Rousseeuw & Croux 1993): outliers do not hide behind each other.
    """
    rates = {
        place: len(one.text) / one.utterance.duration
        for place, one in enumerate(examined)
        if one.text and one.utterance.duration
    }
    if len(rates) < _ENOUGH:
        return
    middle = median(rates.values())
    distances = {place: math.log(rate / middle) for place, rate in rates.items()}
    deviation = robust_deviation(list(distances.values()), _SMALLEST_DEVIATION)
    for place, distance in distances.items():
        number = distance / deviation
        if abs(number) > limits.rate_deviations:
            detail = (
                f"{rates[place]:.1f} characters a second; the median is {middle:.1f} "
                f"({number:+.1f} robust standard deviations)"
            )
            yield place, Trouble("speaking-rate", detail, abs(number), limits.rate_deviations)


def robust_deviation(values: Sequence[float], smallest: float) -> float:
    """The standard deviation of values of which almost half may be anything."""
    middle = median(values)
    return max(smallest, _DEVIATION * median(abs(value - middle) for value in values))


def vocabulary_troubles(
    examined: Sequence[Examined], vocabulary: Set[str]
) -> Iterator[tuple[int, Trouble]]:
    """Transcripts with words that a language model does not have."""
    for place, one in enumerate(examined):
        unknown = Counter(word for word in (one.text or "").split() if word not in vocabulary)
        if unknown:
            words = ", ".join(f"'{word}'" for word in unknown)
            yield place, Trouble("lm-oov", f"{words} in '{one.text}'", unknown.total(), 0)


def rare_character_troubles(
    examined: Sequence[Examined], limits: Limits
) -> Iterator[tuple[int, Trouble]]:
    """Characters that hardly occur, each at the first transcript that has it."""
    counts = Counter("".join(one.text or "" for one in examined))
    most = limits.rare_character_share * counts.total()
    rare = {character for character, count in counts.items() if count < most}
    places: dict[str, list[int]] = {}
    for place, one in enumerate(examined):
        for character in sorted(rare & set(one.text or "")):
            places.setdefault(character, []).append(place)
    for character, found in places.items():
        names = ", ".join(f"'{examined[place].utterance.id}'" for place in found[:5])
        described = describe_characters({character: counts[character]})
        detail = f"{described} of {counts.total()} characters, in {names}"
        detail += ", …" if len(found) > 5 else ""
        yield found[0], Trouble("rare-character", detail, counts[character], most)
