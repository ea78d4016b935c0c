"""Beam search: the most probable texts, with or without a lexicon and a language model.

The search itself is flashlight's (Collobert et al. 2016), which holds n-gram models in KenLM
(Heafield 2011). What is maximised is

    log p(text | sound) + lm_weight * log p(text) + word_bonus * (number of words),

all logarithms natural; words are counted where there is a lexicon of them, and of each path
`blank_penalty` is taken for every frame of blank in it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import torch
from flashlight.lib.text.decoder import (
    CriterionType,
    LexiconDecoder,
    LexiconDecoderOptions,
    LexiconFreeDecoder,
    LexiconFreeDecoderOptions,
    SmearingMode,
    Trie,
    ZeroLM,
)
from flashlight.lib.text.dictionary import Dictionary
from pydantic import Field
from torch import Tensor

from asr.decoding.hypothesis import Hypothesis
from asr.decoding.language_model import open_language_model
from asr.decoding.lexicon import Lexicon
from asr.decoding.likelihood import penalize_blank
from asr.lm.counts import UNKNOWN
from asr.lm.text import SPECIAL
from asr.settings import Settings
from asr.tokens import TokenTable

_LN10 = math.log(10.0)  # KenLM's logarithms are to base 10
_NEVER = -1e9
_MOST_ALIKE = 6  # words of one spelling (phones: "air", "heir", …) that flashlight keeps


class BeamSettings(Settings):
    """How widely to search, and what counts how much."""

    beam: int = Field(default=50, ge=1)  # hypotheses that are kept at each frame
    threshold: float = Field(default=20.0, gt=0)  # nats behind the best, from where they are not
    tokens: int | None = Field(default=30, ge=1)  # best tokens of a frame that are tried; or all
    lm_weight: float = Field(default=0.5, ge=0)  # of the log-probabilities of the language model
    word_bonus: float = 0.0  # nats a word, where there is a lexicon
    # Nats that the blank is worth less in every frame. CTC learns to be silent where it is not
    # sure, and on other speakers than those it knows it is sure too seldom. Tuning raises it.
    blank_penalty: float = Field(default=0.0, ge=0)
    log_add: bool = True  # add up the paths of a text; otherwise its best path counts alone
    nbest: int = Field(default=1, ge=1)  # texts that are given of each utterance


class BeamDecoder:
    """Searches the texts of one token table.

    Scores are exact but in one case: where words of a lexicon end without a space (pieces of
    words), flashlight leaves out the paths in which the last piece of one lasts more than a frame.
    """

    def __init__(
        self,
        tokens: TokenTable,
        settings: BeamSettings,
        *,
        lexicon: Lexicon | None = None,
        language_model: Path | None = None,
    ) -> None:
        """Reads the language model, which takes a second where it is large.

        Args:
            tokens: their table.
            settings: of the search.
            lexicon: words and the ways each is spelled in token ids; only they are found. Without
                one, every sequence of tokens may be.
            language_model: a packed n-gram model (asr.lm.packed); over words where there is a
                lexicon, else over tokens, with `|` for the space.

        Raises:
            ModelError: the language model cannot be read.
        """
        self._tokens, self._settings = tokens, settings
        self._lexicon = None if lexicon is None else frozenset(lexicon)
        # Where pieces say themselves that a word begins, a token that is never said is the space.
        self._space = len(tokens) if tokens.space is None else tokens.space
        names = list(lexicon) if lexicon is not None else [_lm_name(one) for one in tokens.symbols]
        self._names = Dictionary([*names, SPECIAL[UNKNOWN]])
        self._unknown = self._names.get_index(SPECIAL[UNKNOWN])
        self.has_language_model = language_model is not None
        # Before the language model, which may still be unpacked in another thread.
        alike = None if lexicon is None else self._alike(lexicon)
        self._lm = (
            ZeroLM() if language_model is None else open_language_model(language_model, self._names)
        )
        self._trie = None if alike is None else self._build_trie(alike)
        self._decoder = self._build(settings)

    def __call__(self, log_probs: Tensor) -> list[Hypothesis]:
        """Decode one utterance.

        Args:
            log_probs: (U, V), valid frames only.

        Returns:
            At most `nbest` hypotheses with different texts, the best first; at least one.
        """
        # flashlight begins as if a space had been said: a frame of blank makes it forget. Where
        # there is a lexicon, all words end with a space, and the last one gets a frame for it.
        width = max(log_probs.shape[1], self._space + 1)
        rows = torch.full((len(log_probs) + 2, width), _NEVER)
        rows[0, 0] = rows[-1, self._space] = 0.0
        rows[1:-1, : log_probs.shape[1]] = penalize_blank(
            log_probs.float().cpu(), self._settings.blank_penalty
        )
        ends = self._trie is not None and self._tokens.space is not None
        frames = (rows if ends else rows[:-1]).contiguous()
        results = self._decoder.decode(frames.data_ptr(), *frames.shape)
        found: dict[str, Hypothesis] = {}
        for result in results:
            hypothesis = self._hypothesis(result, len(log_probs))
            if hypothesis.text not in found:
                found[hypothesis.text] = hypothesis
            if len(found) == self._settings.nbest:
                break
        return list(found.values())

    def with_settings(self, settings: BeamSettings) -> Self:
        """The same lexicon and language model, which are not read again, searched otherwise."""
        other = copy(self)
        other._settings = settings
        other._decoder = other._build(settings)
        return other

    @property
    def settings(self) -> BeamSettings:
        """Of the search."""
        return self._settings

    @property
    def lexicon(self) -> Collection[str] | None:
        """Words that can be found; None: all."""
        return self._lexicon

    def language_log_prob(self, text: str) -> float:
        """Log p(text) in nats, by the language model; 0 where there is none.

        Words outside the lexicon are <unk>.
        """
        names = text.split() if self._trie is not None else [_lm_name(one) for one in text]
        state, total = self._lm.start(False), 0.0
        for name in names:
            number = self._names.get_index(name) if self._names.contains(name) else self._unknown
            state, score = self._lm.score(state, number)
            total += score
        return _LN10 * float(total + self._lm.finish(state)[1])

    def _alike(self, lexicon: Lexicon) -> Mapping[tuple[int, ...], Sequence[int]]:
        """The numbers of the words of each spelling."""
        end = () if self._tokens.space is None else (self._space,)
        alike: dict[tuple[int, ...], list[int]] = {}
        for number, spellings in enumerate(lexicon.values()):  # the words are named in this order
            for spelling in spellings:
                alike.setdefault((*spelling, *end), []).append(number)
        return alike

    def _build_trie(self, alike: Mapping[tuple[int, ...], Sequence[int]]) -> Trie:
        trie = Trie(max(len(self._tokens), self._space + 1), self._space)
        worth = self._worth(len(self._lexicon or ()))
        for spelling, words in alike.items():
            if len(words) > 1:
                words = sorted(words, key=worth.__getitem__, reverse=True)[:_MOST_ALIKE]
            for number in words:
                trie.insert(spelling, number, worth[number])
        trie.smear(SmearingMode.MAX)  # a beginning is worth as much as the best word that has it
        return trie

    def _worth(self, words: int) -> list[float]:
        """What each word is worth while it is being said; at its end the search takes that back.

        It is the more probable of anywhere and first in a sentence: what a Kneser-Ney model gives
        it anywhere depends on how many words it follows, not on how often it is said.
        """
        score, anywhere, first = self._lm.score, self._lm.start(True), self._lm.start(False)
        return [max(score(anywhere, one)[1], score(first, one)[1]) for one in range(words)]

    def _build(self, settings: BeamSettings) -> Any:
        width = (settings.beam, settings.tokens or len(self._tokens), settings.threshold)
        weight = settings.lm_weight * _LN10
        if self._trie is None:
            options = LexiconFreeDecoderOptions(
                *width, weight, 0.0, settings.log_add, CriterionType.CTC
            )
            return LexiconFreeDecoder(options, self._lm, self._space, 0, [])
        options = LexiconDecoderOptions(
            *width,
            weight,
            settings.word_bonus,
            -math.inf,  # no word outside the lexicon
            0.0,
            settings.log_add,
            CriterionType.CTC,
        )
        return LexiconDecoder(
            options, self._trie, self._lm, self._space, 0, self._unknown, [], False
        )

    def _hypothesis(self, result: Any, frames: int) -> Hypothesis:
        path = result.tokens[2 : frames + 2]  # before them a frame of flashlight's, and ours
        ids, places, previous = [], [], 0
        for frame, token in enumerate(path):
            if token not in (0, previous):
                ids.append(token)
                places.append(frame)
            previous = token
        if self._trie is None:
            return Hypothesis(self._tokens.decode(ids), tuple(ids), tuple(places), result.score)
        words = [self._names.get_entry(one) for one in result.words if one >= 0]
        count = self._tokens_of(len(words), ids)
        return Hypothesis(" ".join(words), tuple(ids[:count]), tuple(places[:count]), result.score)

    def _tokens_of(self, words: int, ids: Sequence[int]) -> int:
        """How many tokens the first words have: a search may end within another one."""
        begun, inside = 0, False
        for place, token in enumerate(ids):
            said = token != self._space
            if said and (not inside or self._tokens.begins_word(token)):
                if begun == words:
                    return place
                begun += 1
            inside = said
        return len(ids)


def _lm_name(symbol: str) -> str:
    return "|" if symbol == " " else symbol
