"""What the report of a scored set shows beside the scores: players, pictures, confidences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr.errors import AsrError
from asr.illustration.illustrator import Illustrator, Subject, timed_words
from asr.manifest import Utterance
from asr.pages import refer_to_recording
from asr.scoring.analysis import Analysis
from asr.scoring.report import Reported
from asr.scoring.rows import choose_utterances, word_confidences
from asr.scoring.slices import usual_slices
from asr.scoring.test_set import System, TestSet
from asr.text import Normalizer

PICTURES = 20  # of each set, where nothing else is said


@dataclass(frozen=True)
class Exhibition:
    """Makes what goes into one page."""

    folder: Path  # of the page, from which recordings are seen
    normalizer: Normalizer  # of the scores
    utterances: Sequence[Utterance]  # those of the references; none where there are no recordings
    pictures: int = PICTURES
    illustrator: Illustrator = field(default_factory=Illustrator)

    def report(
        self, test_set: TestSet, system: System, analysis: Analysis
    ) -> tuple[Reported, Mapping[str, AsrError]]:
        """Put together what is shown of one system, and what pictures failed with, by id."""
        scored = analysis.scored
        known = {utterance.id: utterance for utterance in self.utterances}
        subjects = [
            Subject(known[key], system.texts[key], timed_words(_words(system, key)))
            for key in choose_utterances(scored, self.pictures)
            if key in known
        ]
        pictures = self.illustrator.draw_all(subjects)
        reported = Reported(
            scored=scored,
            slices=analysis.slices or usual_slices(scored, test_set.attributes),
            vocabulary=analysis.vocabulary,
            oracle=analysis.oracle,
            confidences=word_confidences(scored, system.attributes, self.normalizer),
            recordings={key: self._address(one) for key, one in known.items()},
            seconds={
                key: seconds
                for key, attributes in test_set.attributes.items()
                if isinstance(seconds := attributes.get("duration"), int | float)
            },
            pictures=pictures.drawn,
        )
        return reported, pictures.errors

    def _address(self, utterance: Utterance) -> str:
        return refer_to_recording(
            utterance.audio_path,
            self.folder,
            offset=utterance.offset,
            duration=utterance.duration,
        )


def describe_failures(errors: Mapping[str, AsrError], what: str) -> str:
    """One line on the utterances that are not drawn, for stderr."""
    key, error = next(iter(errors.items()))
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{what}: not drawn: {key}: {error}{more}"


def _words(system: System, key: str) -> object:
    return system.attributes.get(key, {}).get("words")
