"""N-best lists of a search, ranked again: by all paths of each text, and a second language model.

A search adds up the paths that its beam has kept; of a text that it has found, all can be.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import Field
from torch import Tensor

from asr.decoding.beam import BeamDecoder
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import log_likelihoods, penalize_blank, spoken_tokens
from asr.settings import Settings
from asr.tokens import TokenTable


class RescoringSettings(Settings):
    """How much each model counts when n-best lists are ranked again."""

    nbest: int = Field(default=100, ge=1)
    lm_weight: float = 0.0  # of the n-gram model
    rnn_weight: float = 0.0  # of the recurrent one; 0: there is none
    word_bonus: float = 0.0  # nats a word


class Rescorer:
    """A search with n-grams, and second thoughts about the order of what it has found."""

    def __init__(
        self,
        decoder: BeamDecoder,
        tokens: TokenTable,
        settings: RescoringSettings,
        language_model: Callable[[Sequence[str]], Sequence[float]] | None = None,
    ) -> None:
        """What to rank, and by what.

        Args:
            decoder: gives the n-best lists.
            tokens: the table that the texts are spelled with.
            settings: the weights.
            language_model: texts -> their log-probabilities, in nats; None: there is no second one.
        """
        longest = max(settings.nbest, decoder.settings.nbest)
        width = decoder.settings.model_copy(update={"nbest": longest})
        self._decoder, self._language_model = decoder.with_settings(width), language_model
        self._tokens, self._settings = tokens, settings

    def __call__(self, log_probs: Tensor) -> list[Hypothesis]:
        """Decode one utterance.

        Args:
            log_probs: (U, V), valid frames only.

        Returns:
            The hypotheses of the search by their new scores, the best first.
        """
        found = self._decoder(log_probs)
        texts, second = [one.text for one in found], self._language_model
        rows = penalize_blank(log_probs, self._decoder.settings.blank_penalty)
        scores = [
            acoustic
            + self._settings.lm_weight * self._decoder.language_log_prob(text)
            + self._settings.rnn_weight * neural
            + self._settings.word_bonus * len(text.split())
            for text, acoustic, neural in zip(
                texts,
                log_likelihoods(rows, [spoken_tokens(one, self._tokens) for one in found]),
                [0.0] * len(texts) if second is None else second(texts),
                strict=True,
            )
        ]
        ranked: Sequence[int] = sorted(range(len(found)), key=lambda one: -scores[one])
        return [replace(found[one], score=scores[one]) for one in ranked]
