"""Dataset: an Utterance becomes an Example, Examples become a Batch."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import parent_process
from typing import Self

import torch
from torch import Tensor

from asr.audio import Waveform, load_audio, refuse_silence, resample
from asr.augment.chain import WaveformChain
from asr.augment.draw import Draw, draw
from asr.augment.settings import AugmentSettings
from asr.augment.spectrogram import spec_augment
from asr.augment.waveform import nothing_said, perturb_speed
from asr.errors import AudioError
from asr.features import FeatureExtractor, FeatureStats, normalize
from asr.manifest import Utterance
from asr.text import Normalizer
from asr.tokens import TokenTable


@dataclass(frozen=True)
class Example:
    """One utterance, ready for the model."""

    id: str
    features: Tensor  # (T, F)
    targets: Tensor  # (L,)


@dataclass(frozen=True)
class Batch:
    """Utterances padded to one length."""

    ids: tuple[str, ...]
    features: Tensor  # (B, T, F)
    feature_lengths: Tensor  # (B,)
    targets: Tensor  # (B, L)
    target_lengths: Tensor  # (B,)

    def pin_memory(self) -> Self:
        """The same batch where a GPU can fetch the features itself, while the CPU goes on."""
        return replace(self, features=self.features.pin_memory())


@cache  # said once a run, however many recordings there are
def _say_resampling(came: int, wanted: int) -> None:
    # The other processes of a run read recordings of the same sets.
    if parent_process() is None:
        words = f"asr: recordings at {came} Hz are resampled to the model's {wanted} Hz"
        print(words, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class FrontEnd:
    """All that happens to a recording before the encoder; the same in training and use."""

    extractor: FeatureExtractor
    stats: FeatureStats | None  # None: normalise each utterance by itself

    def load(self, utterance: Utterance) -> Waveform:
        """Read an utterance at the model's sample rate. Raises AudioError if it is unusable."""
        waveform = load_audio(
            utterance.audio_path, offset=utterance.offset, duration=utterance.duration or None
        )
        refuse_silence(waveform, utterance.audio_path)
        rate = self.extractor.settings.sample_rate
        if waveform.sample_rate != rate:
            _say_resampling(waveform.sample_rate, rate)
        return resample(waveform, rate)

    def features(self, waveform: Waveform, name: str) -> Tensor:
        """Waveform -> (T, F) normalised features; `name` is what an error calls it."""
        raw = self.raw_features(waveform, name).unsqueeze(0)
        return normalize(raw, torch.tensor([raw.shape[1]]), self.stats)[0]

    def raw_features(self, waveform: Waveform, name: str) -> Tensor:
        """Waveform -> (T, F) features before CMVN. Raises AudioError where no frame fits in."""
        samples = torch.from_numpy(waveform.samples).unsqueeze(0)
        raw, lengths = self.extractor(samples, torch.tensor([samples.shape[1]]))
        if int(lengths) == 0:
            least = self.extractor.settings.fft_size / waveform.sample_rate
            raise AudioError(
                f"{name}: too short: {waveform.duration:.3f} s; expected at least {least:.3f} s; "
                "check its offset and duration, or leave the utterance out"
            )
        features: Tensor = raw[0, : int(lengths)]
        return features


