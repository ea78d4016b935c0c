"""From utterances and what was recognised in them to pictures of their sound."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr.audio import load_audio
from asr.decoding.hypothesis import Word
from asr.errors import AsrError
from asr.illustration.picture import WordRow, draw_picture
from asr.manifest import Utterance


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
    """Draws the sound of utterances, and their words where a system gave times."""

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
        one = subject.utterance
        sound = load_audio(one.audio_path, offset=one.offset, duration=one.duration or None)
        rows = [WordRow("heard", subject.words)] if subject.words else []
        return draw_picture(sound, rows)


def timed_words(records: Any) -> list[Word]:
    """The words of a hypothesis file; none where they have no times or no confidences."""
    try:
        return [
            Word(str(one["text"]), float(one["start"]), float(one["end"]), float(one["confidence"]))
            for one in records or ()
        ]
    except (TypeError, KeyError, ValueError):
        return []
