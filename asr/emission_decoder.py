"""From a model's emissions to words: the search, second thoughts, times, confidences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from asr.bundle import ModelText, model_folder, read_text_side
from asr.decoding.alignment import align_words
from asr.decoding.beam import BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.folder import load_decoder, read_decoder
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis, Word
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.decoding.rescoring import Rescorer
from asr.decoding.revision import Hotwords, Reviser
from asr.errors import ConfigError
from asr.rnnlm.model import load_rnn
from asr.tokens import describe_characters

Search = Callable[[Tensor], Sequence[Hypothesis]]

_WEIGHTS = ("lm_weight", "word_bonus")  # of a search, and of ranking again what it has found
_DRAFT_BEAM = 100  # the widest with which words are searched that may still change


@dataclass(frozen=True)
class DecodingOptions:
    """What a user wants otherwise than the model folder says."""

    greedy: bool = False  # whether to leave lexicon, language model and search alone
    search: Mapping[str, Any] = field(default_factory=dict)  # settings of the search
    hotwords: Hotwords | None = None  # hoped for; what the normaliser makes of them


class EmissionDecoder:
    """Decodes what one model emits."""

    def __init__(
        self,
        model: ModelText,
        search: Search | None = None,
        *,
        draft: Search | None = None,
        reviser: Reviser | None = None,
        calibration: Calibration | None = None,
        nbest: int = 1,
    ) -> None:
        """Decodes greedily, unless told otherwise.

        Args:
            model: its tokens, and how long its frames last.
            search: makes hypotheses of log-probabilities (U, V), the best first.
            draft: a faster one, for words that may still change; None: the same.
            reviser: has second thoughts about them.
            calibration: of the confidences of words.
            nbest: how many texts of a search are given, the best among them.
        """
        self._nbest = nbest
        self._model, self._search, self._draft = model, search, draft or search
        self._reviser = reviser
        self._calibration = calibration or Calibration()

    @classmethod
    def load(
        cls,
        folder: Path,
        options: DecodingOptions | None = None,
        model: ModelText | None = None,
    ) -> Self:
        """Make the decoder that is in a model folder.

        Args:
            folder: an experiment folder, a model folder, or the name of a model.
            options: of the search; None: as the folder says.
            model: the text side of that folder's model, where it has been read already.

        Raises:
            ModelError: it cannot be used.
            ConfigError: there is no such setting, or a hotword has characters without a token.
        """
        options = options or DecodingOptions()
        place, model = model_folder(folder), model or read_text_side(folder)
        described = read_decoder(place)
        tuned = described.settings if described else None
        search: Search | None = None
        draft: Search | None = None
        lexicon, nbest = None, 1
        if searches(folder, options):
            known = tuned.model_dump() if tuned else {}
            settings = BeamSettings.parse(known | dict(options.search), "search")
            nbest = settings.nbest
            if "lm_weight" in options.search and not (place / LANGUAGE_MODEL).exists():
                raise ConfigError(
                    f"{place}: has no language model to give a weight to; `asr tune` gives it one"
                )
            beam = load_decoder(place, model.tokens, settings)
            narrow = settings.model_copy(update={"beam": min(settings.beam, _DRAFT_BEAM)})
            search, draft, lexicon = beam, beam.with_settings(narrow), beam.lexicon
            if described is not None and described.rescoring is not None:
                # What was tuned for lists that are ranked again is another weight of the n-grams.
                given = {key: options.search[key] for key in _WEIGHTS if key in options.search}
                rescoring = described.rescoring.model_copy(update=given)
                second = load_rnn(place).log_probs if rescoring.rnn_weight else None
                search = Rescorer(beam, model.tokens, rescoring, second)
        penalty = described.spelling_penalty if described and lexicon is not None else None
        reviser = None
        if options.hotwords is not None or penalty is not None:
            reviser = Reviser(
                model.tokens,
                lexicon=lexicon,
                spelling_penalty=penalty,
                hotwords=_spellable(options.hotwords, model),
            )
        calibration = described.calibration if described else None
        return cls(
            model, search, draft=draft, reviser=reviser, calibration=calibration, nbest=nbest
        )

    def __call__(self, log_probs: Tensor) -> Hypothesis:
        """Decode one utterance.

        Args:
            log_probs: (U, V), valid frames only.
        """
        return self._decode(self._search, log_probs)

    def draft(self, log_probs: Tensor) -> Hypothesis:
        """Decode what may still change, faster: with a narrower beam, and not ranked again."""
        return self._decode(self._draft, log_probs)

    def _decode(self, search: Search | None, log_probs: Tensor) -> Hypothesis:
        if search is None:
            best, *others = [greedy_decode(log_probs, self._model.tokens)]
        else:
            best, *others = search(log_probs)[: self._nbest]
        if self._reviser is not None:
            best = self._reviser(best, log_probs)
        texts = tuple((one.text, one.score) for one in others if one.text != best.text)
        return replace(best, words=self._words(best, log_probs), others=texts)

    def _words(self, hypothesis: Hypothesis, log_probs: Tensor) -> tuple[Word, ...]:
        tokens, seconds = self._model.tokens, self._model.frame_seconds
        return tuple(
            Word(
                text=span.text,
                start=span.start * seconds,
                end=span.end * seconds,
                confidence=self._calibration(span.log_prob),
            )
            for span in align_words(log_probs, hypothesis, tokens)
        )


def searches(folder: Path, options: DecodingOptions | None = None) -> bool:
    """Whether decoding with a model folder is more than the best token of each frame."""
    options, described = options or DecodingOptions(), read_decoder(model_folder(folder))
    tuned = described is not None and described.settings is not None
    return not options.greedy and (tuned or bool(options.search))


def _spellable(hotwords: Hotwords | None, model: ModelText) -> Hotwords | None:
    if hotwords is None:
        return None
    texts = tuple(model.normalizer(text) for text in hotwords.texts)
    for text, given in zip(texts, hotwords.texts, strict=True):
        unknown = model.tokens.unknown(text)
        if unknown:
            raise ConfigError(
                f"hotword '{given}': the model has no token for {describe_characters(unknown)}; "
                "leave it out, or train with text that has them"
            )
        if not text:
            raise ConfigError(
                f"hotword '{given}': nothing is left of it after the normaliser "
                f"'{model.normalizer.name}'"
            )
    return Hotwords(texts, hotwords.bonus)
