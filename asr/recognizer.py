"""The recogniser: a model folder and recordings in, hypotheses out."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from asr.audio import Waveform, load_audio, read_info, refuse_silence, resample
from asr.batching import BatchSettings, plan_batches
from asr.bundle import Bundle, load_bundle, model_folder
from asr.dataset import FrontEnd
from asr.decoding.alignment import align_words
from asr.decoding.beam import BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.folder import load_decoder, read_decoder
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis, Word
from asr.decoding.rescoring import Rescorer
from asr.decoding.revision import Hotwords, Reviser
from asr.errors import AsrError, ConfigError
from asr.manifest import Utterance
from asr.rnnlm.model import load_rnn
from asr.tokens import describe_characters


class Recognizer:
    """Transcribes with one model; what it answers does not depend on how files are batched."""

    def __init__(
        self,
        bundle: Bundle,
        decoder: Callable[[Tensor], Sequence[Hypothesis]] | None = None,
        *,
        reviser: Reviser | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Decodes greedily, unless told otherwise.

        Args:
            bundle: the model.
            decoder: makes hypotheses of log-probabilities (U, V), the best first.
            reviser: has second thoughts about them.
            calibration: of the confidences of words.
        """
        self.bundle = bundle
        self._decoder, self._reviser = decoder, reviser
        self._calibration = calibration or Calibration()
        self._front_end: FrontEnd = bundle.front_end
        self._device = next(bundle.encoder.parameters()).device

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device | str = "cpu",
        *,
        greedy: bool = False,
        search: Mapping[str, Any] | None = None,
        hotwords: Hotwords | None = None,
    ) -> Self:
        """Open a model folder, with the decoder that is in it.

        Args:
            folder: the model's.
            device: where the model computes.
            greedy: whether to leave lexicon, language model and search alone.
            search: settings of the search that are to differ from the folder's.
            hotwords: hoped for; what the normaliser makes of them is looked for.

        Raises:
            ModelError: it cannot be used.
            ConfigError: there is no such setting, or a hotword has characters without a token.
        """
        bundle, place = load_bundle(folder, device), model_folder(folder)
        described = read_decoder(place)
        tuned = described.settings if described else None
        decoder: Callable[[Tensor], Sequence[Hypothesis]] | None = None
        lexicon = None
        if not greedy and (tuned is not None or search):
            known = tuned.model_dump() if tuned else {}
            settings = BeamSettings.parse(known | dict(search or {}), "search")
            search_ = load_decoder(place, bundle.tokens, settings)
            decoder, lexicon = search_, search_.lexicon
            if described is not None and described.rescoring is not None:
                ranked = load_rnn(place).log_probs
                decoder = Rescorer(search_, ranked, bundle.tokens, described.rescoring)
        penalty = described.spelling_penalty if described and lexicon is not None else None
        reviser = None
        if hotwords is not None or penalty is not None:
            reviser = Reviser(
                bundle.tokens,
                lexicon=lexicon,
                spelling_penalty=penalty,
                hotwords=_spellable(hotwords, bundle),
            )
        calibration = described.calibration if described else None
        return cls(bundle, decoder, reviser=reviser, calibration=calibration)

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
        return self._best(self._log_probs([self._front_end.features(at_rate, name)])[0])

    def transcribe_all(
        self, utterances: Sequence[Utterance], batch: BatchSettings
    ) -> Iterator[tuple[Utterance, Hypothesis | AsrError]]:
        """Transcribe many utterances in batches; what one of them fails with is its answer."""
        for utterance, answer in self.log_probs_all(utterances, batch):
            yield utterance, answer if isinstance(answer, AsrError) else self._best(answer)

    def log_probs_all(
        self, utterances: Sequence[Utterance], batch: BatchSettings
    ) -> Iterator[tuple[Utterance, Tensor | AsrError]]:
        """Log-probabilities (U, V) of many utterances, or what one of them fails with."""
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
                found = self._log_probs([features for _, features in ready])
                yield from zip((u for u, _ in ready), found, strict=True)

    def _frames(self, utterance: Utterance) -> int:
        """Frames of an utterance, roughly; the file says where the manifest does not (0 s)."""
        seconds = utterance.duration
        if seconds == 0.0:
            seconds = read_info(utterance.audio_path).duration - utterance.offset
        return max(1, round(seconds / self.bundle.features.shift_seconds))

    @torch.inference_mode()
    def _log_probs(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature matrices (T, F) of several utterances -> log-probabilities (U, V) of each."""
        lengths = torch.tensor([len(matrix) for matrix in features], device=self._device)
        padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        emissions = self.bundle.encoder(padded.to(self._device), lengths)
        rows = zip(emissions.log_probs.cpu(), emissions.lengths.tolist(), strict=True)
        return [row[:length] for row, length in rows]

    def _best(self, log_probs: Tensor) -> Hypothesis:
        if self._decoder is None:
            best = greedy_decode(log_probs, self.bundle.tokens)
        else:
            best = self._decoder(log_probs)[0]
        if self._reviser is not None:
            best = self._reviser(best, log_probs)
        return replace(best, words=self._words(best.text, log_probs))

    def _words(self, text: str, log_probs: Tensor) -> tuple[Word, ...]:
        tokens, seconds = self.bundle.tokens, self.bundle.frame_seconds
        return tuple(
            Word(
                text=span.text,
                start=span.start * seconds,
                end=span.end * seconds,
                confidence=self._calibration(span.log_prob),
            )
            for span in align_words(log_probs, tokens.encode(text), tokens)
        )


def _spellable(hotwords: Hotwords | None, bundle: Bundle) -> Hotwords | None:
    if hotwords is None:
        return None
    texts = tuple(bundle.normalizer(text) for text in hotwords.texts)
    for text, given in zip(texts, hotwords.texts, strict=True):
        unknown = bundle.tokens.unknown(text)
        if unknown or not text:
            raise ConfigError(
                f"hotword '{given}': the model has no token for {describe_characters(unknown)}; "
                "leave it out, or train with text that has them"
                if text
                else f"hotword '{given}': nothing is left of it after the normaliser "
                f"'{bundle.normalizer.name}'"
            )
    return Hotwords(texts, hotwords.bonus)
