"""What tuning measures of a model, for its card: error rates by mode of decoding, and speed."""

from collections.abc import Sequence
from typing import Any

from asr.scoring.scored import ScoredSet, score_set
from asr.text import Normalizer
from asr.training.distributed import usable_cores
from asr.tuning.model import DevelopmentSet, TunedDecoder


def measured_card(
    dev: DevelopmentSet, tuned: TunedDecoder, *, device: str, weights: str
) -> dict[str, Any]:
    """Figures of the development set, with 95 % intervals over its speakers.

    Args:
        dev: what was tuned on.
        tuned: what came of it.
        device: where the model computed.
        weights: how they are stored, and were when this was measured.
    """
    scored = {mode: _score(dev, texts) for mode, texts in tuned.texts.items()}
    audio = max(dev.audio_seconds, 1e-9)
    speed = {mode: (dev.model_seconds + took) / audio for mode, took in tuned.seconds.items()}
    cores = usable_cores()
    return {
        "dev": {
            "utterances": len(dev.references),
            "words": sum(len(text.split()) for text in dev.references),
            "modes": {mode: _rates(one) for mode, one in scored.items()},
        },
        "calibration_error": tuned.calibration_errors[1],
        "real_time_factor": {
            "modes": {mode: float(f"{value:.3g}") for mode, value in speed.items()},
            "on": f"{cores} CPU core{'s' if cores > 1 else ''}"
            + ("" if device == "cpu" else f" and {device}"),
        },
        "measured_with": weights,
    }


def _score(dev: DevelopmentSet, texts: Sequence[str]) -> ScoredSet:
    names = [str(number) for number in range(len(texts))]
    return score_set(
        "dev",
        dict(zip(names, dev.references, strict=True)),
        dict(zip(names, texts, strict=True)),
        normalizer=Normalizer("none"),
        speakers=dict(zip(names, dev.speakers, strict=False)),
    )


def _rates(scored: ScoredSet) -> dict[str, Any]:
    return {
        "wer": scored.summary.words.rate,
        "wer_interval": list(scored.intervals.words),
        "cer": scored.summary.characters.rate,
        "cer_interval": list(scored.intervals.characters),
    }
