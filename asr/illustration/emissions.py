"""What a model emits of an utterance: probabilities frame by frame, and when words were said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from asr.bundle import ModelText
from asr.decoding.alignment import TokenSpan, align_tokens, align_words
from asr.decoding.confidence import Calibration
from asr.decoding.hypothesis import Hypothesis, Word
from asr.errors import DataError
from asr.illustration.picture import CURVE_HEIGHT, Curve, PlacedToken, Probabilities

# After Okabe & Ito's, which the colour-blind tell apart; dark and pale ones moved to the middle,
# since they stand on light and on dark.
_COLOURS = ("#3a86c8", "#d55e00", "#009e73", "#cc79a7", "#b98900", "#22a7b8")
_SEEN = 0.05  # a token that is never more probable has no curve
_FLAT = 0.005  # what is less probable lies on the axis


@dataclass(frozen=True)
class Emissions:
    """What a model emits of one utterance."""

    log_probs: Tensor  # (U, V), valid frames only
    model: ModelText
    calibration: Calibration

    def probabilities(self, text: str) -> Probabilities:
        """A curve for each token that is ever probable, and where the tokens of a text were said.

        There are no tokens where the text does not fit into the frames.
        """
        probabilities = self.log_probs.float().exp().cpu().numpy()
        spans, seconds = self._tokens_of(text), self.model.frame_seconds
        seen = [number for number, most in enumerate(probabilities.max(0)) if most >= _SEEN]
        colours = _colours([*(span.token for span in spans), *seen])
        curves = [
            Curve(self._symbol(token), colours.get(token), _curve_path(probabilities[:, token]))
            for token in seen
        ]
        tokens = [
            PlacedToken(
                self._symbol(one.token), colours[one.token], seconds * (one.start + one.end) / 2
            )
            for one in spans
        ]
        return Probabilities(len(probabilities), len(probabilities) * seconds, curves, tokens)

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

    def _tokens_of(self, text: str) -> list[TokenSpan]:
        try:
            return align_tokens(self.log_probs, self._hypothesis(text).tokens)
        except DataError:
            return []

    def _symbol(self, token: int) -> str:
        """A token as it is shown: a space visible."""
        return "␣" if token == self.model.tokens.space else self.model.tokens.symbols[token]

    def _hypothesis(self, text: str) -> Hypothesis:
        known = " ".join(spelled(text, self.model).split())
        return Hypothesis(known, tuple(self.model.tokens.encode(known)), (), 0.0)


def spelled(text: str, model: ModelText) -> str:
    """A text as a model could emit it: normalised, without the characters that it does not know."""
    return model.tokens.without_unknown(model.normalizer(text))


def _colours(tokens: Iterable[int]) -> dict[int, str]:
    """A colour for each token but the blank; the first tokens have the first ones."""
    order = dict.fromkeys(token for token in tokens if token)
    return {token: _COLOURS[number % len(_COLOURS)] for number, token in enumerate(order)}


def _curve_path(probabilities: NDArray[np.float32]) -> str:
    """Only the frames in which a token is at all probable, each run from the axis and back."""
    raised = np.flatnonzero(probabilities >= _FLAT)
    if not len(raised):
        return ""
    last = len(probabilities) - 1
    runs: Sequence[NDArray[np.intp]] = np.split(raised, np.flatnonzero(np.diff(raised) > 1) + 1)
    parts = []
    for run in runs:
        heights = [f"{frame},{CURVE_HEIGHT * (1 - probabilities[frame]):.0f}" for frame in run]
        begin, end = max(run[0] - 1, 0), min(run[-1] + 1, last)
        parts.append(f"M{begin},{CURVE_HEIGHT} {' '.join(heights)} {end},{CURVE_HEIGHT}")
    return "".join(parts)
