"""The errors a user can cause.

    AsrError            the root: the command line prints it on one line and exits with status 2
    ├── ConfigError     a recipe, a setting or a command-line option
    ├── DataError       a manifest, a transcript or a corpus
    ├── AudioError      one recording
    └── ModelError      a model folder or a checkpoint
        └── DivergenceError   training came to numbers that are not finite

Every message says where, what came, what was expected, and what to do.
"""

from typing import Literal


class AsrError(Exception):
    """Something the user gave cannot be used; the message says where, what, and what to do."""


class ConfigError(AsrError):
    """A recipe, a setting or a command-line option is wrong."""


class DataError(AsrError):
    """A manifest, a transcript or a corpus is wrong."""


AudioProblem = Literal[
    "unreadable", "empty-audio", "cut-short", "damaged", "wrong-duration", "silent", "not-finite"
]


class AudioError(AsrError):
    """One recording cannot be used; `problem` says what kind of trouble it is, for counting."""

    def __init__(
        self,
        message: str,
        problem: AudioProblem = "unreadable",
        *,
        number: float | None = None,
        threshold: float | None = None,
    ) -> None:
        """`message` names the file first; `number` is what was measured, against `threshold`."""
        super().__init__(message)
        self.problem = problem
        self.number = number
        self.threshold = threshold


class ModelError(AsrError):
    """A model folder or a checkpoint cannot be used."""


class DivergenceError(ModelError):
    """Training came to numbers that are not finite, and stays there."""


class Stopped(KeyboardInterrupt):
    """The user asked to stop, and what was done is saved: not an error, the exit status is 0."""


def one_line(error: BaseException, most: int = 200) -> str:
    """What another library's error says, on one line and cut where it grows too long."""
    words = " ".join(str(error).split())
    return words if len(words) <= most else f"{words[:most]}…"
