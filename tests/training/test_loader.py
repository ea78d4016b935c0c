"""Batches are the same whichever process makes them, and when."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from asr.dataset import Batch, SpeechDataset, collate
from asr.errors import AudioError
from asr.training.loader import BatchLoader, workers_wanted

TinyTraining = Any  # of the conftest, which cannot be imported
ROOT = Path(__file__).parents[2]
PLAN = [[(0, 0), (1, 0)], [(2, 0)], [(1, 1), (0, 1)], [(11, 1)], [(3, 2), (4, 2), (5, 2)]]


def assert_same(one: Batch, other: Batch) -> None:
    assert one.ids == other.ids
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.feature_lengths, other.feature_lengths)
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.target_lengths, other.target_lengths)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_come_in_the_order_of_the_plan_augmented_the_same_with_any_number_of_workers(
    tiny: TinyTraining, workers: int
) -> None:
    dataset = tiny.data().train
    with BatchLoader(dataset, iter(PLAN), workers=workers) as loader:
        assert len(multiprocessing.active_children()) == workers
        for keys in PLAN:
            assert_same(loader.next(), collate([dataset.example(*key) for key in keys]))
    assert multiprocessing.active_children() == [], "although the loader is still held"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_recording_that_cannot_be_read_is_an_error_on_one_line(
    tiny: TinyTraining, workers: int
) -> None:
    tiny.utterances = [
        type(one)(**vars(one) | {"audio_path": one.audio_path.with_name("gone.wav")})
        if number == 2
        else one
        for number, one in enumerate(tiny.utterances)
    ]
    with BatchLoader(tiny.data().train, iter(PLAN), workers=workers) as loader:
        loader.next()
        with pytest.raises(AudioError, match=r"^\S*gone\.wav: [^\n]*$"):
            loader.next()


_LEAVE_A_WORKER = """
from asr.errors import AudioError
from asr.training import loader

loader._GRACE = 1

class Unreadable:
    def example(self, index, epoch):
        raise AudioError("a.wav: cannot be read")

    def share_cache(self, sharers):
        pass

left = loader.BatchLoader(Unreadable(), [[(0, 0)]] * 9, workers=1).__enter__()
left.next()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="workers are not asked by signals there")
def test_a_program_ends_although_a_worker_was_left_behind() -> None:
    """The worker does not obey SIGTERM at once, as it may be meant for all processes."""
    done = subprocess.run(
        [sys.executable, "-c", _LEAVE_A_WORKER],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("AudioError: a.wav: cannot be read\n")


@pytest.mark.skipif(sys.platform == "win32", reason="workers are not asked by signals there")
def test_workers_survive_a_signal_that_all_processes_get(tiny: TinyTraining) -> None:
    with BatchLoader(tiny.data().train, iter(PLAN), workers=1) as loader:
        loader.next()
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(worker.pid, number)
        for _ in PLAN[1:]:
            loader.next()


def test_reading_ahead_leaves_the_trainings_own_chance_alone(tiny: TinyTraining) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with BatchLoader(tiny.data().train, iter(PLAN), workers=0) as loader:
        loader.next()
    assert torch.equal(torch.rand(2), expected)


def test_processes_that_share_a_cache_keep_no_more_than_one_would(tiny: TinyTraining) -> None:
    dataset = tiny.data().dev
    size = dataset.example(0, 0).features.nbytes
    read: list[int] = []
    counted = counting(dataset, read)
    dataset._cache.clear()
    dataset._cache_left = 2 * size
    dataset.share_cache(4)
    for _ in range(2):
        counted.example(0, 0)
    assert len(read) == 2, "half of one utterance's features is too little to keep it"


def counting(dataset: SpeechDataset, read: list[int]) -> SpeechDataset:
    load = dataset._front_end.load

    class Counting(type(dataset._front_end)):  # type: ignore[misc]
        def load(self, utterance: Any) -> Any:
            read.append(1)
            return load(utterance)

    dataset._front_end = Counting(dataset._front_end.extractor, dataset._front_end.stats)
    return dataset


def test_a_cpu_makes_its_own_batches_and_a_gpu_has_workers_unless_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert workers_wanted(None, cpu) == 0
    assert 1 <= workers_wanted(None, gpu) <= 8
    assert workers_wanted(3, cpu) == 3
    assert workers_wanted(0, gpu) == 0
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    assert workers_wanted(None, gpu) == 1
