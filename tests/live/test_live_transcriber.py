"""Live results: partial, then final; for one-way models exactly those of the whole."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from synthetic_speech import RATE, make_texts, speak
from torch import Tensor

from asr.bundle import Bundle, load_bundle
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.emission_decoder import EmissionDecoder, Search
from asr.live.hearing import CarriedHearing, RepeatedHearing
from asr.live.transcriber import LiveSettings, LiveTranscriber, Result
from asr.recognizer import Recognizer
from asr.scoring.error_rate import word_errors

TEXTS = make_texts(8, seed=7)


def talk() -> NDArray[np.float32]:
    """The texts with pauses of a second and a half between."""
    noise = np.random.default_rng(1)
    parts: list[NDArray[np.float32]] = []
    for number, text in enumerate(TEXTS):
        parts.append(speak(text, seed=number))
        parts.append(noise.normal(0, 0.003, round(1.5 * RATE)).astype(np.float32))
    return np.concatenate(parts)


def listen(bundle: Bundle, sizes: list[int], settings: LiveSettings | None = None) -> list[Result]:
    samples = talk()
    live = LiveTranscriber(bundle, EmissionDecoder(bundle.text_side), settings)
    results, start = [], 0
    for size in sizes:
        results += live.add(samples[start : start + size])
        start += size
    results += live.add(samples[start:])
    return [*results, *live.finish()]


def said(results: list[Result]) -> list[tuple[str, float, float]]:
    """Words and times; confidences hang on the last bits of the features."""
    return [(word.text, word.start, word.end) for one in results for word in one.words]


def finals(results: list[Result]) -> list[Result]:
    return [one for one in results if one.final]


@pytest.fixture(scope="module")
def one_way(one_way_tone_model: Path) -> Bundle:
    return load_bundle(one_way_tone_model)


@pytest.fixture(scope="module")
def both_ways(tone_model: Path) -> Bundle:
    return load_bundle(tone_model)


@pytest.mark.parametrize("warps", [(), (0.94, 1.0, 1.06)])
def test_a_one_way_model_hears_exactly_what_it_hears_in_the_whole(
    one_way: Bundle, warps: tuple[float, ...]
) -> None:
    one_way = replace(one_way, warps=warps)
    samples = talk()
    hearing = CarriedHearing(one_way)
    for start in range(0, len(samples), 777):
        hearing.add(samples[start : start + 777])
    rows = hearing.rows(last=True)
    waveform = torch.from_numpy(samples)[None]
    raw, lengths = one_way.front_end.extractor(waveform, torch.tensor([len(samples)]))
    stats = one_way.stats
    assert stats is not None
    features = (raw[0, : int(lengths)] - stats.mean) / stats.std
    whole = Recognizer(one_way).log_probs([features])[0]
    assert rows.shape == whole.shape
    assert torch.allclose(rows, whole, atol=1e-4)


def test_pieces_of_any_size_give_the_same_final_results(one_way: Bundle) -> None:
    whole = finals(listen(one_way, []))
    assert len(whole) == len(TEXTS)
    chance = random.Random(1)
    for most in (50, 3000, 40000):
        sizes = [chance.randint(0, most) for _ in range(len(talk()) * 2 // (most + 1) + 1)]
        assert said(finals(listen(one_way, sizes))) == said(whole)
    often = LiveSettings(every=0.13)
    assert [one.text for one in finals(listen(one_way, [], often))] == [one.text for one in whole]


@pytest.mark.parametrize("which", ["one_way", "both_ways"])
def test_what_was_said_is_written_segment_by_segment(
    which: str, request: pytest.FixtureRequest
) -> None:
    found = finals(listen(request.getfixturevalue(which), [1000] * 50))
    assert len(found) == len(TEXTS)
    counts = [word_errors(text, one.text) for text, one in zip(TEXTS, found, strict=True)]
    assert sum(one.errors for one in counts) <= 0.15 * sum(one.reference_length for one in counts)


@pytest.mark.parametrize("which", ["one_way", "both_ways"])
def test_times_are_those_of_the_stream(which: str, request: pytest.FixtureRequest) -> None:
    clock = 0.0
    found = finals(listen(request.getfixturevalue(which), [4000] * 10))
    for number, (text, one) in enumerate(zip(TEXTS, found, strict=True)):
        length = len(speak(text, seed=number)) / RATE
        assert clock - 0.1 <= one.words[0].start
        assert one.words[-1].end <= clock + length + 0.1
        clock += length + 1.5


def test_words_come_before_they_are_final(both_ways: Bundle) -> None:
    results = listen(both_ways, [1000] * 100, LiveSettings(every=0.2))
    first = next(number for number, one in enumerate(results) if one.final)
    assert first > 0
    texts = [one.text for one in results[:first]]
    assert len(set(texts)) == len(texts), "only what is new is said"
    assert results[first].text.startswith(texts[0][:1])


def test_only_what_is_final_is_searched_widely(one_way: Bundle) -> None:
    searches: Counter[str] = Counter()

    def counted(name: str) -> Search:
        def search(rows: Tensor) -> list[Hypothesis]:
            searches[name] += 1
            return [greedy_decode(rows, one_way.tokens)]

        return search

    decoder = EmissionDecoder(one_way.text_side, counted("wide"), draft=counted("draft"))
    live = LiveTranscriber(one_way, decoder)
    results = [*live.add(talk()), *live.finish()]
    assert searches["wide"] == len(finals(results)) == len(TEXTS)
    assert searches["draft"] >= len(results) - len(TEXTS) > 0


def test_a_model_that_hears_both_ways_forgets_what_is_final(both_ways: Bundle) -> None:
    hearing = RepeatedHearing(both_ways)
    hearing.add(talk())
    count = len(hearing.rows(last=False))
    hearing.forget(count - 10)
    assert len(hearing.rows(last=False)) == 10
    assert len(hearing._samples) < 2.5 * RATE


def test_silence_says_nothing(both_ways: Bundle, one_way: Bundle) -> None:
    for bundle in (one_way, both_ways):
        live = LiveTranscriber(bundle, EmissionDecoder(bundle.text_side))
        assert [*live.finish()] == []


def test_a_one_way_model_in_a_long_silence_keeps_nothing(one_way: Bundle) -> None:
    live = LiveTranscriber(one_way, EmissionDecoder(one_way.text_side))
    noise = np.random.default_rng(1).normal(0, 0.003, 20 * RATE).astype(np.float32)
    assert [*live.add(noise), *live.finish()] == []
    assert isinstance(live._hearing, CarriedHearing)
    assert len(live._hearing._rows) < 2 / one_way.text_side.frame_seconds


def test_what_was_heard_by_mistake_is_taken_back(one_way: Bundle) -> None:
    """Words that the final search does not confirm do not stay on the screen."""
    nothing = Hypothesis("", (), (), 0.0)
    decoder = EmissionDecoder(
        one_way.text_side,
        lambda rows: [nothing],
        draft=lambda rows: [greedy_decode(rows, one_way.tokens)],
    )
    live = LiveTranscriber(one_way, decoder)
    results = [*live.add(talk()), *live.finish()]
    assert any(result.text for result in results)
    assert results[-1] == Result((), final=False)
