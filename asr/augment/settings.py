"""Augmentation settings: what is varied, and how much."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from asr.settings import Settings


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the first ({ends[0]:g}) must not be above the second ({ends[1]:g})")
    return ends


_Decibels = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_rising)]
_Seconds = Annotated[float, Field(ge=0.01, le=10)]
_Hertz = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Frequencies = Annotated[tuple[_Hertz, _Hertz], AfterValidator(_rising)]
_Probability = Annotated[float, Field(ge=0, le=1)]


class ReverbSettings(Settings):
    """Rooms. Ranges are drawn from evenly."""

    probability: _Probability = 0.5  # that an utterance is heard in a room
    folder: str | None = None  # of impulse responses; None: they are generated from the next two
    # Seconds in which the sound of a room falls by 60 dB.
    rt60: Annotated[tuple[_Seconds, _Seconds], AfterValidator(_rising)] = (0.2, 0.8)
    direct_db: _Decibels = (0.0, 12.0)  # energy of the direct sound over that of the reverberation


class NoiseSettings(Settings):
    """Additive noise."""

    probability: _Probability = 0.5  # that an utterance has it
    snr: _Decibels = (5.0, 30.0)  # dB, drawn evenly
    folder: str | None = None  # of recordings; None: noise of a random colour, white to brown


class BandSettings(Settings):
    """Band limits; as they stand, those of a telephone. Both ends are drawn evenly."""

    probability: _Probability = 0.5  # that an utterance has them
    low_hz: _Frequencies = (300.0, 300.0)  # 0: no lower limit
    high_hz: _Frequencies = (3400.0, 3400.0)  # from half the sample rate on: no upper limit

    @model_validator(mode="after")
    def _leave_a_band(self) -> Self:
        if self.low_hz[1] >= self.high_hz[0]:
            raise ValueError(
                f"low_hz (up to {self.low_hz[1]:g}) must stay below high_hz "
                f"(from {self.high_hz[0]:g})"
            )
        return self


class AugmentSettings(Settings):
    """How training utterances are varied; the defaults are mild."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        default=(0.9, 1.0, 1.1), min_length=1
    )  # drawn evenly
    # That noise is heard in the place of an utterance, and nothing is said: else a model that
    # normalises each utterance by itself makes words of any silence.
    silence: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    reverb: ReverbSettings | None = None  # None: off; so for the next three
    noise: NoiseSettings | None = None
    gain_db: _Decibels | None = None  # drawn evenly
    band: BandSettings | None = None
    frequency_warp: float = Field(default=0.0, ge=0, le=0.5)  # the most an axis is stretched
    frequency_masks: int = Field(default=2, ge=0)  # of SpecAugment, in each utterance
    frequency_mask_share: float = Field(default=0.2, ge=0, le=1)  # widest mask, of the bins
    time_masks_per_second: float = Field(default=0.5, ge=0)  # of SpecAugment
    time_mask_frames: int = Field(default=15, ge=0)  # widest mask

    @property
    def folders(self) -> tuple[str, ...]:
        """The user's folders of recordings, relative to the working directory."""
        named = (section.folder for section in (self.reverb, self.noise) if section)
        return tuple(folder for folder in named if folder)
