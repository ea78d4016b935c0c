"""What is made of a training's records after each epoch: advice, training.html, TensorBoard."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr.dataset import SpeechDataset
from asr.encoder.encoder import Encoder
from asr.settings import Settings
from asr.training.advice import episodes
from asr.training.board import Board
from asr.training.distributed import World
from asr.training.page import PAGE, write_page


def run_settings(
    encoder: Encoder, training: Settings, *, train: SpeechDataset, seed: int, world: World
) -> dict[str, Any]:
    """The settings of a run, for those who read its curves."""
    return {
        "seed": seed,
        "device": str(next(encoder.parameters()).device),
        "processes": world.size,
        "training utterances": len(train),
        "training hours": round(sum(one.duration for one in train.utterances) / 3600, 2),
        "weights": sum(weight.numel() for weight in encoder.parameters()),
        "encoder": encoder.settings.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
    }


class Watch:
    """Follows a training through its records; only one process has one."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, epochs_done: int) -> None:
        """`settings` are those of the run, `training` among them.

        Raises:
            ConfigError: TensorBoard is asked for and not installed.
        """
        self._folder, self._settings = folder, settings
        self._clip_norm = settings["training"]["optimizer"]["clip_norm"]
        wanted = settings["training"]["tensorboard"]
        self._board = Board(folder, epochs_done=epochs_done) if wanted else None

    def close(self) -> None:
        """Close what is open."""
        if self._board is not None:
            self._board.close()

    def epoch(self, records: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
        """Say what begins to stand out, and bring the page and TensorBoard up to date."""
        told = episodes(records, clip_norm=self._clip_norm)
        for episode in told:
            if episode.first == records[-1]["epoch"]:
                say(f"{episode.finding.kind}: {episode.finding}")
        write_page(self._folder / PAGE, records, episodes=told, settings=self._settings)
        if self._board is not None:
            self._board.epoch(dict(records[-1]))
