"""From utterances and what was recognised in them to pictures, with a model or without."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from asr.audio import load_audio
from asr.bundle import load_bundle, model_folder
from asr.decoding.confidence import Calibration
from asr.decoding.folder import read_decoder
from asr.decoding.hypothesis import Word
from asr.errors import AsrError
from asr.illustration.emissions import Emissions, spelled
from asr.illustration.picture import WordRow, draw_picture
from asr.manifest import Utterance
from asr.recognizer import Recognizer


@dataclass(frozen=True)
class Subject:
    """One utterance to be drawn."""

    utterance: Utterance
    heard: str  # what was recognised
    words: Sequence[Word] = field(default=())  # of it, with times, where a system gave them


@dataclass(frozen=True)
class Pictures:
    """Pictures by utterance id, and what some of the utterances failed with."""

    drawn: Mapping[str, str]
    errors: Mapping[str, AsrError]


class Illustrator:
    """Draws utterances."""

    def __init__(
        self, recognizer: Recognizer | None = None, calibration: Calibration | None = None
    ) -> None:
        """Without a recognizer there are no probabilities and no times but those given."""
        self._recognizer = recognizer
        self._calibration = calibration or Calibration()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Draw with the model of a folder, on the CPU. Raises ModelError where it has none."""
        described = read_decoder(model_folder(folder))
        calibration = described.calibration if described else None
        return cls(Recognizer(load_bundle(folder)), calibration)

    def draw_all(self, subjects: Iterable[Subject]) -> Pictures:
        """Draw many; what one of them fails with is kept beside the pictures."""
        drawn: dict[str, str] = {}
        errors: dict[str, AsrError] = {}
        for subject in subjects:
            try:
                drawn[subject.utterance.id] = self.draw(subject)
            except AsrError as error:
                errors[subject.utterance.id] = error
        return Pictures(drawn, errors)

    def draw(self, subject: Subject) -> str:
        """Draw one, as markup.

        Raises:
            AudioError: the recording cannot be used.
        """
        utterance = subject.utterance
        if self._recognizer is None:
            whole = utterance.offset == 0.0 and utterance.duration == 0.0
            sound = load_audio(
                utterance.audio_path,
                offset=utterance.offset,
                duration=None if whole else utterance.duration,
            )
            rows = [WordRow("heard", subject.words)] if subject.words else []
            return draw_picture(sound, rows, None, subject.heard)
        bundle = self._recognizer.bundle
        sound = bundle.front_end.load(utterance)
        features = bundle.front_end.features(sound, str(utterance.audio_path))
        (log_probs,) = self._recognizer.log_probs([features])
        emissions = Emissions(log_probs, bundle.text_side, self._calibration)
        rows = [WordRow("heard", subject.words or emissions.words_of(subject.heard))]
        said = utterance.text
        if said is not None and spelled(said, bundle.text_side) != spelled(
            subject.heard, bundle.text_side
        ):
            rows.append(WordRow("said", emissions.words_of(said)))
        return draw_picture(sound, rows, emissions, subject.heard)


def timed_words(records: Any) -> list[Word]:
    """The words of a hypothesis file; none where they have no times or no confidences."""
    try:
        return [
            Word(str(one["text"]), float(one["start"]), float(one["end"]), float(one["confidence"]))
            for one in records or ()
        ]
    except (TypeError, KeyError, ValueError):
        return []
