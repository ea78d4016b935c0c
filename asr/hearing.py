"""Hearing: what a model in training hears of an utterance, to be listened to and looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from asr.audio import Waveform
from asr.augment.chain import WaveformChain
from asr.augment.draw import draw
from asr.augment.settings import AugmentSettings
from asr.augment.spectrogram import Masks, draw_masks, warp_frequencies
from asr.augment.waveform import nothing_said, perturb_speed
from asr.dataset import FrontEnd
from asr.files import whole_file
from asr.manifest import Utterance

_RANGE = torch.tensor([0.01, 0.99])  # quantiles: what the colours span


@dataclass(frozen=True)
class Heard:
    """One utterance as it was recorded, and as the model hears it in one epoch."""

    drawn: Mapping[str, str]  # by effect, in words
    recorded: Waveform
    waveform: Waveform  # augmented
    masks: Masks  # and the warp of its features


def hear(
    utterance: Utterance,
    front_end: FrontEnd,
    settings: AugmentSettings,
    *,
    seed: int,
    epoch: int,
) -> Heard:
    """Augment an utterance as `SpeechDataset.example` does, and keep what that passes over.

    Raises:
        AudioError: the recording, or one for the augmentation, cannot be used.
        ConfigError: a folder for the augmentation is missing or has no recordings.
    """
    chain = WaveformChain(settings, front_end.extractor.settings.sample_rate)
    chance = draw(settings, seed=seed, epoch=epoch, utterance_id=utterance.id)
    recorded = front_end.load(utterance)
    drawn: Mapping[str, str]
    if chance.silent:
        count = round(len(recorded.samples) / chance.speed)
        waveform, silence = nothing_said(count, recorded.sample_rate, chance.generator)
        drawn = {"silence": silence}
    else:
        waveform, drawn = chain(perturb_speed(recorded, chance.speed), chance.generator)
    shift = front_end.extractor.settings.shift_seconds
    masks = draw_masks(
        front_end.raw_features(waveform, str(utterance.audio_path)),
        settings,
        frames_per_second=1 / shift,
        generator=chance.generator,
    )
    warp = {"warp": f"{masks.stretch:.3f}"} if settings.frequency_warp else {}
    words = {"speed": f"{chance.speed:g}", **drawn, **warp, "masks": _masks_in_words(masks, shift)}
    return Heard(words, recorded, waveform, masks)


def write_waveform(path: Path, waveform: Waveform) -> None:
    """Write a WAV file of 32-bit float samples: what is beyond full scale stays as it is."""
    with whole_file(path) as temporary:
        soundfile.write(
            temporary, waveform.samples, waveform.sample_rate, format="WAV", subtype="FLOAT"
        )


def draw_picture(path: Path, heard: Heard, front_end: FrontEnd) -> None:
    """Draw features as recorded, above those that the model hears, the masks in grey: a PNG.

    They are those before CMVN, in which levels and band limits show.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    colours = colormaps["magma"].with_extremes(bad="0.6")
    clean = front_end.raw_features(heard.recorded, "recording")
    panels = {"as recorded": clean, "as the model hears it": _masked(heard, front_end)}
    low, high = torch.quantile(clean.flatten()[:: 1 + clean.numel() // 10**6], _RANGE).tolist()
    shift = front_end.extractor.settings.shift_seconds
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, sharex=True)
    for axis, (title, features) in zip(axes, panels.items(), strict=True):
        image = axis.imshow(
            features.T.numpy(),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0, shift * len(features), 0, features.shape[1]),
            vmin=low,
            vmax=high,
            cmap=colours,
        )
        axis.set(title=title, ylabel="feature")
    axes[-1].set_xlim(0, shift * max(map(len, panels.values())))
    axes[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, label="value before normalisation")
    lines = [f"{name}: {words}" for name, words in heard.drawn.items()]
    figure.suptitle("\n".join(lines), fontsize="small")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _masked(heard: Heard, front_end: FrontEnd) -> Tensor:
    """Features (T, F) with the warp, and no number where there is a mask."""
    features = front_end.raw_features(heard.waveform, "augmented recording")
    warped = warp_frequencies(features, heard.masks.stretch)
    for start, stop in heard.masks.bins:
        warped[:, start:stop] = torch.nan
    for start, stop in heard.masks.frames:
        warped[start:stop] = torch.nan
    return warped


def _masks_in_words(masks: Masks, shift_seconds: float) -> str:
    bins = [f"{start} to {stop - 1}" for start, stop in sorted(masks.bins) if stop > start]
    frames = {frame for start, stop in masks.frames for frame in range(start, stop)}
    seconds = shift_seconds * len(frames)
    return f"features {', '.join(bins) or 'none'}; {seconds:.2f} s of the time"
