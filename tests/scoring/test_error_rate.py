import random
import time
from functools import cache

import pytest

from asr.scoring.error_rate import (
    ErrorCounts,
    align_words,
    align_words_batch,
    character_errors,
    character_errors_batch,
    sum_counts,
    word_errors,
)


def edit_distance(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """Levenshtein's distance by its recursive definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(
            distance(i - 1, j) + 1,
            distance(i, j - 1) + 1,
            distance(i - 1, j - 1) + (left[i - 1] != right[j - 1]),
        )

    return distance(len(left), len(right))


def random_pairs(seed: int, count: int, alphabet: str = "abc") -> list[tuple[str, str]]:
    rng = random.Random(seed)

    def words() -> str:
        return " ".join(rng.choice(alphabet) for _ in range(rng.randrange(9)))

    return [(words(), words()) for _ in range(count)]


def test_each_kind_of_error_is_counted_as_itself() -> None:
    # "the cat sat" / "the cat sit down": one substitution, one insertion; then one deletion.
    assert word_errors("the cat sat", "the cat sit down") == ErrorCounts(2, 1, 0, 1)
    assert word_errors("the cat sat", "the sat") == ErrorCounts(2, 0, 1, 0)


def test_errors_equal_the_brute_force_edit_distance() -> None:
    for reference, hypothesis in random_pairs(seed=1, count=300):
        words = word_errors(reference, hypothesis)
        expected = edit_distance(tuple(reference.split()), tuple(hypothesis.split()))
        assert words.errors == expected, (reference, hypothesis)
        characters = character_errors(reference, hypothesis)
        assert characters.errors == edit_distance(tuple(reference), tuple(hypothesis))


def test_counts_account_for_every_word_of_both_sides() -> None:
    for reference, hypothesis in random_pairs(seed=2, count=200):
        counts = word_errors(reference, hypothesis)
        assert counts.reference_length == len(reference.split())
        assert counts.hits + counts.substitutions + counts.insertions == len(hypothesis.split())


def test_alignment_spells_out_both_sides_in_order() -> None:
    for reference, hypothesis in random_pairs(seed=3, count=200):
        edits = align_words(reference, hypothesis).edits
        assert [e.reference for e in edits if e.reference is not None] == reference.split()
        assert [e.hypothesis for e in edits if e.hypothesis is not None] == hypothesis.split()
        for edit in edits:
            assert (edit.kind == "equal") == (edit.reference == edit.hypothesis)
            assert (edit.kind == "delete") == (edit.hypothesis is None)
            assert (edit.kind == "insert") == (edit.reference is None)


def test_alignment_counts_are_those_of_its_edits() -> None:
    for reference, hypothesis in random_pairs(seed=4, count=100):
        alignment = align_words(reference, hypothesis)
        kinds = [edit.kind for edit in alignment.edits]
        assert alignment.counts == ErrorCounts(
            kinds.count("equal"),
            kinds.count("substitute"),
            kinds.count("delete"),
            kinds.count("insert"),
        )


def test_nothing_said_and_nothing_heard_is_no_error() -> None:
    assert word_errors("", "") == ErrorCounts()
    assert word_errors("", "").rate == 0.0
    assert character_errors("", "") == ErrorCounts()
    assert align_words("", "").edits == ()


def test_words_heard_in_silence_are_insertions_with_a_finite_rate() -> None:
    counts = word_errors("", "uh huh huh")
    assert counts == ErrorCounts(insertions=3)
    assert counts.rate == 3.0


def test_nothing_heard_is_all_deletions() -> None:
    assert word_errors("a b c", "") == ErrorCounts(deletions=3)
    assert word_errors("a b c", "").rate == 1.0


def test_the_rate_of_many_divides_by_all_their_words() -> None:
    # 1 error in 1 word and 0 errors in 9 words: 10 %, not the mean of the rates (50 %).
    many = [word_errors("x", "y"), word_errors("a b c d e f g h i", "a b c d e f g h i")]
    assert sum_counts(many).rate == pytest.approx(0.1)


def test_an_empty_reference_adds_its_insertions_and_no_words() -> None:
    total = word_errors("", "a b") + word_errors("c d e f", "c d e f")
    assert (total.errors, total.reference_length, total.rate) == (2, 4, 0.5)


def test_the_sum_of_no_counts_is_zero() -> None:
    assert sum_counts([]) == ErrorCounts()
    assert sum_counts([]).rate == 0.0


def test_many_at_once_equal_one_by_one() -> None:
    pairs = random_pairs(seed=5, count=100)
    references, hypotheses = zip(*pairs, strict=True)
    assert align_words_batch(references, hypotheses) == [align_words(*pair) for pair in pairs]
    assert character_errors_batch(references, hypotheses) == [
        character_errors(*pair) for pair in pairs
    ]


def test_no_utterances_give_no_alignments() -> None:
    assert align_words_batch([], []) == []
    assert character_errors_batch([], []) == []


def test_any_white_space_separates_words() -> None:
    assert word_errors("a\tb\u00a0c", "a b c") == ErrorCounts(hits=3)


def test_a_space_inside_is_a_character_and_at_the_ends_is_none() -> None:
    assert character_errors("a b", "ab") == ErrorCounts(hits=2, deletions=1)
    assert character_errors(" ab ", "ab") == ErrorCounts(hits=2)


def test_characters_beyond_the_basic_plane_count_once() -> None:
    assert character_errors("\U0001d400é", "\U0001d400e") == ErrorCounts(hits=1, substitutions=1)


def test_ten_thousand_utterances_are_aligned_in_seconds() -> None:
    rng = random.Random(6)
    vocabulary = [f"word{number}" for number in range(500)]
    references = [" ".join(rng.choices(vocabulary, k=15)) for _ in range(10_000)]
    hypotheses = [
        " ".join(word for word in text.split() if rng.random() > 0.2) for text in references
    ]
    start = time.process_time()
    alignments = align_words_batch(references, hypotheses)
    characters = character_errors_batch(references, hypotheses)
    assert time.process_time() - start < 20
    assert len(alignments) == len(characters) == 10_000
