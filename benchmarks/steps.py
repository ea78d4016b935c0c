"""Whole training steps on random data: what both benchmarks of training time."""

import time

import torch

from asr.dataset import Batch
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.training.checkpoint import Trained
from asr.training.distributed import join_world
from asr.training.optimizer import OptimizerSettings, build_optimizer
from asr.training.settings import TrainingSettings
from asr.training.step import TrainingStep

MELS, TOKENS, FACTOR = 64, 29, 4


def random_batch(utterances: int, frames: int) -> Batch:
    """Noise of one length in feature frames, with a random letter every eight of them."""
    letters = frames // 8
    return Batch(
        ids=tuple(str(number) for number in range(utterances)),
        features=torch.randn(utterances, frames, MELS),
        feature_lengths=torch.full((utterances,), frames),
        targets=torch.randint(1, TOKENS, (utterances, letters)),
        target_lengths=torch.full((utterances,), letters),
    )


def fastest_step(batches: list[Batch], *, layers: int, hidden: int, repeats: int) -> float:
    """Seconds of the fastest of a few steps after the first, in all processes that there are.

    The batches are those of all processes together; a CPU's precision is what training takes.
    """
    torch.manual_seed(0)
    settings = EncoderSettings(hidden=hidden, layers=layers, factor=FACTOR)
    encoder = Encoder(settings, inputs=MELS, tokens=TOKENS)
    trained = Trained(encoder, build_optimizer(encoder, OptimizerSettings()), None)
    tokens = sum(int(batch.target_lengths.sum()) for batch in batches)
    times = []
    with join_world(torch.device("cpu")) as world:
        step = TrainingStep(trained, TrainingSettings(), world)
        own = [(0, batch) for batch in batches[world.rank :: world.size]]
        for number in range(repeats + 1):
            started = time.perf_counter()
            step(own, tokens=tokens, rate=1e-3, number=number + 1, stop=lambda: False)
            times.append(time.perf_counter() - started)
    return min(times[1:])
