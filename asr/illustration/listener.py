"""Pictures with what a model makes of the sound; torch is needed here, and not beside it."""

from pathlib import Path
from typing import Self

from asr.bundle import load_bundle, model_folder
from asr.decoding.confidence import Calibration
from asr.decoding.folder import read_decoder
from asr.illustration.emissions import Emissions, spelled
from asr.illustration.illustrator import Illustrator, Subject
from asr.illustration.picture import WordRow, draw_picture
from asr.recognizer import Recognizer


class ModelIllustrator(Illustrator):
    """Draws the sound of utterances, what a model emits, and when it finds words said."""

    def __init__(self, recognizer: Recognizer, calibration: Calibration) -> None:
        """`calibration` turns what the model is sure of into confidences."""
        self._recognizer, self._calibration = recognizer, calibration

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Take the model of a folder, on the CPU. Raises ModelError where it has none."""
        described = read_decoder(model_folder(folder))
        calibration = described.calibration if described else Calibration()
        return cls(Recognizer(load_bundle(folder)), calibration)

    def draw(self, subject: Subject) -> str:
        """Draw one, as markup.

        What was said stands below what was heard, where the model could tell them apart.

        Raises:
            AudioError: the recording cannot be used.
        """
        bundle = self._recognizer.bundle
        model, said = bundle.text_side, subject.utterance.text
        sound = bundle.front_end.load(subject.utterance)
        features = bundle.front_end.features(sound, str(subject.utterance.audio_path))
        (log_probs,) = self._recognizer.log_probs([features])
        emissions = Emissions(log_probs, model, self._calibration)
        rows = [WordRow("heard", subject.words or emissions.words_of(subject.heard))]
        if said is not None and spelled(said, model) != spelled(subject.heard, model):
            rows.append(WordRow("said", emissions.words_of(said)))
        return draw_picture(sound, rows, emissions.probabilities(subject.heard))
