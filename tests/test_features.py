import math
import warnings
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.errors import ConfigError
from asr.features import FeatureExtractor, FeatureSettings, FeatureStats, frame_mask, normalize

VARIANTS: list[dict[str, Any]] = [
    {},
    {"sample_rate": 8000},
    {"mels": 40, "low_hz": 0.0},
    {"window_seconds": 0.032, "shift_seconds": 0.008, "mels": 80},
    {"sample_rate": 22050, "mels": 30, "low_hz": 100.0},
    {"kind": "mfcc"},
    {"kind": "mfcc", "sample_rate": 8000, "mels": 23, "coefficients": 13},
]
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS, ids=str)


def parse(**values: Any) -> FeatureSettings:
    return FeatureSettings.parse(values, "r.yaml: features")


def noise(samples: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(samples, generator=generator)


def extract(settings: FeatureSettings, samples: Tensor) -> Tensor:
    """(N,) -> (T, F), of one waveform alone."""
    features, lengths = FeatureExtractor(settings)(samples[None], torch.tensor([len(samples)]))
    return features[0, : int(lengths)]


def log_mel_of_librosa(settings: FeatureSettings, samples: NDArray[np.float32]) -> Any:
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=settings.sample_rate,
        n_fft=settings.fft_size,
        win_length=round(settings.window_seconds * settings.sample_rate),
        hop_length=round(settings.shift_seconds * settings.sample_rate),
        window="hann",  # periodic
        center=False,
        power=2.0,
        n_mels=settings.mels,
        fmin=settings.low_hz,
        fmax=settings.sample_rate // 2,
        htk=True,
        norm=None,
    )
    return np.log(mel.T + 1e-6)


@EVERY_VARIANT
def test_features_are_those_of_librosa_and_scipy(variant: dict[str, Any]) -> None:
    settings = parse(**variant)
    samples = noise(settings.sample_rate)
    expected = log_mel_of_librosa(settings, samples.numpy())
    if settings.kind == "mfcc":
        cepstrum = scipy.fft.dct(expected, type=2, norm="ortho", axis=1)
        expected = cepstrum[:, : settings.coefficients]
    found = extract(settings, samples).numpy()
    assert found.shape == expected.shape == (settings.frames(len(samples)), settings.dimension)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)


def test_silence_is_the_floor_and_no_infinity() -> None:
    features = extract(parse(), torch.zeros(4000))
    torch.testing.assert_close(features, torch.full_like(features, float(np.log(1e-6))))


@EVERY_VARIANT
def test_frames_is_the_true_number_of_frames(variant: dict[str, Any]) -> None:
    settings = parse(**variant)
    extractor = FeatureExtractor(settings)
    fft, shift = settings.fft_size, settings.shift
    for samples in (1, fft - 1, fft, fft + shift - 1, fft + shift, fft + shift + 1, 7777):
        features, lengths = extractor(noise(samples)[None], torch.tensor([samples]))
        assert lengths.tolist() == [settings.frames(samples)]
        assert features.shape == (1, max(1, settings.frames(samples)), settings.dimension)


def test_too_short_audio_has_no_frames() -> None:
    settings = parse()
    assert settings.frames(0) == settings.frames(settings.fft_size - 1) == 0
    assert settings.frames(settings.fft_size) == 1
    _, lengths = FeatureExtractor(settings)(torch.zeros(3, 600), torch.tensor([0, 100, 512]))
    assert lengths.tolist() == [0, 0, 1]


@EVERY_VARIANT
def test_a_batch_padded_with_garbage_gives_what_each_waveform_gives_alone(
    variant: dict[str, Any],
) -> None:
    settings = parse(**variant)
    lengths = [5000, 9000, 700, 100]
    samples = torch.full((len(lengths), 9500), 0.9)
    waveforms = [noise(length, seed) for seed, length in enumerate(lengths)]
    for row, waveform in enumerate(waveforms):
        samples[row, : len(waveform)] = waveform
    features, frames = FeatureExtractor(settings)(samples, torch.tensor(lengths))
    for row, waveform in enumerate(waveforms):
        alone = extract(settings, waveform)
        assert len(alone) == frames[row]
        torch.testing.assert_close(features[row, : len(alone)], alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@pytest.mark.parametrize("number", [15, 30, 45, 60])
def test_a_sine_is_loudest_in_the_filter_of_its_frequency(sample_rate: int, number: int) -> None:
    settings = parse(sample_rate=sample_rate)
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (settings.low_hz, sample_rate / 2))
    mel = low + (high - low) * (number + 1) / (settings.mels + 1)  # the peak of the triangle
    frequency = 700 * (10 ** (mel / 2595) - 1)
    sine = 0.5 * torch.sin(2 * torch.pi * frequency * torch.arange(sample_rate) / sample_rate)
    assert extract(settings, sine).argmax(dim=1).unique().tolist() == [number]


