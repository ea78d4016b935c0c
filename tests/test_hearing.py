"""What can be listened to is what training feeds the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from synthetic_speech import RATE, write_utterances

from asr.audio import Waveform
from asr.augment.settings import AugmentSettings
from asr.augment.spectrogram import apply_masks
from asr.dataset import FrontEnd, SpeechDataset
from asr.features import FeatureExtractor, FeatureSettings
from asr.hearing import draw_picture, hear, write_waveform
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import Characters

ALL: dict[str, Any] = {
    "reverb": {"probability": 0.7},
    "noise": {"probability": 0.7},
    "gain_db": [-6, 6],
    "band": {"probability": 0.7},
    "frequency_warp": 0.1,
    "time_masks_per_second": 3.0,
}


@pytest.fixture
def utterance(tmp_path: Path) -> Utterance:
    return write_utterances(tmp_path, ["abc cab ba"])[0]


def front_end() -> FrontEnd:
    settings = FeatureSettings.parse({"sample_rate": RATE, "mels": 16}, "test")
    return FrontEnd(FeatureExtractor(settings), None)


@pytest.mark.parametrize("silence", [0.0, 0.5])
def test_it_is_the_very_sound_and_the_very_masks_of_training(
    utterance: Utterance, silence: float
) -> None:
    settings = AugmentSettings.parse(ALL | {"silence": silence}, "test")
    training = SpeechDataset(
        [utterance],
        front_end(),
        tokens=Characters(" abc"),
        normalizer=Normalizer("basic"),
        augment=settings,
        seed=7,
    )
    for epoch in range(5):
        heard = hear(utterance, front_end(), settings, seed=7, epoch=epoch)
        unmasked = front_end().features(heard.waveform, "a")
        expected = training.example(0, epoch).features
        assert torch.equal(apply_masks(unmasked, heard.masks), expected)


def test_all_that_is_on_is_said_and_nothing_that_is_off(utterance: Utterance) -> None:
    settings = AugmentSettings.parse(ALL, "test")
    drawn = hear(utterance, front_end(), settings, seed=1, epoch=0).drawn
    assert list(drawn) == ["speed", "reverb", "noise", "gain", "band", "warp", "masks"]
    drawn = hear(utterance, front_end(), AugmentSettings(), seed=1, epoch=0).drawn
    assert list(drawn) == ["speed", "masks"]


def test_what_is_beyond_full_scale_is_written_as_it_is(tmp_path: Path) -> None:
    loud = np.array([0.0, 0.5, 1.7, -3.2, 0.25], dtype=np.float32)
    write_waveform(tmp_path / "loud.wav", Waveform(loud, RATE))
    samples, rate = soundfile.read(tmp_path / "loud.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(samples, loud)


def test_the_picture_has_the_masks_in_grey(utterance: Utterance, tmp_path: Path) -> None:
    """A mask over everything leaves the lower half of the picture grey."""
    from matplotlib.image import imread

    shares = []
    for name, masks in (("none", 0), ("all", 200)):
        values = {"speeds": [1.0], "frequency_masks": masks, "frequency_mask_share": 1.0}
        settings = AugmentSettings.parse(values | {"time_masks_per_second": 0}, "test")
        heard = hear(utterance, front_end(), settings, seed=1, epoch=0)
        draw_picture(tmp_path / f"{name}.png", heard, front_end())
        pixels = imread(tmp_path / f"{name}.png")[..., :3]
        shares.append(float((np.abs(pixels - 0.6).max(axis=-1) < 0.005).mean()))
    assert shares[0] < 0.01
    assert shares[1] > 0.2
