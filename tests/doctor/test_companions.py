"""What is only reported: of an utterance, of a set, and of several sets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from asr.doctor.companions import set_troubles
from asr.doctor.findings import CheckReport, Examined
from asr.doctor.leakage import add_leakage
from asr.doctor.problems import ADVICE, STILL_USABLE, Trouble
from asr.doctor.settings import Limits
from asr.doctor.sound import Sound
from asr.doctor.transcript import (
    infeasible_troubles,
    rare_character_troubles,
    rate_troubles,
    spelling_troubles,
    vocabulary_troubles,
)
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters, Pieces

BASIC = Normalizer("basic")
LIMITS = Limits()
SOUND = Sound(1.0, b"", 1.0, sample_rate=16000, channels=1)


def examine(
    name: str,
    text: str | None = "yes",
    *,
    seconds: float = 1.0,
    speaker: str | None = None,
    sound: Sound = SOUND,
) -> Examined:
    utterance = Utterance(name, Path(f"{name}.wav"), seconds, text, speaker=speaker)
    sound = replace(sound, digest=sound.digest or name.encode())
    return Examined(utterance, sound, None if text is None else BASIC(text))


def report(*examined: Examined) -> CheckReport:
    utterances = tuple(one.utterance for one in examined)
    return CheckReport(examined, (), utterances, (), Counter(), None)


def problems(troubles: Sequence[tuple[int, Trouble]]) -> list[tuple[int, str]]:
    return [(place, trouble.problem) for place, trouble in troubles]


def sets(*examined: Examined, rate: int | None = None) -> list[tuple[int, str]]:
    return problems(list(set_troubles(examined, LIMITS, rate)))


def test_distorted_sound_is_found_above_the_limit_and_not_at_it() -> None:
    clipped, shifted = replace(SOUND, clipped_share=0.0011), replace(SOUND, dc_offset=0.11)
    at = replace(SOUND, clipped_share=0.001, dc_offset=0.1)
    found = sets(examine("a", sound=clipped), examine("b", sound=shifted), examine("c", sound=at))
    assert found == [(0, "clipped"), (1, "dc-shifted")]


def test_rates_and_channels_are_compared_with_those_of_most() -> None:
    others = [examine(name) for name in "abc"]
    low = examine("low", sound=replace(SOUND, sample_rate=8000))
    stereo = examine("stereo", sound=replace(SOUND, channels=2, dead_channels=1))
    assert sets(*others, low, stereo, rate=16000) == [
        (3, "other-rate"),
        (3, "low-rate"),
        (4, "dead-channel"),
        (4, "other-channels"),
    ]


def test_a_rate_in_the_manifest_that_the_file_does_not_have_is_named() -> None:
    one = examine("a")
    wrong = replace(one, utterance=replace(one.utterance, sample_rate=8000))
    ((place, trouble),) = set_troubles([wrong], LIMITS, None)
    assert (place, trouble.problem, trouble.number) == (0, "wrong-rate", 16000)
    assert trouble.detail == "the manifest says 8000 Hz, the file has 16000 Hz"


def test_long_texts_that_repeat_are_named_once_and_short_ones_never() -> None:
    long, short = "one two three four", "one two three"
    found = list(
        set_troubles([examine(n, long if n < "d" else short) for n in "abcdef"], LIMITS, None)
    )
    assert problems(found) == [(0, "duplicate-text")]
    assert found[0][1].number == 3
    assert "also by 'b', 'c'" in found[0][1].detail


def test_digits_and_text_that_is_hidden_or_decomposed_are_found() -> None:
    texts = [
        "room 12",
        "caf\u0065\u0301",
        "zero\u200bwidth",
        "a\ufffdb",
        "a\ud800b",
        "شما می\u200cروید",
        "fine",
    ]
    found = list(
        spelling_troubles([examine(str(n), t) for n, t in enumerate(texts)], BASIC, LIMITS)
    )
    assert problems(found) == [(0, "digits"), *((n, "not-normalised") for n in range(1, 5))]
    assert [trouble.number for _, trouble in found] == [2, 2, 1, 1, 1]
    assert {trouble.threshold for _, trouble in found} == {0}
    assert "U+FFFD" in found[3][1].detail
    assert "U+D800" in found[4][1].detail
    assert "U+200B" in found[2][1].detail


def test_a_form_of_its_own_stands_out_only_where_nearly_all_have_another() -> None:
    plain = [examine(str(number), "yes") for number in range(27)]
    odd = [examine(f"odd{number}", "Yes!") for number in range(3)]
    found = problems(list(spelling_troubles(plain + odd, BASIC, LIMITS)))
    assert found == [(27, "not-normalised"), (28, "not-normalised"), (29, "not-normalised")]
    assert not list(spelling_troubles(plain[:26] + odd, BASIC, LIMITS))
    assert not list(spelling_troubles(plain[:15] + odd[:1], BASIC, LIMITS))


def test_outliers_of_the_speaking_rate_do_not_hide_behind_each_other() -> None:
    """A third of all twice as slow or fast moves neither median much; ten times is far out."""
    evenly = [examine(str(number), "a" * (9 + number % 3)) for number in range(30)]
    fast = [examine(f"f{number}", "a" * 100) for number in range(5)]
    slow = [examine(f"s{number}", "a") for number in range(5)]
    found = list(rate_troubles(evenly + fast + slow, LIMITS))
    assert [place for place, _ in found] == list(range(30, 40))
    assert "100.0 characters a second; the median is 10.0" in found[0][1].detail
    assert not list(rate_troubles(evenly[:18] + fast[:1], LIMITS))


def test_words_outside_the_vocabulary_are_counted() -> None:
    examined = [examine("a", "a b"), examine("b", "a x x y"), examine("c", None)]
    ((place, trouble),) = vocabulary_troubles(examined, {"a", "b"})
    assert (place, trouble.number) == (1, 3)
    assert trouble.detail == "'x', 'y' in 'a x x y'"


def test_a_character_in_less_than_one_of_ten_thousand_is_rare() -> None:
    examined = [examine("a", "b" * 9999), examine("b", "ä")]
    assert problems(list(rare_character_troubles(examined, LIMITS))) == []
    examined.append(examine("c", "bb"))
    ((place, trouble),) = rare_character_troubles(examined, LIMITS)
    assert (place, trouble.number) == (1, 1)
    assert "'ä' (U+00E4) x 1 of 10002 characters, in 'b'" in trouble.detail


def test_frames_are_counted_in_the_tokens_of_the_table() -> None:
    """Two pieces fit where eight characters do not."""
    pieces = Pieces.learn(["banana banana banana"], 11)
    text = "banana"
    count = len(pieces.encode(text))
    assert count < len(text)
    assert not infeasible_troubles(text, 1.0, lambda _: count, pieces)
    (trouble,) = infeasible_troubles(text, 1.0, lambda _: count, Characters("abn"))
    assert (trouble.problem, trouble.number, trouble.threshold) == ("infeasible", count, 6)
    (trouble,) = infeasible_troubles(text, 1.0, lambda _: count - 1, pieces)
    assert trouble.detail.startswith(f"{count} tokens need {count} encoder frames")


def test_marks_in_another_order_are_one_character_that_is_not_composed() -> None:
    """Nothing composes with q: only its two marks change places."""
    ((_, trouble),) = spelling_troubles([examine("a", "q\u0307\u0323")], BASIC, LIMITS)
    assert (trouble.number, trouble.threshold) == (1, 0)


def test_repeats_say_how_often() -> None:
    one = replace(SOUND, digest=b"same")
    found = list(set_troubles([examine(n, n, sound=one) for n in "abc"], LIMITS, None))
    assert problems(found) == [(1, "duplicate-audio"), (2, "duplicate-audio")]
    assert {(trouble.number, trouble.threshold) for _, trouble in found} == {(3, 1)}
    assert "the same samples as 'a', a.wav; 3 utterances have them" in found[0][1].detail


def test_leakage_names_where_it_was_before() -> None:
    text = "one two three four"
    sound = replace(SOUND, digest=b"same")
    sets = {
        "train": report(examine("a", text, speaker="jo", sound=sound)),
        "dev": report(examine("b", "other", speaker="jo"), examine("c", "other", speaker="jo")),
        "test": report(examine("d", text, speaker="ann", sound=sound), examine("e", speaker="jo")),
    }
    found = {
        name: [(one.id, one.problem, one.detail) for one in after.findings]
        for name, after in add_leakage(sets).items()
    }
    numbers = {
        one.problem: (one.number, one.threshold) for one in add_leakage(sets)["test"].findings
    }
    assert numbers["leak-text"] == (1, 0)
    assert numbers["leak-audio"] == (1.0, 0.1)
    assert found == {
        "train": [],
        "dev": [("b", "leak-speaker", "speaker 'jo' of 2 utterances is in train")],
        "test": [
            ("d", "leak-audio", "the same samples as 'a' of train"),
            ("d", "leak-text", f"'{text}' is also the text of 'a' of train"),
            ("e", "leak-speaker", "speaker 'jo' of 1 utterances is in train"),
        ],
    }


def test_a_recording_that_is_cut_twice_leaks_where_the_parts_overlap() -> None:
    def cut(name: str, start: float) -> Examined:
        utterance = Utterance(name, Path("lecture.wav"), 1.0, name, offset=start)
        return Examined(utterance, replace(SOUND, digest=name.encode()), name)

    sets = {
        "train": report(cut("a", 0.0), cut("b", 5.0)),
        "test": report(cut("c", 1.0), cut("d", 5.75), cut("e", 0.95)),
    }
    (finding,) = add_leakage(sets)["test"].findings
    assert (finding.id, finding.problem, finding.number) == ("d", "leak-audio", 0.25)
    assert finding.detail == "0.25 s of it are also in 'b' of train"


@pytest.mark.parametrize("problem", sorted(ADVICE))
def test_only_what_stage_2_always_left_out_is_unusable(problem: str) -> None:
    left_out = {
        *("unreadable", "empty-audio", "cut-short", "damaged", "wrong-duration", "silent"),
        *("not-finite", "too-short", "too-long", "no-text", "empty-text", "infeasible"),
        "unknown-characters",
    }
    unreadable_manifest = {"bad-line", "duplicate-id"}  # there stage 2 stops
    assert (problem not in STILL_USABLE) == (problem in left_out | unreadable_manifest)
