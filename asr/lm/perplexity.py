"""Perplexity: how many equally likely words a model hesitates between, on average."""

import math
from dataclasses import dataclass

from asr.errors import DataError
from asr.lm.counts import BEGIN, END, UNKNOWN, Numbers
from asr.lm.model import NgramModel


@dataclass(frozen=True)
class Perplexity:
    """What a model makes of a text; the end of a sentence is a word to be predicted, too."""

    words: int  # that were predicted, sentence ends included
    sentences: int
    unknown: int  # words that are not in the vocabulary
    nats: float  # -log-probability of all words; inf where a model has none for unknown ones
    known_nats: float  # of the words in the vocabulary

    @property
    def all(self) -> float:
        """Perplexity with unknown words predicted as <unk>."""
        return math.exp(self.nats / self.words)

    @property
    def known(self) -> float:
        """Perplexity of the words in the vocabulary alone."""
        return math.exp(self.known_nats / max(1, self.words - self.unknown))

    @property
    def unknown_rate(self) -> float:
        """Unknown words over all words, sentence ends not counted."""
        return self.unknown / max(1, self.words - self.sentences)


def measure_perplexity(model: NgramModel, text: Numbers, where: str = "the text") -> Perplexity:
    """Predict every word of a text.

    Args:
        model: whose numbers the words have.
        text: (N,) word numbers, sentence after sentence, each from BEGIN to END.
        where: it comes from, for the message.

    Raises:
        DataError: there is no sentence.
    """
    if len(text) == 0:
        raise DataError(
            f"{where}: no sentence to measure the perplexity of; expected sentences, one a line"
        )
    nats, unknown = -model.score(text), text == UNKNOWN
    return Perplexity(
        words=int((text != BEGIN).sum()),
        sentences=int((text == END).sum()),
        unknown=int(unknown.sum()),
        nats=float(nats.sum()),
        known_nats=float(nats[~unknown].sum()),
    )
