"""The chain of effects on a waveform, in the order of nature: room, noise, gain, channel."""

from collections.abc import Mapping
from typing import Protocol

import torch

from asr.audio import Waveform
from asr.augment.draw import uniform
from asr.augment.recordings import Recording, read_recordings
from asr.augment.settings import AugmentSettings, BandSettings, NoiseSettings, ReverbSettings
from asr.augment.waveform import (
    add_noise,
    change_gain,
    coloured_noise,
    cut_or_loop,
    limit_band,
    reverberate,
    room_response,
)
from asr.errors import ConfigError

_LONGEST_RESPONSE = 10.0  # seconds; what is longer was hardly meant as an impulse response


class Effect(Protocol):
    """Something that may happen to a waveform on its way to the microphone and beyond."""

    name: str
    probability: float

    def __call__(self, waveform: Waveform, generator: torch.Generator) -> tuple[Waveform, str]:
        """Return a new waveform, as long as before, and in words what was drawn for it."""


class WaveformChain:
    """All effects that the settings ask for, the user's recordings in memory."""

    def __init__(self, settings: AugmentSettings, sample_rate: int) -> None:
        """Raises ConfigError or AudioError where the user's folders cannot be used."""
        self._effects: list[Effect] = []
        if settings.reverb is not None:
            self._effects.append(_Reverb(settings.reverb, sample_rate))
        if settings.noise is not None:
            self._effects.append(_Noise(settings.noise, sample_rate))
        if settings.gain_db is not None:
            self._effects.append(_Gain(settings.gain_db))
        if settings.band is not None:
            self._effects.append(_Band(settings.band, sample_rate))

    def __len__(self) -> int:
        """Number of effects; with none of them nothing is drawn and nothing changes."""
        return len(self._effects)

    def __call__(
        self, waveform: Waveform, generator: torch.Generator
    ) -> tuple[Waveform, Mapping[str, str]]:
        """Draw and apply the effects.

        Args:
            waveform: at the chain's sample rate.
            generator: the source of chance; the same state always makes the same sound.

        Returns:
            The waveform, as long as before, and by effect in words what was drawn.
        """
        drawn = {}
        for effect in self._effects:
            if uniform((0.0, 1.0), generator) < effect.probability:
                waveform, drawn[effect.name] = effect(waveform, generator)
            else:
                drawn[effect.name] = f"not this time (probability {effect.probability:g})"
        return waveform, drawn


class _Reverb:
    name = "reverb"

    def __init__(self, settings: ReverbSettings, sample_rate: int) -> None:
        self.probability = settings.probability
        self._settings = settings
        self._responses = _read(settings.folder, sample_rate, self.name, _LONGEST_RESPONSE)

    def __call__(self, waveform: Waveform, generator: torch.Generator) -> tuple[Waveform, str]:
        if self._responses:
            chosen = _choose(self._responses, generator)
            return reverberate(waveform, chosen.waveform.samples), f"the room of {chosen.name}"
        rt60 = uniform(self._settings.rt60, generator)
        direct = uniform(self._settings.direct_db, generator)
        rate = waveform.sample_rate
        response = room_response(rt60, direct, sample_rate=rate, generator=generator)
        words = f"RT60 {rt60:.2f} s, direct sound {direct:+.1f} dB over the reverberation"
        return reverberate(waveform, response), words


class _Noise:
    name = "noise"

    def __init__(self, settings: NoiseSettings, sample_rate: int) -> None:
        self.probability = settings.probability
        self._snr = settings.snr
        self._recordings = _read(settings.folder, sample_rate, self.name)

    def __call__(self, waveform: Waveform, generator: torch.Generator) -> tuple[Waveform, str]:
        snr = uniform(self._snr, generator)
        count = len(waveform.samples)
        if self._recordings:
            chosen = _choose(self._recordings, generator)
            place = uniform((0.0, 1.0), generator)
            noise, source = cut_or_loop(chosen.waveform.samples, count, place), chosen.name
        else:
            colour = uniform((0.0, 2.0), generator)
            noise = coloured_noise(count, colour, generator=generator)
            source = f"generated, power falling as 1/f^{colour:.2f}"
        return add_noise(waveform, noise, snr), f"SNR {snr:.1f} dB, {source}"


class _Gain:
    name = "gain"
    probability = 1.0

    def __init__(self, decibels: tuple[float, float]) -> None:
        self._decibels = decibels

    def __call__(self, waveform: Waveform, generator: torch.Generator) -> tuple[Waveform, str]:
        decibels = uniform(self._decibels, generator)
        return change_gain(waveform, decibels), f"{decibels:+.1f} dB"


class _Band:
    name = "band"

    def __init__(self, settings: BandSettings, sample_rate: int) -> None:
        self.probability = settings.probability
        self._low, self._high = settings.low_hz, settings.high_hz
        if self._low[1] >= sample_rate / 2:
            raise ConfigError(
                f"augment.band.low_hz: {self._low[1]:g} Hz leaves nothing to hear at a sample rate "
                f"of {sample_rate} Hz; expected less than {sample_rate / 2:g}"
            )

    def __call__(self, waveform: Waveform, generator: torch.Generator) -> tuple[Waveform, str]:
        low, high = uniform(self._low, generator), uniform(self._high, generator)
        return limit_band(waveform, low, high), f"{low:.0f} to {high:.0f} Hz"


def _read(
    folder: str | None, sample_rate: int, section: str, longest_seconds: float = float("inf")
) -> list[Recording]:
    if folder is None:
        return []
    key = f"augment.{section}.folder"
    return read_recordings(folder, sample_rate, key=key, longest_seconds=longest_seconds)


def _choose(recordings: list[Recording], generator: torch.Generator) -> Recording:
    return recordings[int(torch.randint(len(recordings), (), generator=generator))]
