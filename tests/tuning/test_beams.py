"""The beam that is chosen: the narrowest that is as good as the best."""

from asr.scoring.error_rate import ErrorCounts
from asr.tuning.beams import BeamRow, beams_to_try, choose_beam


def row(beam: int, errors: int, *, words: int = 1000) -> BeamRow:
    return BeamRow(beam, ErrorCounts(words - errors, errors), seconds=2.0)


def test_beams_up_to_the_widest_are_tried() -> None:
    assert beams_to_try(100) == [10, 30, 100]
    assert beams_to_try(20) == [10, 20]
    assert beams_to_try(5) == [5]
    assert beams_to_try(200) == [10, 30, 100, 200]


def test_a_thousandth_of_the_words_more_errors_is_as_good() -> None:
    rows = [row(10, 102), row(30, 101), row(100, 100)]
    assert choose_beam(rows).beam == 30
    assert choose_beam([row(10, 102), row(30, 102), row(100, 100)]).beam == 100
    assert choose_beam([row(10, 100), row(30, 101), row(100, 101)]).beam == 10


def test_speed_is_sound_over_time() -> None:
    assert row(10, 0).times_real_time(300.0) == 150.0
