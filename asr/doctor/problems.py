"""The problems that the data doctor knows, by name, and what to do about each."""

from typing import Literal, NamedTuple

from asr.errors import AudioProblem

Problem = (
    AudioProblem
    | Literal["too-short", "too-long", "no-text", "empty-text", "unknown-characters", "infeasible"]
    | Literal["bad-line", "duplicate-id"]
    | Literal["unused-audio", "clipped", "dc-shifted", "dead-channel", "other-channels"]
    | Literal["other-rate", "low-rate", "wrong-rate"]
    | Literal["digits", "not-normalised", "speaking-rate", "lm-oov", "rare-character"]
    | Literal["duplicate-audio", "duplicate-text", "leak-speaker", "leak-audio", "leak-text"]
    | Literal["likely-wrong"]
)

ADVICE: dict[Problem, str] = {
    "unreadable": "copy the file again, or convert it to wav or flac",
    "empty-audio": "copy or record the file again",
    "cut-short": "copy the file again",
    "damaged": "copy the file again",
    "wrong-duration": "prepare the manifest again, or copy the file again",
    "silent": "check the microphone or the channel, or leave the utterance out",
    "not-finite": "convert or record the file again",
    "too-short": "check offset and duration, or lower min_seconds (in a recipe check.min_seconds)",
    "too-long": "cut the recording at pauses, or raise max_seconds (in a recipe check.max_seconds)",
    "no-text": "transcribe it, or leave the utterance out",
    "empty-text": "check the transcript and the normaliser, or leave the utterance out",
    "unknown-characters": "normalise or spell out the text, or train with text that has them",
    "infeasible": "check that text and audio belong together, or lower the subsampling factor",
    "bad-line": "mend the line; nothing reads a manifest that has it",
    "duplicate-id": "give each utterance an id of its own, or leave the later ones out",
    "unused-audio": "check duration: the file goes on, and the text may belong to all of it",
    "clipped": "record again at a lower level, or take the file from before it was made louder",
    "dc-shifted": "remove the offset (sox IN OUT highpass 20), and check the sound card",
    "dead-channel": "give the channel that has the sound; the mean of both is half as loud",
    "other-channels": "find out why; a file with the parties of a call apart is no plain stereo",
    "other-rate": "find out where they come from; they are resampled, but they sound different",
    "low-rate": "train at the lower rate, or leave them out: the upper frequencies are missing",
    "wrong-rate": "prepare the manifest again; the rate of the file counts",
    "digits": "spell numbers out as they were said; 1984 can be said in three ways",
    "not-normalised": "bring the text into the form of the others (Unicode NFC, case, marks)",
    "speaking-rate": "listen: text and audio may not belong together, or one of them goes on",
    "lm-oov": "check the spelling, or add the words to the text of the language model",
    "rare-character": "write it otherwise or leave it out; nobody learns it from so few examples",
    "duplicate-audio": "keep one of them, above all where one trains and the other tests",
    "duplicate-text": "keep different texts in train and test; check copied transcripts",
    "leak-speaker": "split by speaker, or say that the test is on known voices",
    "leak-audio": "leave it out of one of the sets: what was trained on cannot test",
    "leak-text": "split by text, or say that the test is on known sentences",
    "likely-wrong": "listen, and correct the transcript or leave it out",
}
# What is looked for only with an option of `asr check`.
SEEN_WITH: dict[str, str] = {"likely-wrong": "--model", "lm-oov": "--lm"}
# What is told once of several utterances, or of several sets.
OF_SEVERAL: frozenset[str] = frozenset(
    {"duplicate-text", "rare-character", "leak-speaker", "leak-audio", "leak-text"}
)
STILL_USABLE: frozenset[Problem] = frozenset(ADVICE) - {
    *("unreadable", "empty-audio", "cut-short", "damaged", "wrong-duration", "silent"),
    *("not-finite", "too-short", "too-long", "no-text", "empty-text", "unknown-characters"),
    *("infeasible", "bad-line", "duplicate-id"),
}


class Trouble(NamedTuple):
    """A problem of something, before it is said of what."""

    problem: Problem
    detail: str  # what came and what was expected, with the numbers
    number: float | None = None  # what was measured, where it is one number
    threshold: float | None = None  # what it was held against
