"""What the tests of language models share."""

from collections.abc import Callable, Sequence

import pytest

from asr.lm.counts import count_ngrams
from asr.lm.kneser_ney import Estimate, estimate
from asr.lm.text import number_words

Estimator = Callable[..., Estimate]


@pytest.fixture(scope="session")
def estimate_on() -> Estimator:
    """Sentences -> a model of an order."""

    def run(sentences: Sequence[str], order: int, cutoffs: Sequence[int] = ()) -> Estimate:
        text, words = number_words(["\n".join([*sentences, ""])])
        counted = count_ngrams(text, order, vocabulary=len(words))
        return estimate(counted, words, cutoffs=cutoffs)

    return run
