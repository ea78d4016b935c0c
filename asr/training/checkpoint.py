"""Checkpoints: all that a killed training needs to go on, written whole or not at all."""

import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asr.errors import ModelError, one_line
from asr.files import write_bytes
from asr.training.measurements import EpochSums
from asr.training.moving_average import MovingAverage

CHECKPOINT = "checkpoint.pt"
_AVERAGE = "average.safetensors"


@dataclass
class Progress:
    """How far a training has come; with the settings it decides all that follows."""

    epoch: int = 0  # epochs done
    batches_in_epoch: int = 0  # batches done in the epoch at hand, by all processes
    step: int = 0  # optimiser steps done in all
    loss_sum: float = 0.0  # nats, over the epoch at hand
    token_sum: int = 0  # target tokens, over the epoch at hand
    seconds: float = 0.0  # spent training, over all runs
    bad_steps: int = 0  # left out in all, since their gradient was not finite
    history: list[dict[str, Any]] = field(default_factory=list)  # epochs done: number, dev rates
    sums: EpochSums = field(default_factory=EpochSums)  # of what else is measured, of that epoch

    @property
    def loss(self) -> float:
        """Nats a target token, over the epoch at hand; NaN where no step has been taken."""
        return self.loss_sum / self.token_sum if self.token_sum else math.nan


@dataclass(frozen=True)
class Trained:
    """What learns: all that a step changes."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None

    def state(self) -> dict[str, Any]:
        """Plain tensors and numbers."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.average if self.average else {},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore in place."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load(state["average"])


def save_checkpoint(folder: Path, progress: Progress, trained: Trained) -> None:
    """Replace the folder's checkpoint, in one step."""
    state = {"progress": asdict(progress), **trained.state()}
    # By way of memory: what torch says of a full disk is no error of the system's.
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(folder / CHECKPOINT, content.getbuffer())


def load_checkpoint(folder: Path, trained: Trained) -> Progress | None:
    """Restore a training in place; None where the folder has no checkpoint.

    Raises:
        ModelError: the checkpoint is damaged or belongs to another model.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        # weights_only: a checkpoint holds tensors and numbers, and opening it runs no code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Without torch's words: they advise to open the file in a way that would run code.
        raise ModelError(
            f"{path}: not a checkpoint, or damaged ({type(error).__name__}); "
            "remove it to start again"
        ) from None
    try:
        trained.load(state)
        kept = state["progress"]
        return Progress(**kept | {"sums": EpochSums(**kept["sums"])})
    except Exception as error:
        raise ModelError(
            f"{path}: not a checkpoint of this training ({one_line(error)}); "
            "remove it to start again"
        ) from error


def save_epoch(folder: Path, epoch: int, model: nn.Module) -> None:
    """Keep the weights of one epoch."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    write_bytes(_epoch_path(folder, epoch), save(weights))


def save_average(folder: Path, average: MovingAverage) -> None:
    """Keep the moving average of the weights."""
    write_bytes(folder / _AVERAGE, save(average.average))


def load_average(folder: Path) -> dict[str, Tensor] | None:
    """Read the moving average of the weights; None where none was kept."""
    return _read_weights(folder / _AVERAGE) if (folder / _AVERAGE).exists() else None


def drop_epochs_except(folder: Path, epochs: Sequence[int]) -> None:
    """Forget the weights of all epochs but the given ones."""
    wanted = {_epoch_path(folder, epoch) for epoch in epochs}
    for path in set(_epoch_paths(folder)) - wanted:
        path.unlink()


def kept_epochs(folder: Path) -> list[int]:
    """Numbers of the epochs whose weights were kept, in order."""
    return sorted(int(path.stem.removeprefix("epoch-")) for path in _epoch_paths(folder))


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a kill in the middle of writing has left."""
    for name in (CHECKPOINT, _AVERAGE, "epoch-*.safetensors"):
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def load_epoch(folder: Path, epoch: int) -> dict[str, Tensor]:
    """Read the weights of one epoch that was kept. Raises ModelError where it was not."""
    return _read_weights(_epoch_path(folder, epoch))


def average_epochs(folder: Path) -> dict[str, Tensor]:
    """Average the weights of the epochs that were kept (Polyak & Juditsky 1992).

    Raises:
        ModelError: the folder has none, or one is damaged.
    """
    paths = _epoch_paths(folder)
    if not paths:
        raise ModelError(f"{folder}: no epoch-*.safetensors to average; train first")
    total: dict[str, Tensor] = {}
    for path in paths:
        for name, tensor in _read_weights(path).items():
            total[name] = total.get(name, torch.zeros_like(tensor)) + tensor / len(paths)
    return total


def _epoch_path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:04d}.safetensors"


def _epoch_paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.safetensors"))


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); train again") from None
