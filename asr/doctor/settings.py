"""Settings of the data doctor: what makes an utterance unusable, and what is worth a word."""

from pydantic import Field

from asr.settings import Settings


class CheckSettings(Settings):
    """What makes an utterance unusable, and how many such are borne."""

    max_bad_fraction: float = Field(default=0.01, ge=0, le=1)  # more unusable ones stop
    min_seconds: float = Field(default=0.1, ge=0)  # shorter recordings hold no word
    # Longer ones do not fit in a training batch.
    max_seconds: float = Field(default=40.0, gt=0, allow_inf_nan=True)


class Limits(Settings):
    """Where findings begin that are only reported; no utterance is left out for them."""

    clipped_share: float = Field(default=0.001, ge=0, le=1)  # of the samples of a channel
    dc_offset: float = Field(default=0.1, ge=0)  # mean of the samples, in parts of their RMS
    unused_seconds: float = Field(
        default=0.5, ge=0
    )  # less is a codec's padding, or trimmed silence
    # Robust standard deviations of log(characters per second) from the median.
    rate_deviations: float = Field(default=5.0, gt=0)
    normalised_share: float = Field(default=0.9, gt=0, le=1)  # then the others stand out
    repeated_words: int = Field(default=4, ge=1)  # shorter texts are said twice by chance
    rare_character_share: float = Field(default=1e-4, ge=0, le=1)  # of all characters
    # Robust standard deviations of a transcript's excess loss above that of the others.
    suspect_deviations: float = Field(default=5.0, gt=0)


class Thresholds(CheckSettings, Limits):
    """All numbers that `asr check` holds utterances against."""

    # A recipe bears one in a hundred, because it leaves them out; here nothing is left out.
    max_bad_fraction: float = Field(default=0.0, ge=0, le=1)
