from collections import Counter

import pytest

from data_prep.partition import Shares, by_speaker, by_utterance

IDS = [f"utterance-{number}" for number in range(1000)]


def test_shares_of_utterances_are_about_those_asked_for():
    counts = Counter(by_utterance(IDS, Shares(dev=0.1, test=0.2, seed=1)).values())
    assert counts["dev"] == pytest.approx(100, abs=35)
    assert counts["test"] == pytest.approx(200, abs=45)


def test_added_utterances_move_none_of_the_others():
    shares = Shares(dev=0.1, test=0.1, seed=1)
    before = by_utterance(IDS[:500], shares)
    after = by_utterance(IDS, shares)
    assert before == {name: after[name] for name in before}


def test_order_of_the_utterances_changes_nothing():
    shares = Shares(dev=0.1, test=0.1, seed=1)
    assert by_utterance(IDS, shares) == by_utterance(IDS[::-1], shares)
    speakers = {name: name[-2:] for name in IDS}
    turned = dict(reversed(speakers.items()))
    assert by_speaker(speakers, shares) == by_speaker(turned, shares)


def test_seed_changes_the_splits():
    first, second = (by_utterance(IDS, Shares(dev=0.1, test=0.1, seed=seed)) for seed in (1, 2))
    assert first != second


@pytest.mark.parametrize("seed", range(20))
def test_three_utterances_suffice_for_three_splits(seed):
    splits = by_utterance(["a", "b", "c"], Shares(dev=0.1, test=0.1, seed=seed))
    assert sorted(splits.values()) == ["dev", "test", "train"]


def test_share_of_0_makes_no_test_set():
    assert "test" not in by_utterance(IDS, Shares(dev=0.1, test=0, seed=1)).values()
    speakers = {name: name[-2:] for name in IDS}
    assert "test" not in by_speaker(speakers, Shares(dev=0.1, test=0, seed=1)).values()


@pytest.mark.parametrize("seed", range(20))
def test_no_speaker_is_in_two_splits_and_each_split_has_one(seed):
    speakers = {name: name[-1] for name in IDS[:237]}
    splits = by_speaker(speakers, Shares(dev=0.1, test=0.1, seed=seed))
    places = {(speakers[name], split) for name, split in splits.items()}
    assert len(places) == len(set(speakers.values()))
    assert set(splits.values()) == {"train", "dev", "test"}


@pytest.mark.parametrize("seed", range(20))
def test_speaker_of_half_the_corpus_is_for_training(seed):
    speakers = {name: "big" if number % 2 else name[-2] for number, name in enumerate(IDS)}
    splits = by_speaker(speakers, Shares(dev=0.1, test=0.1, seed=seed))
    assert {splits[name] for name in IDS if speakers[name] == "big"} == {"train"}
    assert Counter(splits.values())["dev"] <= 100
