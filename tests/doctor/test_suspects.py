"""Wrong transcripts that were planted are found, by a small model and on real recordings."""

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from synthetic_speech import make_texts, write_utterances

from asr.doctor.examination import check_manifest
from asr.doctor.settings import CheckSettings, Limits
from asr.doctor.suspects import (
    EXCESS,
    MEASURES,
    MeasureName,
    Suspect,
    rank_transcripts,
    suspect_findings,
)
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.text import Normalizer

BASIC = Normalizer("basic")
_SOUND = (".flac", ".opus")


def swap(utterances: Sequence[Utterance], share: float) -> tuple[list[Utterance], set[str]]:
    """Give some utterances each other's transcripts, in a circle; and the ids of these."""
    count = max(2, round(share * len(utterances)))
    chosen = random.Random(0).sample(range(len(utterances)), count)
    swapped = list(utterances)
    for place, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        swapped[place] = replace(utterances[place], text=utterances[other].text)
    changed = {
        swapped[place].id for place in chosen if swapped[place].text != utterances[place].text
    }
    return swapped, changed


def read_chapters(folder: Path) -> list[Utterance]:
    """What LibriSpeech has in a folder of speakers: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt."""
    utterances = []
    for chapter in sorted(folder.glob("*/*/*.trans.txt")):
        for line in chapter.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            (path,) = (one for one in chapter.parent.glob(f"{name}.*") if one.suffix in _SOUND)
            seconds = soundfile.info(path).duration
            utterances.append(Utterance(name, path, seconds, text, speaker=name.split("-")[0]))
    return utterances


def rank(utterances: Sequence[Utterance], model: Path) -> list[Suspect]:
    report = check_manifest(utterances, CheckSettings(), normalizer=BASIC)
    return rank_transcripts(Recognizer.load(model), report.examined)


def found_in_top_tenth(
    ranking: Sequence[Suspect], planted: set[str], by: MeasureName = EXCESS
) -> float:
    top = {one.examined.utterance.id for one in ranking if one.ranks[by] <= len(ranking) // 10}
    return len(top & planted) / len(planted)


def test_swapped_transcripts_come_first(tone_model: Path, tmp_path: Path) -> None:
    spoken = write_utterances(tmp_path, make_texts(200, seed=5), name="sets")
    utterances, planted = swap(spoken, 0.05)
    ranking = rank(utterances, tone_model)
    assert len(ranking) == 200
    assert len(planted) >= 8
    assert found_in_top_tenth(ranking, planted) >= 0.9
    named = {finding.id for finding in suspect_findings(ranking, Limits())}
    infeasible = {one.examined.utterance.id for one in ranking if one.fit is None}
    assert len(planted & (named | infeasible)) >= 0.9 * len(planted)
    assert len(named - planted) <= 10


def test_good_transcripts_of_a_good_model_have_next_to_no_excess(
    tone_model: Path, tmp_path: Path
) -> None:
    utterances = write_utterances(tmp_path, make_texts(10, seed=6), name="good")
    fits = [one.fit for one in rank(utterances, tone_model)]
    assert all(fit and fit.excess < 2 for fit in fits)
    assert sum(bool(fit) and fit.excess < 0.1 for fit in fits if fit) >= 7


def test_a_transcript_that_cannot_be_said_in_the_time_stands_first(
    tone_model: Path, tmp_path: Path
) -> None:
    utterances = write_utterances(tmp_path, ["ab cd", "fa", "bed"], name="long")
    utterances[1] = replace(utterances[1], text="ab" * 200)
    first = rank(utterances, tone_model)[0]
    assert (first.examined.utterance.id, first.fit) == ("long-001", None)
    assert first.to_json()["scores"] is None
    assert set(first.ranks.values()) == {1}


def test_an_utterance_without_sound_or_text_is_not_ranked(tone_model: Path, tmp_path: Path) -> None:
    utterances = write_utterances(tmp_path, ["ab cd", "fa", "bed"], name="few")
    utterances[0].audio_path.write_text("not sound")
    utterances[1] = replace(utterances[1], text=None)
    assert [one.examined.utterance.id for one in rank(utterances, tone_model)] == ["few-002"]


def test_the_usual_excess_of_a_speaker_is_not_held_against_them(
    tone_model: Path, tmp_path: Path
) -> None:
    """All transcripts of one speaker lack a letter; a swapped one of another still comes first."""
    utterances = write_utterances(tmp_path, make_texts(60, seed=8, words=2), name="two")
    texts = [one.text or "" for one in utterances]
    said = [
        replace(one, text=text[1:], speaker="sloppy")
        if place < 20
        else replace(one, speaker="neat")
        for place, (one, text) in enumerate(zip(utterances, texts, strict=True))
    ]
    said[40] = replace(said[40], text="fedcba"[: max(2, len(texts[40]) - 1)])
    top = [one.examined.utterance.id for one in rank(said, tone_model)[:6]]
    assert "two-040" in top


@pytest.mark.parametrize("by", list(MEASURES))
def test_any_measure_puts_its_own_order_first(
    tone_model: Path, tmp_path: Path, by: MeasureName
) -> None:
    utterances, planted = swap(write_utterances(tmp_path, make_texts(60, seed=5), name="s"), 0.05)
    report = check_manifest(utterances, CheckSettings(), normalizer=BASIC)
    ranking = rank_transcripts(Recognizer.load(tone_model), report.examined, by)
    assert [one.ranks[by] for one in ranking] == list(range(1, 61))
    fits = [one.fit for one in ranking if one.fit]
    if by != EXCESS:  # which the speakers' medians bend
        values = [MEASURES[by].of(fit) for fit in fits]
        assert values == sorted(values, reverse=True)
    assert found_in_top_tenth(ranking, planted, by) == 1.0
    findings = list(suspect_findings(ranking, Limits(), by))
    assert {finding.id for finding in findings} & planted
    assert f" of 60 by {by}, " in findings[0].detail
    assert findings[0].number == max(one.scores[by] for one in ranking if one.fit)


@pytest.mark.timeout(1800)
def test_swapped_transcripts_of_real_speech_come_first() -> None:
    """`ASR_MODEL` is a model of read English, such as that of recipes/mini_librispeech.

    By `-s` it prints the recall of each measure: the share of the planted that are in its first
    tenth.
    """
    corpus = Path(os.environ.get("ASR_CORPORA", ""), "LibriSpeech")
    mini = corpus / "dev-clean-mini"
    if "ASR_CORPORA" not in os.environ or not mini.is_dir():
        pytest.skip("needs LibriSpeech/dev-clean-mini below ASR_CORPORA")
    if "ASR_MODEL" not in os.environ:
        pytest.skip("needs a model of read English, its folder in ASR_MODEL")
    utterances, planted = swap(read_chapters(mini), 0.05)
    assert len(utterances) == 308
    assert len(planted) == 15
    ranking = rank(utterances, Path(os.environ["ASR_MODEL"]))
    assert len(ranking) == 308
    for name in MEASURES:
        found = found_in_top_tenth(ranking, planted, name)
        print(f"{name}: {100 * found:.1f} % of {len(planted)} planted in the first tenth of 308")
    assert found_in_top_tenth(ranking, planted) >= 0.9
