"""The recogniser: a model folder and recordings in, hypotheses out."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from asr.audio import Waveform, load_audio, read_info, refuse_silence, resample
from asr.batching import BatchSettings, plan_batches
from asr.bundle import Bundle, load_bundle
from asr.dataset import FrontEnd
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.errors import AsrError
from asr.manifest import Utterance


class Recognizer:
    """Transcribes with one model; what it answers does not depend on how files are batched."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._front_end: FrontEnd = bundle.front_end
        self._device = next(bundle.encoder.parameters()).device

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Self:
        """Open a model folder. Raises ModelError where it cannot be used."""
        return cls(load_bundle(folder, device))

    def transcribe_file(self, path: Path) -> Hypothesis:
        """Transcribe one recording, at whatever sample rate it has.

        Raises:
            AudioError: the file is unreadable, empty, silent or too short.
        """
        waveform = load_audio(path)
        refuse_silence(waveform, path)
        rate = self.bundle.features.sample_rate
        if waveform.sample_rate != rate:
            print(
                f"asr: {path}: resampled from {waveform.sample_rate} Hz to the model's {rate} Hz",
                file=sys.stderr,
            )
        return self.transcribe(waveform, str(path))

    def transcribe(self, waveform: Waveform, name: str = "waveform") -> Hypothesis:
        """Transcribe a waveform; `name` is what an error calls it."""
        at_rate = resample(waveform, self.bundle.features.sample_rate)
        return self._decode([self._front_end.features(at_rate, name)])[0]

    def transcribe_all(
        self, utterances: Sequence[Utterance], batch: BatchSettings
    ) -> Iterator[tuple[Utterance, Hypothesis | AsrError]]:
        """Transcribe many utterances in batches; what one of them fails with is its answer."""
        there: list[Utterance] = []
        frames: list[int] = []
        for utterance in utterances:
            try:
                frames.append(self._frames(utterance))
                there.append(utterance)
            except AsrError as error:
                yield utterance, error
        for indices in plan_batches(frames, batch, seed=0, epoch=0):
            ready: list[tuple[Utterance, Tensor]] = []
            for utterance in (there[index] for index in indices):
                try:
                    waveform = self._front_end.load(utterance)
                    name = str(utterance.audio_path)
                    ready.append((utterance, self._front_end.features(waveform, name)))
                except AsrError as error:
                    yield utterance, error
            if ready:
                hypotheses = self._decode([features for _, features in ready])
                yield from zip((u for u, _ in ready), hypotheses, strict=True)

    def _frames(self, utterance: Utterance) -> int:
        """Frames of an utterance, roughly; the file says where the manifest does not (0 s)."""
        seconds = utterance.duration
        if seconds == 0.0:
            seconds = read_info(utterance.audio_path).duration - utterance.offset
        return max(1, round(seconds / self.bundle.features.shift_seconds))

    @torch.inference_mode()
    def _decode(self, features: Sequence[Tensor]) -> list[Hypothesis]:
        """Feature matrices (T, F) of several utterances -> their hypotheses."""
        lengths = torch.tensor([len(matrix) for matrix in features], device=self._device)
        padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        emissions = self.bundle.encoder(padded.to(self._device), lengths)
        rows = zip(emissions.log_probs.cpu(), emissions.lengths.tolist(), strict=True)
        return [greedy_decode(row[:length], self.bundle.tokens) for row, length in rows]
