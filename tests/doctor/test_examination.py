import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.doctor.examination import Expected, check_manifest
from asr.doctor.findings import CheckReport, is_borne, least_bound
from asr.doctor.problems import ADVICE
from asr.doctor.settings import CheckSettings
from asr.errors import ConfigError, DataError
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters

RATE = 8000
BASIC = Normalizer("basic")
Recorder = Callable[..., Utterance]
ALL = Path("findings.json")


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    """Makes a recording of a tone with a pitch of its own, and the utterance that says so."""
    made = 0

    def make(
        identifier: str, text: str | None = "yes", *, seconds: float = 1.0, level: float = 0.3
    ) -> Utterance:
        nonlocal made
        made += 1
        times = np.arange(round(seconds * RATE)) / RATE
        path = tmp_path / f"{identifier}.wav"
        soundfile.write(path, level * np.sin(2 * np.pi * (200 + made) * times), RATE)
        return Utterance(identifier, path, seconds, text, speaker=f"s{made % 2}")

    return make


def check(*utterances: Utterance, **expected: Any) -> CheckReport:
    held_against = Expected(**expected)
    return check_manifest(utterances, CheckSettings(), normalizer=BASIC, expected=held_against)


def problems(report: CheckReport) -> list[tuple[str, str]]:
    return [(finding.id, finding.problem) for finding in report.findings]


def test_good_utterances_are_all_usable_and_nothing_is_found(record: Recorder) -> None:
    report = check(record("a"), record("b", "no, no"))
    assert problems(report) == []
    assert [utterance.id for utterance in report.usable] == ["a", "b"]
    assert report.unusable == ()


def test_statistics_describe_the_normalised_transcripts(record: Recorder) -> None:
    report = check(record("a", "Ab!", seconds=1), record("b", "abab", seconds=2), record("c", None))
    assert report.characters == {"a": 3, "b": 3}
    assert report.characters_per_second == (2.0, 2.0, 2.0)
    assert report.hours == pytest.approx(4 / 3600)
    assert report.speakers == {"s0", "s1"}


def test_missing_and_foreign_files_are_unreadable(record: Recorder) -> None:
    gone, text = record("gone"), record("text")
    gone.audio_path.unlink()
    text.audio_path.write_text("no audio at all")
    report = check(gone, text)
    assert problems(report) == [("gone", "unreadable"), ("text", "unreadable")]
    assert report.unusable == (gone, text)


def test_empty_and_sampleless_files_are_empty_audio(record: Recorder) -> None:
    nothing, header = record("nothing"), record("header", seconds=0.0)
    nothing.audio_path.write_bytes(b"")
    report = check(nothing, replace(header, duration=1.0))
    assert problems(report) == [("nothing", "empty-audio"), ("header", "empty-audio")]


