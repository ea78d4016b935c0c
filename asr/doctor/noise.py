"""The signal-to-noise ratio of recordings, as far as they can be heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr.audio import estimate_snr, load_audio
from asr.doctor.listening import progress_bar
from asr.errors import AsrError, AudioError, one_line
from asr.manifest import Utterance


@dataclass(frozen=True)
class Noise:
    """What came of measuring, by utterance id."""

    ratios: Mapping[str, float | None]  # dB; None: not known, too short or not to be heard
    errors: Mapping[str, AsrError]  # of the recordings that cannot be heard


def measure_noise(utterances: Sequence[Utterance]) -> Noise:
    """Estimate the ratio of speech to noise in each recording."""
    ratios: dict[str, float | None] = {}
    errors: dict[str, AsrError] = {}
    with progress_bar() as bar:
        for one in bar.track(utterances, description="signal to noise"):
            # A manifest says 0 where the recording is to be heard to its end.
            seconds = one.duration or None
            try:
                heard = load_audio(one.audio_path, offset=one.offset, duration=seconds)
            except AudioError as error:
                errors[one.id] = error
            except OSError as error:
                errors[one.id] = AudioError(f"{one.audio_path}: cannot be read: {one_line(error)}")
            else:
                ratios[one.id] = estimate_snr(heard)
    return Noise({one.id: ratios.get(one.id) for one in utterances}, errors)