def test_settings_of_telephone_speech_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = extract(parse(sample_rate=8000), noise(8000))
    assert features.shape == (1 + (8000 - 256) // 80, 64)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mels": 128, "sample_rate": 8000}, r"mels \(128\) are too many: .* lower mels"),
        ({"mels": 100, "window_seconds": 0.01}, r"mels \(100\) are too many.* 0\.01 s at 16000 Hz"),
        ({"kind": "mfcc", "coefficients": 65}, r"coefficients \(65\) must not exceed mels"),
        ({"low_hz": 4000, "sample_rate": 8000}, r"low_hz \(4000\.0\) must lie below half"),
        ({"window_seconds": 0.005}, r"mels \(64\) are too many.* or raise window_seconds"),
        ({"window_seconds": 0.00005}, r"window_seconds \(5e-05\) .* at 16000 Hz; raise them"),
        ({"shift_seconds": 0.00001}, r"shift_seconds \(1e-05\) .* at 16000 Hz; raise them"),
        ({"window_seconds": 25}, "key 'window_seconds': .*less than or equal to 1"),
        ({"shift_seconds": 10}, "key 'shift_seconds': .*less than or equal to 1"),
        ({"sample_rate": 16}, "key 'sample_rate': .*greater than or equal to 4000"),
        ({"mels": 0}, "key 'mels': .*greater than or equal to 4"),
        ({"kind": "plp"}, "key 'kind': .*'log_mel' or 'mfcc'"),
        ({"cmvn": "none"}, "key 'cmvn': .*'global' or 'per_utterance'"),
        ({"filters": 40}, "unknown key 'filters'"),
        ({"mel": 40}, "unknown key 'mel'; did you mean 'mels'"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^r.yaml: features: .*{words}"):
        parse(**values)


def test_as_many_mels_as_have_something_to_hear_are_allowed() -> None:
    """The bound is the emptiness of a filter, so the most that is allowed works silently."""
    allowed = []
    for mels in range(60, 130):
        try:
            allowed.append(parse(sample_rate=8000, mels=mels))
        except ConfigError:
            break
    assert 64 <= allowed[-1].mels < 129
    assert bool(extract(allowed[-1], noise(8000)).std(dim=0).min() > 0)


def corpus(bins: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    scale, shift = torch.arange(1.0, bins + 1), 100 * torch.arange(bins)
    return [
        torch.randn(frames, bins, generator=generator) * scale + shift for frames in (50, 3, 120, 1)
    ]


def pad(utterances: list[Tensor], value: float) -> tuple[Tensor, Tensor]:
    padded = torch.nn.utils.rnn.pad_sequence(utterances, batch_first=True, padding_value=value)
    return padded, torch.tensor([len(utterance) for utterance in utterances])


def test_global_statistics_are_those_of_all_frames_in_a_row() -> None:
    stats, frames = FeatureStats.accumulate(corpus()), torch.cat(corpus())
    torch.testing.assert_close(stats.mean, frames.mean(0))
    torch.testing.assert_close(stats.std, frames.std(0, correction=0))


def test_global_normalisation_gives_its_corpus_mean_0_and_variance_1() -> None:
    features, lengths = pad(corpus(), 1e4)
    normalised = normalize(features, lengths, FeatureStats.accumulate(corpus()))
    frames = normalised[frame_mask(lengths, features.shape[1])]
    torch.testing.assert_close(frames.mean(0), torch.zeros(6), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames.var(0, correction=0), torch.ones(6), rtol=0, atol=1e-4)


def test_statistics_stay_exact_far_from_zero() -> None:
    """Sums of squares in float32 would lose this variance altogether."""
    far = [torch.tensor([[10000.0], [10001.0]])] * 50
    assert float(FeatureStats.accumulate(far).std) == pytest.approx(0.5)


def test_normalisation_per_utterance_counts_valid_frames_only() -> None:
    features, lengths = pad(corpus(), 1e4)
    normalised = normalize(features, lengths, None)
    for row, utterance in enumerate(corpus()):
        frames = normalised[row, : len(utterance)]
        std = utterance.std(0, correction=0).clamp(min=1e-3)
        expected = (utterance - utterance.mean(0)) / std
        torch.testing.assert_close(frames, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("stats", [None, FeatureStats.accumulate(corpus())], ids=["own", "global"])
@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_normalisation_turns_padding_into_zeros(stats: FeatureStats | None, garbage: float) -> None:
    features, lengths = pad(corpus(), garbage)
    normalised = normalize(features, lengths, stats)
    valid = frame_mask(lengths, features.shape[1])
    assert bool((normalised[~valid] == 0).all())
    assert bool(normalised.isfinite().all())


@pytest.mark.parametrize("per_utterance", [False, True])
def test_features_that_never_change_do_not_explode(per_utterance: bool) -> None:
    constant = torch.full((1, 20, 4), 3.0)
    stats = None if per_utterance else FeatureStats.accumulate([constant[0]])
    assert bool((normalize(constant, torch.tensor([20]), stats).abs() < 1e-2).all())


def test_an_utterance_without_frames_normalises_to_zeros() -> None:
    assert bool((normalize(torch.ones(1, 4, 2), torch.tensor([0]), None) == 0).all())


def test_quiet_energies_are_raised_to_the_range_below_the_loudest() -> None:
    """20 dB are a factor of 100 of energy; the padding is loud, and must not count."""
    generator = torch.Generator().manual_seed(1)
    samples = torch.randn(2, 8000, generator=generator) * torch.linspace(0.001, 1, 8000)
    lengths = torch.tensor([8000, 5000])
    samples[1, 5000:] = 100.0
    whole = FeatureExtractor(FeatureSettings(sample_rate=8000, mels=20))
    limited = FeatureExtractor(FeatureSettings(sample_rate=8000, mels=20, range_db=20))
    plain, frames = whole(samples, lengths)
    found, _ = limited(samples, lengths)
    for row, count in enumerate(frames.tolist()):
        least = plain[row, :count].max() - math.log(100)
        assert (plain[row, :count] < least).any()
        torch.testing.assert_close(found[row, :count], plain[row, :count].clamp(min=least))
    louder, _ = limited(10 * samples, lengths)
    torch.testing.assert_close(
        louder[0] - found[0], torch.full_like(found[0], math.log(100)), atol=2e-3, rtol=0
    )
