"""Transcribing live: words while they are spoken, and for good at each pause."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr.bundle import Bundle
from asr.decoding.hypothesis import Hypothesis, Word
from asr.emission_decoder import EmissionDecoder
from asr.live.hearing import CarriedHearing, Hearing, RepeatedHearing, can_carry
from asr.longform.segmentation import Segmenter, SegmentSettings
from asr.settings import Settings


class LiveSettings(Settings):
    """When to answer."""

    every: float = Field(default=0.5, gt=0)  # seconds of sound between partial results
    segments: SegmentSettings = SegmentSettings()


@dataclass(frozen=True)
class Result:
    """Words that were heard."""

    words: tuple[Word, ...]  # their times count from the beginning of the stream
    final: bool  # whether nothing will change any more; else the next result takes its place

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word.text for word in self.words)


class LiveTranscriber:
    """Transcribes one stream of sound.

    With a model that can carry its state, how the stream is cut into pieces changes no final
    result, and they are those of the whole.
    """

    def __init__(
        self, bundle: Bundle, decoder: EmissionDecoder, settings: LiveSettings | None = None
    ) -> None:
        """`decoder` is that of the bundle's model."""
        self._settings = settings or LiveSettings()
        self._decoder, self._text = decoder, bundle.text_side
        self._rate = bundle.features.sample_rate
        self.exact = can_carry(bundle)
        self._hearing: Hearing = CarriedHearing(bundle) if self.exact else RepeatedHearing(bundle)
        self._frame = 0  # encoder frame from which on nothing is final
        self._new = 0  # samples since the last look
        self._partial: tuple[Word, ...] = ()

    def add(self, samples: NDArray[np.float32]) -> Iterator[Result]:
        """Take samples (N,) at the model's rate; what can be said of them now."""
        every = round(self._settings.every * self._rate)
        while len(samples):
            count = every - self._new
            self._hearing.add(samples[:count])
            self._new += len(samples[:count])
            samples = samples[count:]
            if self._new >= every:
                self._new = 0
                yield from self._look(last=False)

    def finish(self) -> Iterator[Result]:
        """What is left to say when the stream has ended."""
        yield from self._look(last=True)

    def _look(self, *, last: bool) -> Iterator[Result]:
        rows = self._hearing.rows(last=last)
        segmenter = Segmenter(
            self._settings.segments, self._text.frame_seconds, self._text.tokens.space
        )
        done = 0
        for piece in segmenter.add(rows, last=last):
            done = piece.start + len(piece.rows)
            words = self._words(self._decoder(piece.rows), piece.start)
            if words:
                yield Result(words, final=True)
            elif self._partial:
                yield Result((), final=False)
            self._partial = ()
        if not last:
            # What is silent can be let go of, too, but for what may be the beginning of a word.
            rest = segmenter.held
            done = len(rows) - len(rest)
            partial = self._words(self._decoder.draft(rest), done) if len(rest) else ()
            if [word.text for word in partial] != [word.text for word in self._partial]:
                self._partial = partial
                yield Result(partial, final=False)
        self._hearing.forget(done)
        self._frame += done

    def _words(self, hypothesis: Hypothesis, start: int) -> tuple[Word, ...]:
        seconds = (self._frame + start) * self._text.frame_seconds
        return tuple(
            replace(word, start=word.start + seconds, end=word.end + seconds)
            for word in hypothesis.words
        )
