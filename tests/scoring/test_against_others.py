"""Totals agree with jiwer everywhere, and with NIST's sclite on hard cases.

sclite weighs a substitution 4 and the other errors 3, here all weigh 1, as in jiwer and in every
published WER of the last years. So sclite may prefer six deletions and insertions to five
substitutions; the cases below have one best alignment by either measure, or equally many errors of
each kind in all of them.
"""

import random
import unicodedata
from pathlib import Path

import jiwer
import pytest
from sctk_oracle import parse_pra, sclite_counts

from asr.scoring.error_rate import ErrorCounts
from asr.scoring.outputs import write_pra, write_trn
from asr.scoring.scored import ScoredSet, score_set
from asr.scoring.test_set import read_test_set
from asr.text import Normalizer

_NFD = unicodedata.normalize("NFD", "naïve café à Zoë")
_HARD = {
    "s-same": ("the cat sat", "the cat sat"),
    "s-silence": ("", "uh huh huh"),
    "s-nothing": ("", ""),
    "s-unheard": ("nobody heard this", ""),
    "s-repeated": ("a a a b a", "a a b a"),
    "s-stutter": ("the the the cat", "the cat"),
    "s-loop": ("yes", "yes yes yes yes"),
    "s-swap": ("one two three", "two one three"),
    "s-case": ("The Cat sat", "the cat Sat"),
    "s-nfd": ("naïve café à Zoë", _NFD),
    "s-accent": ("naïve café", "naive cafe"),
    "s-apostrophe": ("it's the dogs' o'clock", "its the dogs o'clock"),
    "s-curly": ("it's", "it\u2019s"),
    "s-hyphen": ("well-known fact", "well known fact"),
    "s-emoji": ("ok 👍 then", "ok then"),
    "s-cjk": ("今天 天气 好", "今天 天 好"),
    "s-devanagari": ("नमस्ते दुनिया", "नमस्ते दुनियाँ"),
}


def scored(pairs: dict[str, tuple[str, str]], normalizer: str = "none") -> ScoredSet:
    return score_set(
        "hard",
        {key: said for key, (said, _) in pairs.items()},
        {key: heard for key, (_, heard) in pairs.items()},
        normalizer=Normalizer(normalizer),
    )


def sclite(one: ScoredSet, folder: Path) -> dict[str, object]:
    write_trn(folder / "ref.trn", one, reference=True)
    write_trn(folder / "hyp.trn", one, reference=False)
    return dict(sclite_counts(folder / "ref.trn", folder / "hyp.trn"))


@pytest.mark.parametrize("normalizer", ["none", "basic"])
def test_every_kind_of_error_agrees_with_sclite_on_hard_cases(
    normalizer: str, tmp_path: Path
) -> None:
    ours = scored(_HARD, normalizer)
    assert sclite(ours, tmp_path) == {one.id: one.words for one in ours.utterances}


def test_sclite_may_prefer_six_deletions_and_insertions_to_five_substitutions(
    tmp_path: Path,
) -> None:
    """The difference between the two that the documentation states."""
    ours = scored({"s-1": ("a b c x y", "x y p q r")})
    assert ours.summary.words == ErrorCounts(substitutions=5)
    assert sclite(ours, tmp_path) == {"s-1": ErrorCounts(hits=2, deletions=3, insertions=3)}


def test_characters_agree_with_sclite(tmp_path: Path) -> None:
    """CJK above all: a character a word for sclite, a character for the CER."""
    texts = {
        "s-1": ("今天天气很好", "今天气很坏"),
        "s-2": ("你好世界", "你好"),
        "s-3": ("", "啊"),
        "s-4": ("東京都", "東京都"),
        "s-5": ("안녕하세요", "안녕하세여"),
        "s-6": (unicodedata.normalize("NFD", "안녕"), "안녕"),
        "s-7": ("𠮷野家", "吉野家"),
    }
    characters = scored(texts)
    spelled = {
        key: tuple(" ".join(unicodedata.normalize("NFC", text)) for text in pair)
        for key, pair in texts.items()
    }
    theirs = sclite(scored(spelled), tmp_path)  # type: ignore[arg-type]
    assert theirs == {one.id: one.characters for one in characters.utterances}


def test_segments_get_the_words_that_sclite_gives_them(tmp_path: Path) -> None:
    """Random times, words across borders, two channels, a stretch to ignore between segments."""
    rng = random.Random(9)
    stm, ctm = [], []
    for channel in ("A", "B"):
        for number in range(40):
            start, words = 10.0 * number, rng.choices("abcdef", k=rng.randrange(1, 9))
            middle, end = start + rng.uniform(3, 9), start + 10
            ignored = "ignore_time_segment_in_scoring"
            stm.append(
                f"talk {channel} s{number % 3} {start:.2f} {middle:.2f} <o> {' '.join(words)}"
            )
            stm.append(f"talk {channel} gap {middle:.2f} {end:.2f} <o> {ignored}")
        for number in range(400):
            ctm.append(
                f"talk {channel} {number + rng.uniform(0, 0.4):.2f} 0.55 {rng.choice('abcd')}"
            )
    (tmp_path / "ref.stm").write_text("\n".join(stm) + "\n")
    (tmp_path / "hyp.ctm").write_text("\n".join(ctm) + "\n")
    test_set = read_test_set(tmp_path / "ref.stm", [tmp_path / "hyp.ctm"])
    rule = Normalizer("none")
    ours = score_set("hyp", test_set.references, test_set.systems[0].texts, normalizer=rule)
    theirs = sclite_counts(tmp_path / "ref.stm", tmp_path / "hyp.ctm")
    numbers = dict.fromkeys(test_set.speakers.values(), 0)
    for one in ours.utterances:
        speaker = test_set.speakers[one.id]
        counted = theirs[f"{speaker}-{numbers[speaker]:03d}"]  # as sclite numbers them
        numbers[speaker] += 1
        assert counted.reference_length == one.words.reference_length
        assert counted.hits + counted.substitutions + counted.insertions == (
            one.words.hits + one.words.substitutions + one.words.insertions
        )
    assert sum(numbers.values()) == len(theirs) == 80


def test_the_printed_alignments_are_read_as_those_of_sclite(tmp_path: Path) -> None:
    ours = scored(_HARD)
    write_pra(tmp_path / "hard.pra", ours)
    counts = parse_pra((tmp_path / "hard.pra").read_text(encoding="utf-8"))
    assert counts == sclite(ours, tmp_path)


@pytest.mark.parametrize("normalizer", ["none", "basic"])
def test_totals_agree_with_jiwer(normalizer: str) -> None:
    rng = random.Random(8)
    words = ["a", "b", "it's", "İ", "naïve", "今", "x-y", "B", "a."]
    pairs = {
        f"r-{number}": (
            " ".join(rng.choices(words, k=rng.randrange(1, 9))),
            " ".join(rng.choices(words, k=rng.randrange(9))),
        )
        for number in range(300)
    }
    pairs |= {key: pair for key, pair in _HARD.items()}
    summary = scored(pairs, normalizer).summary
    rule = Normalizer(normalizer)
    said, heard = ([rule(pair[side]) for pair in pairs.values()] for side in (0, 1))
    theirs = jiwer.process_words(said, heard)
    assert summary.words.rate == theirs.wer
    for kind in ("hits", "substitutions", "deletions", "insertions"):
        assert getattr(summary.words, kind) == getattr(theirs, kind)
    assert summary.characters.rate == jiwer.cer(said, heard)
