import pytest
from random_transcripts import make_transcript, tidy_transcript, untidy_transcript

from asr.decoding.hypothesis import Word
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Segment, Transcript


def times(*words: tuple[float, float], duration: float) -> list[tuple[float, float]]:
    segment = Segment(tuple(Word("a", start, end, 1.0) for start, end in words))
    rounded = round_transcript(Transcript("a.wav", duration, (segment,)))
    return [(word.start, word.end) for word in rounded.words]


@pytest.mark.parametrize("seed", range(50))
def test_what_is_in_order_stays_as_it_is(seed: int) -> None:
    assert round_transcript(tidy_transcript(seed)) == tidy_transcript(seed)


@pytest.mark.parametrize("seed", range(50))
def test_whatever_comes_has_its_times_in_order_within_the_recording(seed: int) -> None:
    before = untidy_transcript(seed)
    after = round_transcript(before)
    assert [segment.text for segment in after.segments] == [s.text for s in before.segments]
    reached = 0.0
    for word in after.words:
        assert reached <= word.start < word.end
        assert word.start == round(word.start, 3)
        assert word.end == round(word.end, 3)
        reached = word.end
    assert reached <= after.duration
    assert round_transcript(after) == after


def test_a_word_without_length_gets_a_millisecond() -> None:
    assert times((1.0, 1.0), (2.0, 1.5), duration=3) == [(1.0, 1.001), (2.0, 2.001)]


def test_a_word_over_the_end_is_cut_there() -> None:
    assert times((1.0, 3.2), duration=3) == [(1.0, 3.0)]
    assert times((1.0, 2.0), (3.1, 3.2), duration=3) == [(1.0, 2.0), (2.999, 3.0)]


def test_a_word_before_the_beginning_is_cut_there() -> None:
    assert times((-0.5, 0.25), duration=3) == [(0.0, 0.25)]


def test_of_two_words_that_overlap_the_first_gives_way() -> None:
    assert times((0.5, 2.0), (1.0, 2.5), duration=3) == [(0.5, 1.0), (1.0, 2.5)]


def test_words_that_touch_still_touch() -> None:
    assert times((0.5, 1.23456), (1.23456, 2.5), duration=3) == [(0.5, 1.235), (1.235, 2.5)]


def test_the_duration_grows_where_there_are_more_words_than_milliseconds() -> None:
    segment = Segment((Word("a", 0, 0, 1.0), Word("b", 0, 0, 1.0)))
    rounded = round_transcript(Transcript("a.wav", 0.0, (segment,)))
    assert rounded.duration == 0.002
    assert [word.start for word in rounded.words] == [0.0, 0.001]


def test_a_file_name_that_is_no_utf8_can_be_written() -> None:
    transcript = make_transcript("a", name=b"caf\xe9.wav".decode("utf-8", "surrogateescape"))
    assert round_transcript(transcript).name == "caf\N{REPLACEMENT CHARACTER}.wav"