def test_a_wav_shorter_than_its_header_is_cut_short(record: Recorder) -> None:
    cut = record("cut")
    os.truncate(cut.audio_path, cut.audio_path.stat().st_size // 2)
    report = check(cut)
    assert problems(report) == [("cut", "cut-short")]
    assert "the header promises 16000 bytes of sound" in report.findings[0].detail


def test_a_manifest_that_claims_more_than_the_file_has_is_wrong_duration(record: Recorder) -> None:
    report = check(replace(record("a"), duration=1.5))
    assert problems(report) == [("a", "wrong-duration")]


def test_silence_is_found_also_in_one_part_of_a_file(record: Recorder, tmp_path: Path) -> None:
    samples = np.concatenate([np.sin(np.arange(RATE)) / 2, np.zeros(RATE)])
    soundfile.write(tmp_path / "half.wav", samples, RATE)
    first = Utterance("first", tmp_path / "half.wav", 1.0, "yes")
    report = check(first, replace(first, id="second", offset=1.0), record("quiet", level=1e-5))
    assert problems(report) == [("second", "silent"), ("quiet", "silent")]


def test_samples_that_are_no_numbers_are_found(tmp_path: Path) -> None:
    samples = np.full(RATE, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    report = check(Utterance("nan", tmp_path / "nan.wav", 1.0, "yes"))
    assert problems(report) == [("nan", "not-finite")]


def test_lengths_outside_the_settings_are_unusable_with_both_numbers(record: Recorder) -> None:
    utterances = [record("short", seconds=0.05), record("long", seconds=3), record("exact")]
    settings = CheckSettings(min_seconds=0.1, max_seconds=1.0)
    report = check_manifest(utterances, settings, normalizer=BASIC)
    assert problems(report) == [("short", "too-short"), ("long", "too-long")]
    assert report.findings[0].detail == "0.050 s, at least 0.1 s"
    assert report.findings[1].detail == "3.0 s, at most 1 s"


def test_an_utterance_without_words_is_unusable(record: Recorder) -> None:
    report = check(record("a", "?!"), record("b", ""), record("c", None))
    assert problems(report) == [("a", "empty-text"), ("b", "empty-text"), ("c", "no-text")]


def test_characters_without_a_token_are_counted(record: Recorder) -> None:
    report = check(record("a", "café é"), record("b", "cafe"), tokens=Characters("acef "))
    assert problems(report) == [("a", "unknown-characters")]
    assert "'é' (U+00E9) x 2" in report.findings[0].detail


def test_no_characters_allowed_is_not_the_same_as_not_checked(record: Recorder) -> None:
    assert problems(check(record("a"), tokens=Characters(""))) == [("a", "unknown-characters")]
    assert problems(check(record("b"), tokens=None)) == []


def test_a_text_with_a_frame_too_few_is_infeasible_with_both_numbers(record: Recorder) -> None:
    utterances = [record("exact", "hello"), record("short", "hello!", seconds=0.5)]
    report = check(*utterances, encoder_frames=lambda seconds: 6 if seconds == 1.0 else 5)
    assert problems(report) == [("short", "infeasible")]
    finding = report.findings[0]
    assert "5 characters need 6 encoder frames" in finding.detail
    assert finding.detail.endswith("0.50 s of audio give 5")
    assert finding.audio_path == utterances[1].audio_path


def test_one_utterance_may_have_several_problems(record: Recorder) -> None:
    report = check(record("a", "ñ", level=0.0), tokens=Characters("n"))
    assert problems(report) == [("a", "silent"), ("a", "unknown-characters")]
    assert len(report.unusable) == 1


def test_the_same_samples_twice_are_named_and_stay_usable(record: Recorder, tmp_path: Path) -> None:
    original = record("a")
    copy = tmp_path / "copy.wav"
    copy.write_bytes(original.audio_path.read_bytes())
    report = check(original, record("b"), replace(original, id="c", audio_path=copy))
    assert problems(report) == [("c", "duplicate-audio")]
    assert "'a'" in report.findings[0].detail
    assert len(report.usable) == 3


def test_sound_that_belongs_to_no_utterance_is_named_and_stays_usable(record: Recorder) -> None:
    alone, shared = record("alone", seconds=3), record("shared", seconds=3)
    report = check(
        replace(alone, duration=1.0),
        replace(shared, duration=1.0),
        replace(shared, id="rest", offset=1.0, duration=2.0),
    )
    assert problems(report) == [("alone", "unused-audio")]
    assert "2.00 s of the file" in report.findings[0].detail
    assert report.unusable == ()


def test_findings_keep_the_manifest_order_and_are_counted(record: Recorder) -> None:
    utterances = [record(f"u{number:02}", "" if number % 3 else "yes") for number in range(20)]
    report = check(*utterances)
    expected = [one.id for one in utterances if not one.text]
    assert [finding.id for finding in report.findings] == expected
    assert report.counts == {"empty-text": len(expected)}


def test_too_many_unusable_utterances_stop_and_the_first_five_are_named(record: Recorder) -> None:
    report = check(*(record(f"u{number}", "" if number < 7 else "yes") for number in range(10)))
    report.enforce(0.7, "train", ALL)
    with pytest.raises(DataError) as error:
        report.enforce(0.69, "train", ALL)
    message = str(error.value)
    assert message.startswith("train: 7 of 10 utterances cannot be used (70.0 %, at most 69 %")
    assert "7 empty-text" in message
    assert "all of them: findings.json" in message
    assert "--set check.max_bad_fraction=0.7" in message
    assert "u4, " in message
    assert "u5" not in message
    assert str(report.findings[0].audio_path) in message


@pytest.mark.parametrize(("bad", "total"), [(29, 100), (57, 100), (1, 3), (7, 1000), (0, 0)])
def test_the_bound_that_is_advised_is_enough(bad: int, total: int) -> None:
    assert is_borne(bad, total, least_bound(bad, max(1, total)))
    assert not is_borne(bad + 1, max(1, total), bad / max(1, total))


def test_raising_the_bound_is_no_advice_where_nothing_is_borne(record: Recorder) -> None:
    with pytest.raises(DataError) as error:
        check(record("a", "")).enforce(0.0, "test", ALL)
    assert "max_bad_fraction" not in str(error.value)


def test_warnings_never_stop(record: Recorder) -> None:
    check(replace(record("a", seconds=3), duration=1.0)).enforce(0.0, "m", ALL)
    check().enforce(0.0, "m", ALL)


def test_json_lists_each_finding_with_advice(record: Recorder) -> None:
    data = check(record("a", "")).to_json()
    assert data["utterances"] == data["unusable"] == 1
    assert data["problems"] == {"empty-text": 1}
    assert data["findings"][0]["advice"] == ADVICE["empty-text"]
    assert data["findings"][0]["audio_filepath"].endswith("a.wav")


def test_an_interrupt_leaves_the_other_recordings_unopened(
    record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def interrupted(path: Path) -> None:
        opened.append(path)
        time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("asr.doctor.sound.read_info", interrupted)
    utterance = record("a")
    with pytest.raises(KeyboardInterrupt):
        check(*(replace(utterance, id=str(number)) for number in range(500)))
    assert len(opened) < 500


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.yaml: key 'max_bad_fraction'"):
        CheckSettings.parse({"max_bad_fraction": 1.5}, "recipe.yaml")
