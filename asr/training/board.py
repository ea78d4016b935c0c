"""TensorBoard: the records of a training as an event file, for those who compare many."""

from pathlib import Path
from typing import Any

from asr.errors import ConfigError

FOLDER = "tensorboard"  # in the folder of the training


class Board:
    """Writes one record an epoch to TensorBoard's event file; the step there is the epoch."""

    def __init__(self, folder: Path, *, epochs_done: int) -> None:
        """What an earlier run wrote of epochs after `epochs_done` is not shown any more.

        Raises:
            ConfigError: the package is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                f"training.tensorboard is true, but the package is not there ({error}); install "
                "it by: pip install 'asr[tensorboard]', or leave the setting out"
            ) from None
        self._writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=epochs_done + 1)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()

    def epoch(self, record: dict[str, Any]) -> None:
        """Add the numbers of a record, those of its sections included, and the samples as text."""
        for name, value in scalars(record).items():
            self._writer.add_scalar(name, value, record["epoch"])
        for sample in record.get("samples", []):
            text = f"    {sample['reference']}\n    {sample['hypothesis']}"  # indented: as it is
            self._writer.add_text(f"samples/{sample['id']}", text, record["epoch"])
        self._writer.flush()


def scalars(record: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers in a record, by the path that leads to them: 'gradient_norm/head/mean'."""
    found: dict[str, float] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= scalars(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and key != "epoch":
            found[f"{prefix}{key}"] = float(value)
    return found
