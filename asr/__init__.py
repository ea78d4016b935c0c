"""A speech recogniser people train themselves.

    recording ─ audio ─ features ─ encoder ─ decoding ─ scoring
      file     Waveform  (T, F)   log-probs  hypothesis  WER

`asr.audio` reads recordings, `asr.features` turns them into frames, `asr.encoder` turns frames
into log-probabilities of tokens, `asr.decoding` turns those into text, `asr.scoring` counts errors.
`asr.recipe` runs the whole way in stages; `asr.cli` is the command line. From Python:

    from asr import load_model
    transcript = load_model("exp/digits").transcribe("a.wav")
    transcript.text, transcript.words    # words with start, end and confidence
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.transcription.transcriber import Transcriber

__version__ = "0.1.0"


def load_model(folder: str | Path | None = None, *, device: str = "auto") -> "Transcriber":
    """Open a model to transcribe with.

    Args:
        folder: of the model, or of the experiment that made it; None: that which comes with asr.
        device: auto, cpu, cuda or mps.

    Raises:
        ModelError: it cannot be used.
        ConfigError: there is no such device.
    """
    from asr.shipped import choose_model
    from asr.training.distributed import choose_device
    from asr.transcription.transcriber import Transcriber

    return Transcriber.load(choose_model(folder), choose_device(device))
