from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from asr.augment.draw import draw
from asr.augment.settings import AugmentSettings
from asr.augment.spectrogram import spec_augment
from asr.augment.waveform import perturb_speed
from asr.dataset import Example, FrontEnd, SpeechDataset, _say_resampling, collate
from asr.errors import AudioError, DataError
from asr.features import FeatureExtractor, FeatureSettings, FeatureStats, normalize
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters

RATE = 16000
SPEEDS = (0.9, 1.0, 1.1)
MASKS = {"frequency_masks": 2, "time_masks_per_second": 2.0}


def write(path: Path, samples: int, *, rate: int = RATE, seed: int = 1) -> Path:
    """A file of noise, which float samples keep bit for bit."""
    noise = 0.1 * np.random.default_rng(seed).standard_normal(samples)
    soundfile.write(path, noise.astype(np.float32), rate, subtype="FLOAT")
    return path


def utterance(path: Path, samples: int, *, rate: int = RATE, **values: Any) -> Utterance:
    return Utterance(
        **({"id": path.stem, "text": "ab ba"} | values), audio_path=path, duration=samples / rate
    )


def front_end(stats: FeatureStats | None = None, **features: Any) -> FrontEnd:
    return FrontEnd(FeatureExtractor(FeatureSettings.parse({"mels": 20} | features, "test")), stats)


def dataset(utterances: Sequence[Utterance], **options: Any) -> SpeechDataset:
    options = {"tokens": Characters("ab '"), "normalizer": Normalizer("basic")} | options
    return SpeechDataset(utterances, options.pop("front_end", front_end()), **options)


def augment(speeds: tuple[float, ...] = SPEEDS, **masks: Any) -> AugmentSettings:
    none = {"frequency_masks": 0, "time_masks_per_second": 0}
    return AugmentSettings.parse({"speeds": speeds} | none | masks, "test")