class SpeechDataset:
    """Transcribed utterances as examples.

    What stays the same from epoch to epoch is kept in memory up to a limit: features at each
    speed, or samples where the augmentation of waveforms makes other features in each epoch.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        front_end: FrontEnd,
        *,
        tokens: TokenTable,
        normalizer: Normalizer,
        augment: AugmentSettings | None = None,
        seed: int = 0,
        cache_bytes: int = 0,
        lenient: bool = False,
    ) -> None:
        """Reads the folders of recordings that the augmentation takes.

        Where `lenient`, characters that have no token are left out of the targets: for a set to
        measure on, whose errors are counted against the text itself.

        Raises:
            DataError: a transcript has characters that have no token.
            ConfigError: a folder for the augmentation is missing or has no recordings.
            AudioError: a recording for the augmentation cannot be used.
        """
        self.utterances = list(utterances)
        self._front_end = front_end
        self._augment = augment
        rate = front_end.extractor.settings.sample_rate
        self._chain = WaveformChain(augment or AugmentSettings(), rate)
        self._seed = seed
        texts = [normalizer(utterance.text or "") for utterance in self.utterances]
        if lenient:
            texts = [tokens.without_unknown(text) for text in texts]
        self._targets = [torch.tensor(tokens.encode(text), dtype=torch.long) for text in texts]
        self._cache: dict[tuple[int, float], Tensor] = {}
        self._cache_left = cache_bytes

    def __len__(self) -> int:
        return len(self.utterances)

    def frames(self, index: int, epoch: int) -> int:
        """Frames T that an utterance will have in an epoch, without reading it."""
        return self._frames_at(index, self._draw(index, epoch).speed)

    def fewest_frames(self, index: int) -> int:
        """Frames T of an utterance played as fast as augmentation may play it."""
        return self._frames_at(index, max(self._augment.speeds) if self._augment else 1.0)

    def most_frames(self, index: int) -> int:
        """Frames T of an utterance played as slowly as augmentation may play it."""
        return self._frames_at(index, min(self._augment.speeds) if self._augment else 1.0)

    def share_cache(self, among: int) -> None:
        """Keep to this process's share of the memory, where several read the dataset."""
        self._cache_left //= among

    def targets(self, index: int, epoch: int | None = None) -> Tensor:
        """Token ids (L,) of an utterance; none in an epoch in which noise takes its place."""
        silent = epoch is not None and self._draw(index, epoch).silent
        return self._targets[index][:0] if silent else self._targets[index]

    def example(self, index: int, epoch: int) -> Example:
        """Utterance -> features and targets, augmented as (seed, epoch, id) say."""
        utterance = self.utterances[index]
        chance = self._draw(index, epoch)
        features = self._features(index, chance)
        if self._augment is not None:
            per_second = 1 / self._front_end.extractor.settings.shift_seconds
            features = spec_augment(
                features,
                self._augment,
                frames_per_second=per_second,
                generator=chance.generator,
            )
        return Example(utterance.id, features, self.targets(index, epoch))

    def _frames_at(self, index: int, speed: float) -> int:
        frames = self._front_end.extractor.settings.frames(self._sample_count(index, speed))
        return max(1, frames)

    def _sample_count(self, index: int, speed: float) -> int:
        rate = self._front_end.extractor.settings.sample_rate
        return round(self.utterances[index].duration / speed * rate)

    def _draw(self, index: int, epoch: int) -> Draw:
        if self._augment is None:
            return Draw(1.0, False, torch.Generator())
        identifier = self.utterances[index].id
        return draw(self._augment, seed=self._seed, epoch=epoch, utterance_id=identifier)

    def _features(self, index: int, chance: Draw) -> Tensor:
        if chance.silent:
            rate = self._front_end.extractor.settings.sample_rate
            count = self._sample_count(index, chance.speed)
            waveform, _ = nothing_said(count, rate, chance.generator)
            return self._front_end.features(waveform, str(self.utterances[index].audio_path))
        if len(self._chain) == 0:
            return self._kept(index, chance.speed, lambda: self._clean(index, chance.speed))
        samples = self._kept(index, chance.speed, lambda: self._samples(index, chance.speed))
        waveform, _ = self._chain(self._waveform(samples), chance.generator)
        return self._front_end.features(waveform, str(self.utterances[index].audio_path))

    def _clean(self, index: int, speed: float) -> Tensor:
        waveform = self._waveform(self._samples(index, speed))
        return self._front_end.features(waveform, str(self.utterances[index].audio_path))

    def _waveform(self, samples: Tensor) -> Waveform:
        return Waveform(samples.numpy(), self._front_end.extractor.settings.sample_rate)

    def _samples(self, index: int, speed: float) -> Tensor:
        waveform = self._front_end.load(self.utterances[index])
        return torch.from_numpy(perturb_speed(waveform, speed).samples)

    def _kept(self, index: int, speed: float, compute: Callable[[], Tensor]) -> Tensor:
        """What stays the same from epoch to epoch is computed once, as far as memory allows."""
        key = (index, speed)
        if key not in self._cache:
            result = compute()
            if result.nbytes > self._cache_left:
                return result
            self._cache_left -= result.nbytes
            self._cache[key] = result
        return self._cache[key]


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to the longest of them, with zeros."""
    return Batch(
        ids=tuple(example.id for example in examples),
        features=_pad([example.features for example in examples]),
        feature_lengths=torch.tensor([len(example.features) for example in examples]),
        targets=_pad([example.targets for example in examples]),
        target_lengths=torch.tensor([len(example.targets) for example in examples]),
    )


def _pad(sequences: Sequence[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)
