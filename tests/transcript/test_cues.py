import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from random_transcripts import make_transcript, tidy_transcript, untidy_transcript

from asr.decoding.hypothesis import Word
from asr.errors import ConfigError
from asr.transcript.cues import Cue, CueSettings, make_cues
from asr.transcript.rounding import round_transcript
from asr.transcript.transcript import Segment, Transcript

SETTINGS = (
    CueSettings(),
    CueSettings(line_length=12, lines=3, longest=2.5),
    CueSettings(line_length=1, lines=1, shortest=0),
    CueSettings(line_length=200, lines=1, longest=0.1, shortest=0.1),
)
RANDOM = [*map(tidy_transcript, range(40)), *map(untidy_transcript, range(40))]


def text_of(cue: Cue) -> str:
    return " ".join(cue.lines)


def words_by_cue(cues: Sequence[Cue], transcript: Transcript) -> list[list[Word]]:
    """The words of each cue, which must be those of the transcript in order."""
    words = iter(round_transcript(transcript).words)
    shared = [[next(words) for _ in text_of(cue).split(" ")] for cue in cues]
    assert next(words, None) is None
    for cue, group in zip(cues, shared, strict=True):
        assert text_of(cue).split(" ") == [word.text for word in group]
    return shared


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_every_word_is_in_one_cue_and_no_cue_crosses_a_segment(settings: CueSettings) -> None:
    for transcript in RANDOM:
        cues = iter(make_cues(transcript, settings))
        for segment in transcript.segments:
            said = ""
            while len(said) < len(segment.text):
                said = f"{said} {text_of(next(cues))}".strip()
            assert said == segment.text
        assert next(cues, None) is None


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_cues_are_of_the_size_that_was_asked_for(settings: CueSettings) -> None:
    for cue in itertools.chain.from_iterable(make_cues(one, settings) for one in RANDOM):
        assert 1 <= len(cue.lines) <= settings.lines
        for line in cue.lines:
            assert line
            assert len(line) <= settings.line_length or " " not in line


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_cues_follow_each_other_and_stand_over_their_words(settings: CueSettings) -> None:
    for transcript in RANDOM:
        cues = make_cues(transcript, settings)
        ends = [*(cue.start for cue in cues), round_transcript(transcript).duration][1:]
        for cue, group, end in zip(cues, words_by_cue(cues, transcript), ends, strict=True):
            assert cue.start == group[0].start < cue.end <= end
            assert cue.end - cue.start <= settings.longest + 1e-6
            if len(group) > 1:
                assert cue.end >= group[-1].end
            if cue.end > group[-1].end:  # stretched, no further than to the shortest duration
                assert cue.end - cue.start <= settings.shortest + 1e-6
            elif cue.end < end:
                assert cue.end - cue.start >= settings.shortest - 1e-6


def test_words_that_fit_stay_together_whatever_the_pauses() -> None:
    transcript = make_transcript("one two three", gap=1.5)
    assert [cue.lines for cue in make_cues(transcript)] == [("one two three",)]


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_cue_ends_at_the_longest_pause(place: int) -> None:
    """Four words, three of which fit into a cue: there are three places to break."""
    words = list(make_transcript("aaa bbb ccc ddd").words)
    for later in range(place, 4):
        word = words[later]
        words[later] = replace(word, start=word.start + 0.5, end=word.end + 0.5)
    transcript = Transcript("a", 9.0, (Segment(tuple(words)),))
    cues = make_cues(transcript, CueSettings(line_length=11, lines=1))
    assert [len(text_of(cue).split()) for cue in cues] == [place, 4 - place]


def test_without_pauses_words_are_shared_out_evenly() -> None:
    """Twelve words of four letters, nine of which would fit into the first cue."""
    cues = make_cues(make_transcript(" ".join(["word"] * 12)), CueSettings(line_length=45, lines=1))
    assert [len(text_of(cue).split()) for cue in cues] == [6, 6]


def test_lines_are_as_few_and_as_balanced_as_can_be() -> None:
    """Against all ways to break the lines."""
    rng = random.Random(1)
    for _ in range(60):
        words = ["x" * rng.choice([1, 2, 5, 9, 14]) for _ in range(rng.randrange(1, 8))]
        settings = CueSettings(line_length=12, lines=9, longest=60)
        (cue,) = make_cues(make_transcript(" ".join(words)), settings)
        ways = [
            [" ".join(words[a:b]) for a, b in itertools.pairwise([0, *cuts, len(words)])]
            for count in range(len(words))
            for cuts in itertools.combinations(range(1, len(words)), count)
        ]
        fitting = [way for way in ways if all(len(one) <= 12 or " " not in one for one in way)]
        fewest = [way for way in fitting if len(way) == min(map(len, fitting))]
        assert list(cue.lines) in fewest
        assert max(map(len, cue.lines)) == min(max(map(len, way)) for way in fewest)


def test_a_word_longer_than_a_line_stands_alone_on_it() -> None:
    long = "語" * 300
    (cue,) = make_cues(make_transcript(f"a {long} b"), CueSettings(lines=3))
    assert cue.lines == ("a", long, "b")
    assert [cue.lines for cue in make_cues(make_transcript(long))] == [(long,)]


def test_a_short_cue_is_stretched_into_silence_and_never_over_the_next() -> None:
    alone, close = make_transcript("a"), make_transcript("a", "b", pause=0.3)
    assert [(cue.start, cue.end) for cue in make_cues(alone)] == [(0.5, 1.5)]
    assert [(cue.start, cue.end) for cue in make_cues(close)] == [(0.5, 1.2), (1.2, 2.2)]
    at_the_end = replace(alone, duration=1.1)
    assert [cue.end for cue in make_cues(at_the_end)] == [1.1]


def test_a_drawn_out_word_is_taken_away_after_the_longest_duration() -> None:
    transcript = Transcript("a", 60.0, (Segment((Word("ohm", 1.0, 31.0, 1.0),)),))
    assert make_cues(transcript) == [Cue(1.0, 8.0, ("ohm",))]


def test_silence_has_no_cues() -> None:
    assert make_cues(Transcript("a", 60.0, ())) == []


def test_hours_without_a_pause_take_seconds() -> None:
    transcript = make_transcript(" ".join(["word"] * 20_000))
    started = time.perf_counter()
    assert len(make_cues(transcript)) > 1000
    assert time.perf_counter() - started < 10


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"shortest \(8\) must not be above longest \(7\)"):
        CueSettings.parse({"shortest": 8}, "--shortest")
    with pytest.raises(ConfigError, match="did you mean 'line_length'"):
        CueSettings.parse({"line_lenght": 40}, "here")
    with pytest.raises(ConfigError, match=r"key 'lines'.*greater than or equal to 1"):
        CueSettings.parse({"lines": 0}, "here")
