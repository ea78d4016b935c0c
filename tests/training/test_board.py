"""TensorBoard: what is written, and what is said where the package is missing."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asr.errors import ConfigError
from asr.training.board import Board, scalars

TinyTraining = Any  # of the conftest, which cannot be imported

RECORD = {
    "epoch": 3,
    "loss": 0.5,
    "skipped_steps": 1,
    "gradient_norm": {"all": {"mean": 2.0, "max": 4.0}},
    "dev_infinite": ["a"],
    "samples": [{"id": "u", "reference": "ab", "hypothesis": "a"}],
}


def test_numbers_are_found_by_their_paths() -> None:
    assert scalars(RECORD) == {
        "loss": 0.5,
        "skipped_steps": 1.0,
        "gradient_norm/all/mean": 2.0,
        "gradient_norm/all/max": 4.0,
    }


def test_without_the_package_the_user_is_told_how_to_get_it(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'asr\[tensorboard\]', or leave the sett"):
        tiny.train(tensorboard=True)
    assert not (tiny.folder / "metrics.jsonl").exists()


def test_without_the_setting_the_package_is_not_touched(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    tiny.train(epochs=1)
    assert not (tiny.folder / "tensorboard").exists()


class PretendWriter:
    """Notes what it is told."""

    def __init__(self, folder: str, purge_step: int) -> None:
        self.told: list[Any] = [folder, purge_step]

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told.append((name, value, step))

    def add_text(self, name: str, text: str, step: int) -> None:
        self.told.append((name, text, step))

    def flush(self) -> None:
        self.told.append("flush")

    def close(self) -> None:
        self.told.append("close")


def test_an_epoch_is_a_step_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[PretendWriter] = []

    def make(folder: str, purge_step: int) -> PretendWriter:
        made.append(PretendWriter(folder, purge_step))
        return made[-1]

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=make))
    board = Board(Path("run"), epochs_done=2)
    board.epoch(RECORD)
    board.close()
    assert made[0].told == [
        str(Path("run/tensorboard")),
        3,
        ("loss", 0.5, 3),
        ("skipped_steps", 1.0, 3),
        ("gradient_norm/all/mean", 2.0, 3),
        ("gradient_norm/all/max", 4.0, 3),
        ("samples/u", "    ab\n    a", 3),
        "flush",
        "close",
    ]


@pytest.mark.filterwarnings("default")  # of the package's own
def test_the_package_reads_what_was_written(tiny: TinyTraining) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from asr.training.reporting import read_metrics

    tiny.train(epochs=2, tensorboard=True)
    events = EventAccumulator(str(tiny.folder / "tensorboard"))
    events.Reload()
    expected = [record["loss"] for record in read_metrics(tiny.folder)]
    read = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in read] == [1, 2]
    assert [value for _, value in read] == pytest.approx(expected)
