"""The recogniser: a model folder and utterances in, hypotheses out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from asr.audio import read_info
from asr.batching import BatchSettings, plan_batches
from asr.bundle import Bundle, load_bundle
from asr.dataset import FrontEnd
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.pool import DecodingPool
from asr.emission_decoder import DecodingOptions, EmissionDecoder, searches
from asr.errors import AsrError
from asr.manifest import Utterance
from asr.training.distributed import usable_cores
from asr.voices import agreed, as_voices

MANY = 50  # utterances, for which processes are worth their start


class Recognizer:
    """Transcribes utterances with one model; how they are batched changes nothing."""

    def __init__(self, bundle: Bundle, decoder: EmissionDecoder | None = None) -> None:
        """`decoder` is that of the bundle's model; without one, it is decoded greedily."""
        self.bundle = bundle
        self._decoder = decoder or EmissionDecoder(bundle.text_side)
        self._front_end: FrontEnd = bundle.front_end
        self._device = next(bundle.encoder.parameters()).device

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device | str = "cpu",
        options: DecodingOptions | None = None,
    ) -> Self:
        """Open a model folder, with the decoder that is in it.

        Raises:
            ModelError: it cannot be used.
            ConfigError: the options ask for what there is not.
        """
        bundle = load_bundle(folder, device)
        return cls(bundle, EmissionDecoder.load(folder, options, bundle.text_side))

    def transcribe_all(
        self,
        utterances: Sequence[Utterance],
        batch: BatchSettings,
        pool: DecodingPool[Hypothesis] | None = None,
    ) -> Iterator[tuple[Utterance, Hypothesis | AsrError]]:
        """Transcribe many utterances in batches; what one of them fails with is its answer.

        A `pool` of the same decoder decodes while the model goes on.
        """
        if pool is None:
            for utterance, answer in self.log_probs_all(utterances, batch):
                yield utterance, answer if isinstance(answer, AsrError) else self._decoder(answer)
            return
        failed: list[tuple[Utterance, AsrError]] = []

        def heard() -> Iterator[tuple[Utterance, Tensor]]:
            for utterance, answer in self.log_probs_all(utterances, batch):
                if isinstance(answer, AsrError):
                    failed.append((utterance, answer))
                else:
                    yield utterance, answer

        yield from pool.decode(heard())
        yield from failed

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
                found = self.log_probs([features for _, features in ready])
                yield from zip((u for u, _ in ready), found, strict=True)

    @torch.inference_mode()
    def log_probs(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature matrices (T, F) of several utterances -> log-probabilities (U, V) of each."""
        lengths = torch.tensor([len(matrix) for matrix in features], device=self._device)
        padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        warps = self.bundle.warps
        voices = as_voices(padded.to(self._device), warps)
        emissions = self.bundle.encoder(voices, lengths.repeat(max(1, len(warps))))
        log_probs = agreed(emissions.log_probs, warps).cpu()
        rows = zip(log_probs, emissions.lengths[: len(features)].tolist(), strict=True)
        return [row[:length] for row, length in rows]

    def _frames(self, utterance: Utterance) -> int:
        """Frames of an utterance, roughly; the file says where the manifest does not (0 s)."""
        seconds = utterance.duration
        if seconds == 0.0:
            seconds = read_info(utterance.audio_path).duration - utterance.offset
        return max(1, round(seconds / self.bundle.features.shift_seconds))


@contextmanager
def decoding_pool(
    folder: Path, options: DecodingOptions | None, utterances: int, processes: int | None = None
) -> Iterator[DecodingPool[Hypothesis] | None]:
    """Processes that decode with a model folder; None where starting them would not pay.

    Args:
        folder: of the model.
        options: of decoding.
        utterances: about how many will come.
        processes: at most; None: one a core.
    """
    processes = min(usable_cores(), processes or usable_cores())
    if processes == 1 or utterances < MANY or not searches(folder, options):
        yield None
        return
    with DecodingPool(partial(EmissionDecoder.load, folder, options), processes) as pool:
        yield pool
