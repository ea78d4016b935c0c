"""Checkpoints: whole or the old one, opened without running code; averages of epochs."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from full_disk import no_room_beyond
from torch import nn

import asr
from asr.errors import DataError, ModelError
from asr.training.checkpoint import (
    Progress,
    Trained,
    average_epochs,
    drop_epochs_except,
    kept_epochs,
    load_checkpoint,
    load_epoch,
    remove_leftovers,
    save_checkpoint,
    save_epoch,
)
from asr.training.moving_average import MovingAverage


def make_trained(seed: int) -> Trained:
    """A model that has taken one step, and its average."""
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    average = MovingAverage(model, 0.5)
    average.update(seed)
    return Trained(model, optimizer, average)


def test_a_full_disk_is_named_and_the_old_checkpoint_stays(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Progress(epoch=1), make_trained(1))
    large = make_trained(1)
    large.model.register_buffer("large", torch.zeros(1 << 16))
    with no_room_beyond(1 << 16):
        with pytest.raises(DataError, match=r"checkpoint\.pt: cannot be written .*and the disk"):
            save_checkpoint(tmp_path, Progress(epoch=2), large)
        with pytest.raises(DataError, match=r"epoch-0002\.safetensors: cannot be written"):
            save_epoch(tmp_path, 2, large.model)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    progress = load_checkpoint(tmp_path, make_trained(2))
    assert progress is not None
    assert progress.epoch == 1


def test_a_checkpoint_gives_back_weights_optimizer_and_progress(tmp_path: Path) -> None:
    trained, other = make_trained(1), make_trained(2)
    history = [{"epoch": 2, "dev_wer": 0.5, "dev_cer": 0.25, "dev_loss": 1.5}]
    progress = Progress(3, 7, 31, loss_sum=0.1 + 0.2, token_sum=12, seconds=4.5, history=history)
    progress.bad_steps = 2
    progress.sums.take({"all": 0.1 + 0.2, "head": 0.3}, clip_norm=0.25)
    progress.sums.skip(["utt-001"])
    save_checkpoint(tmp_path, progress, trained)
    assert load_checkpoint(tmp_path, other) == progress
    for name, weight in trained.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], weight)
        assert trained.average is not None
        assert other.average is not None
        assert torch.equal(other.average.average[name], trained.average.average[name])
    ours, theirs = (one.optimizer.state_dict()["state"] for one in (trained, other))
    for number, state in ours.items():
        assert {key: value.tolist() for key, value in state.items()} == {
            key: value.tolist() for key, value in theirs[number].items()
        }


def test_a_checkpoint_without_the_average_that_is_asked_for_is_refused(tmp_path: Path) -> None:
    trained = make_trained(1)
    save_checkpoint(tmp_path, Progress(), Trained(trained.model, trained.optimizer, None))
    with pytest.raises(ModelError, match="not a checkpoint of this training"):
        load_checkpoint(tmp_path, make_trained(1))


def test_a_folder_without_checkpoint_gives_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, make_trained(1)) is None


@pytest.mark.parametrize("damage", ["truncated", "emptied", "overwritten"])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, Progress(), make_trained(1))
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "emptied": b"", "overwritten": b"words"}
    path.write_bytes(content[damage])
    with pytest.raises(ModelError, match=r"checkpoint.pt: not a checkpoint, or damaged.*remove it"):
        load_checkpoint(tmp_path, make_trained(1))


def test_another_models_checkpoint_is_refused_on_one_line(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Progress(), make_trained(1))
    deep = nn.Sequential(*(nn.Linear(3, 3) for _ in range(20)))
    with pytest.raises(ModelError, match=r"checkpoint.pt: not a checkpoint of this") as raised:
        load_checkpoint(tmp_path, Trained(deep, torch.optim.AdamW(deep.parameters()), None))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


class Trap:
    """Pickled, it makes a folder when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    "save", [torch.save, lambda data, path: path.write_bytes(pickle.dumps(data))]
)
def test_opening_a_checkpoint_runs_no_code(tmp_path: Path, save: Any) -> None:
    save({"progress": Trap(tmp_path / "sprung"), "model": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path, make_trained(1))
    assert not (tmp_path / "sprung").exists()


_KILLED_WHILE_SAVING = """
import os, signal, sys, torch
from pathlib import Path
from asr.training.checkpoint import Progress, Trained, save_checkpoint

folder, model = Path(sys.argv[1]), torch.nn.Linear(3, 2)
trained = Trained(model, torch.optim.AdamW(model.parameters()), None)
save_checkpoint(folder, Progress(epoch=1), trained)
write = Path.write_bytes

def half(path, content):
    write(path, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = half
save_checkpoint(folder, Progress(epoch=2), trained)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_WHILE_SAVING, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path(asr.__file__).parents[1])},
        timeout=120,
    )
    assert killed.returncode == -9
    trained = make_trained(1)
    progress = load_checkpoint(tmp_path, Trained(trained.model, trained.optimizer, None))
    assert progress is not None
    assert progress.epoch == 1
    assert len(list(tmp_path.iterdir())) == 2, "half a checkpoint stays behind"
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_only_what_a_kill_left_behind_is_removed(tmp_path: Path) -> None:
    whole = {"checkpoint.pt", "epoch-0001.safetensors", ".metrics.jsonl.abc", ".mine", "notes"}
    left = {".checkpoint.pt.x1", ".epoch-0001.safetensors.x2", ".epoch-0012.safetensors.x3"}
    for name in whole | left:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == whole
    remove_leftovers(tmp_path / "not there yet")


def save_weights(folder: Path, epoch: int, value: float) -> None:
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, value)
    nn.init.constant_(model.bias, -value)
    save_epoch(folder, epoch, model)


def test_the_average_of_epochs_is_the_mean_of_each_weight(tmp_path: Path) -> None:
    for epoch, value in [(3, 1.0), (7, 2.0), (12, 6.0)]:
        save_weights(tmp_path, epoch, value)
    average = average_epochs(tmp_path)
    torch.testing.assert_close(average["weight"], torch.full((1, 2), 3.0))
    torch.testing.assert_close(average["bias"], torch.full((1,), -3.0))


def test_the_average_of_one_epoch_is_that_epoch(tmp_path: Path) -> None:
    save_weights(tmp_path, 4, 0.1)
    assert torch.equal(average_epochs(tmp_path)["weight"], load_epoch(tmp_path, 4)["weight"])


def test_nothing_to_average_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no epoch-\*.safetensors to average; train first"):
        average_epochs(tmp_path)


def test_a_damaged_epoch_is_named(tmp_path: Path) -> None:
    save_weights(tmp_path, 4, 0.1)
    (tmp_path / "epoch-0005.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"epoch-0005.safetensors: cannot be read"):
        average_epochs(tmp_path)
    with pytest.raises(ModelError, match=r"epoch-0006.safetensors: cannot be read"):
        load_epoch(tmp_path, 6)


def test_epochs_not_wanted_are_dropped_and_nothing_else(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        save_weights(tmp_path, epoch, 1.0)
    (tmp_path / "metrics.jsonl").touch()
    assert kept_epochs(tmp_path) == [1, 2, 3]
    drop_epochs_except(tmp_path, [2, 9])
    assert kept_epochs(tmp_path) == [2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0002.safetensors",
        "metrics.jsonl",
    ]