def test_an_example_has_the_features_and_targets_of_its_utterance(tmp_path: Path) -> None:
    one = utterance(write(tmp_path / "one.wav", RATE), RATE, text="  A, b'a!")
    example = dataset([one]).example(0, epoch=0)
    assert example.id == "one"
    assert example.features.shape == (1 + (RATE - 512) // 160, 20)
    assert example.targets.tolist() == [1, 3, 2, 4, 1]
    assert example.targets.dtype == torch.long


def test_features_are_normalised_by_the_corpus_or_by_the_utterance(tmp_path: Path) -> None:
    one = utterance(write(tmp_path / "one.wav", RATE), RATE)
    raw = front_end().raw_features(front_end().load(one), "one")
    stats = FeatureStats(torch.arange(20.0), torch.arange(1.0, 21.0))
    by_corpus = dataset([one], front_end=front_end(stats)).example(0, 0).features
    torch.testing.assert_close(by_corpus, (raw - stats.mean) / stats.std)
    by_utterance = dataset([one]).example(0, 0).features
    torch.testing.assert_close(by_utterance.mean(0), torch.zeros(20), rtol=0, atol=1e-4)


def test_other_sample_rates_are_resampled_to_the_models(tmp_path: Path) -> None:
    telephone = utterance(write(tmp_path / "a.wav", 8000, rate=8000), 8000, rate=8000)
    features = front_end().raw_features(front_end().load(telephone), "a")
    assert len(features) == 1 + (RATE - 512) // 160
    # Nothing can be heard above half of the file's own sample rate.
    assert float(features[:, -2:].mean()) < float(features[:, :8].mean()) - 5


def test_segments_of_one_file_are_what_the_cut_out_files_would_be(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", 3 * RATE)
    samples, _ = soundfile.read(path, dtype="float32")
    starts, length = (0, 8000, 30000), 12000
    segments, cut_out = [], []
    for start in starts:
        name = f"{start}"
        segments.append(utterance(path, length, id=name, offset=start / RATE))
        soundfile.write(tmp_path / f"{name}.wav", samples[start : start + length], RATE, "FLOAT")
        cut_out.append(utterance(tmp_path / f"{name}.wav", length))
    of_segments, of_files = dataset(segments), dataset(cut_out)
    for index, start in enumerate(starts):
        example = of_segments.example(index, 0)
        assert example.id == f"{start}"
        assert torch.equal(example.features, of_files.example(index, 0).features)


def test_a_manifest_without_the_duration_means_the_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", RATE)
    whole = dataset([utterance(path, 0)]).example(0, 0)
    assert torch.equal(whole.features, dataset([utterance(path, RATE)]).example(0, 0).features)
    rest = dataset([utterance(path, 0, offset=0.25)]).example(0, 0)
    part = dataset([utterance(path, 3 * RATE // 4, offset=0.25)]).example(0, 0)
    assert torch.equal(rest.features, part.features)


@pytest.mark.parametrize(
    "effects",
    [{}, {"noise": {}}, {"reverb": {}, "gain_db": [-6, 6], "band": {}}],
    ids=lambda effects: "+".join(effects) or "none",
)
def test_a_cache_changes_no_bit(tmp_path: Path, effects: dict[str, Any]) -> None:
    utterances = [
        utterance(write(tmp_path / f"{number}.wav", 9000 + 1000 * number, seed=number), 9000)
        for number in range(3)
    ]
    options: dict[str, Any] = {"augment": augment(**MASKS, **effects), "seed": 3}
    without = dataset(utterances, **options)
    # Room for all, for some, and none at all; and each epoch twice, to read what was kept.
    for cache_bytes in (10**9, 12_000, 1):
        cached = dataset(utterances, cache_bytes=cache_bytes, **options)
        for epoch in (0, 1, 2, 0, 1, 2):
            for index in range(3):
                expected = without.example(index, epoch)
                assert torch.equal(cached.example(index, epoch).features, expected.features)


def test_what_is_cached_is_not_read_again_and_no_more_is_kept_than_allowed(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.wav", RATE) for number in range(2)]
    one_only = 97 * 20 * 4  # bytes
    cached = dataset([utterance(path, RATE) for path in paths], cache_bytes=one_only)
    for index, path in enumerate(paths):
        cached.example(index, 0)
        path.unlink()
    assert cached.example(0, 1).features.nbytes == one_only
    with pytest.raises(AudioError, match=r"1\.wav: no such file"):
        cached.example(1, 1)


def test_epochs_differ_in_training_and_never_in_evaluation(tmp_path: Path) -> None:
    one = [utterance(write(tmp_path / "a.wav", RATE), RATE)]
    training, evaluation = dataset(one, augment=augment(**MASKS)), dataset(one)
    shapes_and_sums = {
        (len(features), float(features.sum()))
        for features in (training.example(0, epoch).features for epoch in range(6))
    }
    assert len(shapes_and_sums) == 6
    assert torch.equal(evaluation.example(0, 0).features, evaluation.example(0, 1).features)


def test_sound_that_differs_in_each_epoch_is_read_once_for_each_speed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", RATE)
    settings = augment((1.0,), noise={"probability": 1}, band={"probability": 0.5})
    data = dataset([utterance(path, RATE)], augment=settings, cache_bytes=4 * RATE)
    data.example(0, 0)
    path.unlink()
    sums = {float(data.example(0, epoch).features.double().std(1).sum()) for epoch in range(5)}
    assert len(sums) == 5


def test_with_new_effects_off_features_are_those_of_speed_and_masks_alone(tmp_path: Path) -> None:
    one = [utterance(write(tmp_path / "a.wav", RATE), RATE)]
    settings = augment(**MASKS)
    for epoch in range(4):
        chance = draw(settings, seed=0, epoch=epoch, utterance_id="a")
        faster = perturb_speed(front_end().load(one[0]), chance.speed)
        expected = spec_augment(
            front_end().features(faster, "a"),
            settings,
            frames_per_second=100.0,
            generator=chance.generator,
        )
        example = dataset(one, augment=settings).example(0, epoch)
        assert torch.equal(example.features, expected)


def test_seeds_differ(tmp_path: Path) -> None:
    one = [utterance(write(tmp_path / "a.wav", RATE), RATE)]
    settings = augment((1.0,), **MASKS)
    first, second = (dataset(one, augment=settings, seed=seed).example(0, 0) for seed in (1, 2))
    assert not torch.equal(first.features, second.features)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_frames_are_known_before_reading_give_or_take_one(
    tmp_path: Path, speed: float, rate: int
) -> None:
    lengths = [700 * rate // 8000 + 37 * number for number in range(25)]
    utterances = [
        utterance(write(tmp_path / f"{length}.wav", length, rate=rate), length, rate=rate)
        for length in lengths
    ]
    data = dataset(utterances, augment=augment((speed,)))
    for index in range(len(lengths)):
        true = len(data.example(index, 0).features)
        assert abs(data.frames(index, 0) - true) <= (speed != 1.0 or rate != RATE)


def test_frames_follow_the_speed_drawn_for_the_epoch(tmp_path: Path) -> None:
    data = dataset([utterance(write(tmp_path / "a.wav", RATE), RATE)], augment=augment())
    frames = [data.frames(0, epoch) for epoch in range(20)]
    assert frames == [len(data.example(0, epoch).features) for epoch in range(20)]
    assert len(set(frames)) == len(SPEEDS)
    assert data.fewest_frames(0) == min(frames)
    assert data.most_frames(0) == max(frames)


def test_collate_pads_with_zeros_to_the_longest() -> None:
    examples = [
        Example("a", torch.ones(3, 2), torch.tensor([1, 2])),
        Example("b", torch.ones(5, 2), torch.tensor([3])),
        Example("c", torch.ones(1, 2), torch.tensor([], dtype=torch.long)),
    ]
    batch = collate(examples)
    assert batch.ids == ("a", "b", "c")
    assert batch.feature_lengths.tolist() == [3, 5, 1]
    assert batch.target_lengths.tolist() == [2, 1, 0]
    assert batch.targets.tolist() == [[1, 2], [3, 0], [0, 0]]
    for row, length in enumerate([3, 5, 1]):
        assert bool((batch.features[row, :length] == 1).all())
        assert bool((batch.features[row, length:] == 0).all())


def test_batched_examples_keep_their_own_features(tmp_path: Path) -> None:
    lengths = (9000, 12000)
    data = dataset([utterance(write(tmp_path / f"{n}.wav", n, seed=n), n) for n in lengths])
    batch = collate([data.example(index, 0) for index in range(2)])
    for index, frames in enumerate(batch.feature_lengths.tolist()):
        assert torch.equal(batch.features[index, :frames], data.example(index, 0).features)
    again = normalize(batch.features, batch.feature_lengths, None)
    torch.testing.assert_close(again, batch.features, rtol=0, atol=1e-4)


@pytest.mark.parametrize("text", ["", None, "..."])
def test_an_empty_transcript_has_whole_numbers_for_targets_too(
    tmp_path: Path, text: str | None
) -> None:
    targets = dataset([utterance(tmp_path / "a.wav", RATE, text=text)]).targets(0)
    assert targets.shape == (0,)
    assert targets.dtype == torch.long


def test_characters_without_a_token_are_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no token for 'ü' \(U\+00FC\)"):
        dataset([utterance(tmp_path / "missing.wav", RATE, text="abü")])


def test_audio_too_short_for_a_frame_is_named_with_its_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 400)
    with pytest.raises(
        AudioError, match=r"a\.wav: too short: 0\.025 s; expected at least 0\.032 s; check"
    ):
        dataset([utterance(path, 400)]).example(0, 0)


def test_silence_is_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match=r"a\.wav: silent"):
        dataset([utterance(tmp_path / "a.wav", RATE)]).example(0, 0)


def test_a_segment_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", RATE)
    with pytest.raises(AudioError, match=r"a\.wav: the file ends after 1\.00 s"):
        dataset([utterance(path, RATE, offset=0.5)]).example(0, 0)


def test_noise_takes_the_place_of_a_share_of_the_utterances(tmp_path: Path) -> None:
    """As (seed, epoch, id) say; the length stays, and nothing is said."""
    paths = [write(tmp_path / f"{n}.wav", RATE + 500 * n, seed=n) for n in range(40)]
    utterances = [utterance(path, RATE + 500 * n) for n, path in enumerate(paths)]
    noisy = dataset(utterances, augment=augment(silence=0.3))
    plain = dataset(utterances, augment=augment())
    silent = []
    for epoch in range(3):
        for index in range(40):
            one = noisy.example(index, epoch)
            assert len(one.features) == noisy.frames(index, epoch)
            assert torch.equal(one.targets, noisy.targets(index, epoch))
            again = noisy.example(index, epoch)
            assert torch.equal(one.features, again.features)
            silent.append(len(one.targets) == 0)
            if not silent[-1]:
                assert torch.equal(one.targets, plain.targets(index))
    assert 0.15 < sum(silent) / len(silent) < 0.45
    assert silent[:40] != silent[40:80]
    assert len(noisy.targets(silent.index(True))) > 0, "it is what is said in other epochs"


def test_resampling_is_said_once_a_run_with_both_rates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _say_resampling.cache_clear()
    same = utterance(write(tmp_path / "same.wav", RATE), RATE)
    front_end().load(same)
    assert capsys.readouterr().err == ""
    for name in ("a", "b"):
        path = write(tmp_path / f"{name}.wav", 8000, rate=8000)
        front_end().load(utterance(path, 8000, rate=8000))
    front_end().load(utterance(write(tmp_path / "c.wav", 22050, rate=22050), 22050, rate=22050))
    assert capsys.readouterr().err.splitlines() == [
        "asr: recordings at 8000 Hz are resampled to the model's 16000 Hz",
        "asr: recordings at 22050 Hz are resampled to the model's 16000 Hz",
    ]
