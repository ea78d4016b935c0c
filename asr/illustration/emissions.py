"""What a model emits of an utterance: probabilities frame by frame, and when words were said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from asr.bundle import ModelText
from asr.decoding.alignment import TokenSpan, align_tokens, align_words
from asr.decoding.confidence import Calibration
from asr.decoding.hypothesis import Hypothesis, Word
from asr.errors import DataError
from asr.tokens import TokenTable

HEIGHT = 100  # of a curve of probability 1, in units of its path
_SEEN = 0.05  # a token that is never more probable has no curve
_FLAT = 0.005  # what is less probable lies on the axis


@dataclass(frozen=True)
class Curve:
    """The probability of one token over the frames."""

    token: int
    symbol: str
    path: str  # `d` of an SVG path: x is the encoder frame, y falls from HEIGHT to 0


@dataclass(frozen=True)
class Emissions:
    """What a model emits of one utterance."""

    log_probs: Tensor  # (U, V), valid frames only
    model: ModelText
    calibration: Calibration

    @property
    def frames(self) -> int:
        """Encoder frames, U."""
        return len(self.log_probs)

    def curves(self) -> list[Curve]:
        """A curve for each token that is ever probable; that of the blank comes first."""
        probabilities = self.log_probs.float().exp().cpu().numpy()
        seen = [
            token for token, most in enumerate(probabilities.max(0)) if token == 0 or most >= _SEEN
        ]
        symbols = self.model.tokens.symbols
        return [
            Curve(token, symbols[token], _curve_path(probabilities[:, token])) for token in seen
        ]

    def tokens_of(self, text: str) -> list[TokenSpan]:
        """When each token of a text was said; nothing where it does not fit into the frames."""
        try:
            return align_tokens(self.log_probs, self._hypothesis(text).tokens)
        except DataError:
            return []

    def words_of(self, text: str) -> list[Word] | None:
        """When each word of a text was said, and how sure that is.

        None where it does not fit into the frames.
        """
        try:
            spans = align_words(self.log_probs, self._hypothesis(text), self.model.tokens)
        except DataError:
            return None
        seconds = self.model.frame_seconds
        return [
            Word(one.text, one.start * seconds, one.end * seconds, self.calibration(one.log_prob))
            for one in spans
        ]

    def _hypothesis(self, text: str) -> Hypothesis:
        known = " ".join(spelled(text, self.model).split())
        return Hypothesis(known, tuple(self.model.tokens.encode(known)), (), 0.0)


def spelled(text: str, model: ModelText) -> str:
    """A text as a model could emit it: normalised, without the characters that it does not know."""
    return model.tokens.without_unknown(model.normalizer(text))


def written(symbol: str, tokens: TokenTable) -> str:
    """A token as it is shown: a space visible."""
    return "␣" if tokens.space is not None and symbol == tokens.symbols[tokens.space] else symbol


def _curve_path(probabilities: NDArray[np.float32]) -> str:
    """Only the frames in which a token is at all probable, each run from the axis and back."""
    raised = np.flatnonzero(probabilities >= _FLAT)
    if not len(raised):
        return ""
    runs: Sequence[NDArray[np.intp]] = np.split(raised, np.flatnonzero(np.diff(raised) > 1) + 1)
    parts = []
    for run in runs:
        heights = [f"{frame},{HEIGHT * (1 - probabilities[frame]):.0f}" for frame in run]
        parts.append(f"M{run[0] - 1},{HEIGHT} {' '.join(heights)} {run[-1] + 1},{HEIGHT}")
    return "".join(parts)
