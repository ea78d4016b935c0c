"""The transcriber: recordings of any length in, transcripts out."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from asr.audio import Waveform, read_blocks, refuse_silent_peak, resample
from asr.bundle import Bundle, load_bundle
from asr.decoding.hypothesis import Hypothesis, Word
from asr.decoding.pool import DecodingPool
from asr.emission_decoder import DecodingOptions, EmissionDecoder
from asr.errors import AsrError
from asr.longform.segmentation import Piece, Segmenter, SegmentSettings
from asr.longform.stitching import Stitcher
from asr.longform.windows import Samples, Window, WindowPlan, WindowSettings
from asr.recognizer import Recognizer
from asr.settings import Settings
from asr.transcript.transcript import Segment, Transcript


class TranscriberSettings(Settings):
    """How recordings are heard; the defaults suit any length."""

    windows: WindowSettings = WindowSettings()
    segments: SegmentSettings = SegmentSettings()
    batch_seconds: float = 240.0  # of sound that the model hears in one go, padding included


@dataclass(frozen=True)
class Recording:
    """Something to transcribe."""

    name: str
    blocks: Callable[[], Iterable[Samples]]  # its samples in order, at the model's sample rate
    channel: int | None = None  # counted from 1; None: all of them together
    offset: float = 0.0  # seconds of the file before its first sample
    stem: str | None = None  # what a ctm calls the file; None: as the name says

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name if self.channel is None else f"{self.name} (channel {self.channel})"


@dataclass
class _State:
    """How far one recording has come."""

    recording: Recording
    stitcher: Stitcher
    segmenter: Segmenter
    samples: int = 0  # read
    peak: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    pending: int = 0  # pieces that are being decoded
    ended: bool = False
    error: AsrError | None = None


class Transcriber:
    """Transcribes with one model, from any number of threads at once.

    What it answers for a recording does not depend on what else it is given.
    """

    def __init__(
        self,
        bundle: Bundle,
        decoder: EmissionDecoder | None = None,
        settings: TranscriberSettings | None = None,
    ) -> None:
        """`decoder` is that of the bundle's model; without one, it is decoded greedily."""
        self.bundle = bundle
        self._recognizer = Recognizer(bundle)
        self._decoder = decoder or EmissionDecoder(bundle.text_side)
        self._settings = settings or TranscriberSettings()
        factor = bundle.encoder.settings.factor
        self._plan = WindowPlan.make(self._settings.windows, bundle.features, factor)
        self._decoding = threading.Lock()  # a search has a state of its own

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device | str = "cpu",
        options: DecodingOptions | None = None,
        settings: TranscriberSettings | None = None,
    ) -> Self:
        """Open a model folder, with the decoder that is in it.

        Raises:
            ModelError: it cannot be used.
            ConfigError: the options ask for what there is not.
        """
        bundle = load_bundle(folder, device)
        return cls(bundle, EmissionDecoder.load(folder, options, bundle.text_side), settings)

    @property
    def sample_rate(self) -> int:
        """Hz, of the model."""
        return self.bundle.features.sample_rate

    def transcribe(self, audio: str | Path | Waveform) -> Transcript:
        """Transcribe one recording.

        Args:
            audio: a file in any format, of any length, or samples at any rate.

        Raises:
            AudioError: it is unreadable, damaged, empty, silent or too short.
        """
        if isinstance(audio, Waveform):
            samples = resample(audio, self.sample_rate).samples
            recording = Recording("waveform", lambda: [samples])
        else:
            path = Path(audio)
            recording = Recording(str(audio), lambda: read_blocks(path, self.sample_rate))
        ((_, answer),) = self.transcribe_all([recording])
        if isinstance(answer, AsrError):
            raise answer
        return answer

    def transcribe_all(
        self,
        recordings: Iterable[Recording],
        pool: DecodingPool[Hypothesis] | None = None,
        progress: Callable[[float], object] = lambda seconds: None,
    ) -> Iterator[tuple[Recording, Transcript | AsrError]]:
        """Transcribe many recordings, in their order; what one of them fails with is its answer.

        Args:
            recordings: opened when their turn comes.
            pool: of processes that decode while the model goes on.
            progress: is told how many more seconds of sound have been heard.
        """
        waiting: deque[_State] = deque()
        pieces = self._pieces(recordings, waiting, progress)
        for (state, start), hypothesis in self._decode(pieces, pool):
            state.pending -= 1
            seconds = state.recording.offset + start * self.bundle.text_side.frame_seconds
            words = tuple(_shift(word, seconds) for word in hypothesis.words)
            if words:
                state.segments.append(Segment(words))
            yield from self._finished(waiting)
        yield from self._finished(waiting)

    def _finished(
        self, waiting: deque[_State]
    ) -> Iterator[tuple[Recording, Transcript | AsrError]]:
        while waiting and waiting[0].ended and not waiting[0].pending:
            state = waiting.popleft()
            recording, duration = state.recording, state.samples / self.sample_rate
            transcript = Transcript(
                recording.name,
                duration,
                tuple(state.segments),
                recording.channel,
                recording.offset,
                recording.stem,
            )
            yield recording, state.error or transcript

    def _decode(
        self,
        pieces: Iterator[tuple[_State, Piece]],
        pool: DecodingPool[Hypothesis] | None,
    ) -> Iterator[tuple[tuple[_State, int], Hypothesis]]:
        keyed = (((state, piece.start), piece.rows) for state, piece in pieces)
        if pool is not None:
            yield from pool.decode(keyed)
            return
        for key, rows in keyed:
            with self._decoding:
                hypothesis = self._decoder(rows)
            yield key, hypothesis

    def _pieces(
        self,
        recordings: Iterable[Recording],
        waiting: deque[_State],
        progress: Callable[[float], object],
    ) -> Iterator[tuple[_State, Piece]]:
        """What is to be decoded, recording after recording, each from its beginning to its end."""
        most = self._settings.batch_seconds * self.sample_rate
        batch: list[tuple[_State, Window]] = []
        for state, window in self._windows(recordings, waiting, progress):
            longest = max(len(one.samples) for _, one in [*batch, (state, window)])
            if batch and longest * (len(batch) + 1) > most:
                yield from self._hear(batch)
                batch = []
            batch.append((state, window))
        yield from self._hear(batch)

    def _hear(self, batch: list[tuple[_State, Window]]) -> Iterator[tuple[_State, Piece]]:
        """Run the model over some windows."""
        heard = []
        for state, window in batch:
            waveform = Waveform(window.samples, self.sample_rate)
            try:
                features = self.bundle.front_end.features(waveform, state.recording.title)
                heard.append((state, window, features))
            except AsrError as error:
                state.error, state.ended = error, True
        if not heard:
            return
        found = self._recognizer.log_probs([features for _, _, features in heard])
        for (state, window, _), rows in zip(heard, found, strict=True):
            joined = state.stitcher.add(window.start, rows, last=window.last)
            for piece in state.segmenter.add(joined, last=window.last):
                state.pending += 1
                yield state, piece
            state.ended = state.ended or window.last

    def _windows(
        self,
        recordings: Iterable[Recording],
        waiting: deque[_State],
        progress: Callable[[float], object],
    ) -> Iterator[tuple[_State, Window]]:
        text = self.bundle.text_side
        for recording in recordings:
            segmenter = Segmenter(self._settings.segments, text.frame_seconds, text.tokens.space)
            state = _State(recording, Stitcher(), segmenter)
            waiting.append(state)
            try:
                for window in self._plan.cut(self._listen(state, progress)):
                    if window.last:
                        refuse_silent_peak(
                            state.peak, state.samples / self.sample_rate, recording.title
                        )
                    yield state, window
            except AsrError as error:
                state.error, state.ended = error, True

    def _listen(self, state: _State, progress: Callable[[float], object]) -> Iterator[Samples]:
        for block in state.recording.blocks():
            state.samples += len(block)
            state.peak = max(state.peak, float(np.abs(block).max(initial=0.0)))
            yield block
            progress(len(block) / self.sample_rate)


def _shift(word: Word, seconds: float) -> Word:
    return replace(word, start=word.start + seconds, end=word.end + seconds)
