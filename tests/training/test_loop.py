"""The training loop: exact resume, best epochs, bad steps, several processes."""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic_speech import write_utterances
from torch import Tensor, nn

from asr.dataset import Batch, SpeechDataset
from asr.encoder.encoder import Emissions
from asr.errors import ConfigError, DataError, ModelError, Stopped
from asr.scoring.error_rate import ErrorCounts
from asr.training import loop
from asr.training import plan as plan_module
from asr.training.checkpoint import load_average, load_epoch
from asr.training.distributed import World
from asr.training.evaluation import Evaluation, Sample, evaluate
from asr.training.loss import ctc_losses
from asr.training.reporting import read_metrics

TinyTraining = Any  # of the conftest, which cannot be imported
SameWeights = Callable[[nn.Module, nn.Module], bool]


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    times = {"seconds", "speed", "data_wait", "throughput"}
    return [{key: one[key] for key in one if key not in times} for one in records]


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """A request to stop comes while the given step is taken, counted from 1."""
    asked = iter([False] * (steps - 1))

    @contextmanager
    def stop_requests() -> Iterator[Callable[[], bool]]:
        yield lambda: next(asked, True)

    monkeypatch.setattr(loop, "stop_requests", stop_requests)


@pytest.fixture
def uninterrupted(tiny: TinyTraining, tmp_path: Path) -> tuple[nn.Module, list[dict[str, Any]]]:
    folder = tmp_path / "uninterrupted"
    return tiny.train(folder=folder), read_metrics(folder)


VARIANTS = pytest.mark.parametrize(
    "settings",
    [
        {},
        {"moving_average": 0.9, "schedule": {"kind": "plateau", "plateau_epochs": 1}},
        {"batch": {"max_utterances": 2, "per_step": 2}, "workers": 1},
        {"weight_noise": 0.05, "weight_dropout": 0.3, "label_smoothing": 0.1, "mmi": 0.9},
    ],
    ids=["plain", "averaged", "accumulated", "regularised"],
)


@VARIANTS
@pytest.mark.parametrize("step", [1, 5, 6, 7, 12])
def test_a_stopped_training_goes_on_bit_for_bit_from_any_step(
    tiny: TinyTraining,
    tmp_path: Path,
    same_weights: SameWeights,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    settings: dict[str, Any],
) -> None:
    tiny.settings |= settings
    whole = tiny.train(folder=tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(Stopped):
            tiny.train()
    torch.manual_seed(99)  # what was drawn before must not matter
    assert same_weights(tiny.train(init=2), whole)
    before, after = (read_metrics(folder) for folder in (tmp_path / "whole", tiny.folder))
    assert without_times(after) == without_times(before)
    averages = [load_average(folder) for folder in (tmp_path / "whole", tiny.folder)]
    if "moving_average" in settings:
        assert averages[0] is not None
        assert averages[1] is not None
        assert all(torch.equal(averages[0][name], averages[1][name]) for name in averages[0])
    else:
        assert averages == [None, None]


def test_batches_that_make_one_step_teach_what_one_batch_of_all_would(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        tiny, "encoder", lambda seed: tiny_without_dropout(type(tiny).encoder(tiny, seed))
    )
    plans = {"apart": [[0, 1, 2], [3, 4], [5]], "together": [[0, 1, 2, 3, 4, 5]]}
    learned = {}
    for name, plan in plans.items():
        monkeypatch.setattr(plan_module, "plan_batches", lambda *_, plan=plan, **__: plan)
        learned[name] = tiny.train(
            folder=tmp_path / name, batch={"per_step": 3}, precision="float32"
        )
    for name, weight in learned["apart"].state_dict().items():
        expected = learned["together"].state_dict()[name]
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-5, msg=name)
    losses = [
        [one["loss"] for one in read_metrics(tmp_path / name)] for name in ("apart", "together")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def tiny_without_dropout(encoder: nn.Module) -> nn.Module:
    for module in encoder.modules():
        if hasattr(module, "share"):
            module.share = 0.0
    return encoder


def test_a_killed_training_goes_on_bit_for_bit_from_its_last_epoch(
    tiny: TinyTraining,
    uninterrupted: tuple[nn.Module, list[dict[str, Any]]],
    same_weights: SameWeights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after the third epoch's record was written, but not its checkpoint."""

    def killed(*_: object) -> None:
        if len(read_metrics(tiny.folder)) == 3:
            raise SystemExit("killed")
        save_checkpoint(*_)

    save_checkpoint: Any = loop.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", killed)
        with pytest.raises(SystemExit):
            tiny.train()
    assert [record["epoch"] for record in read_metrics(tiny.folder)] == [1, 2, 3]
    assert same_weights(tiny.train(init=2), uninterrupted[0])
    assert [record["epoch"] for record in read_metrics(tiny.folder)] == [1, 2, 3, 4]
    assert without_times(read_metrics(tiny.folder)) == without_times(uninterrupted[1])


def test_ctrl_c_ends_training_after_the_step_at_hand_with_a_checkpoint(
    tiny: TinyTraining,
    uninterrupted: tuple[nn.Module, list[dict[str, Any]]],
    same_weights: SameWeights,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    example, read = SpeechDataset.example, []

    def interrupted(self: SpeechDataset, index: int, epoch: int) -> Any:
        read.append(index)
        if len(read) == 6:  # in the middle of the second step
            os.kill(os.getpid(), signal.SIGINT)
        return example(self, index, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(SpeechDataset, "example", interrupted)
        with pytest.raises(Stopped):
            tiny.train()
    assert len(read) == 8, "two whole steps of four utterances"
    assert "stopped; the checkpoint is written" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is handler
    assert same_weights(tiny.train(init=2), uninterrupted[0])


def test_ctrl_c_in_the_last_evaluation_is_not_forgotten(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Evaluation:
        os.kill(os.getpid(), signal.SIGINT)
        return evaluate(*arguments, **options)

    evaluate = loop.evaluate
    monkeypatch.setattr(loop, "evaluate", interrupted)
    with pytest.raises(Stopped):
        tiny.train(epochs=1)
    assert len(read_metrics(tiny.folder)) == 1


def test_where_targets_compete_the_epochs_that_win_best_are_kept(tiny: TinyTraining) -> None:
    tiny.train(epochs=4, mmi=0.9, keep=2)
    losses = {one["epoch"]: one["dev_mmi"] for one in read_metrics(tiny.folder)}
    best = sorted(losses, key=lambda epoch: (losses[epoch], -epoch))[:2]
    kept = {path.name for path in tiny.folder.glob("epoch-*.safetensors")}
    assert kept == {f"epoch-{epoch:04d}.safetensors" for epoch in best}
    assert all(loss > 0 for loss in losses.values())


def test_where_targets_compete_that_loss_decides_on_cuts_of_the_rate(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[list[float]] = []
    whole = loop.rate_share

    def rate_share(settings: Any, done: float, losses: list[float]) -> float:
        came.append(losses)
        return whole(settings, done, losses)

    monkeypatch.setattr(loop, "rate_share", rate_share)
    tiny.train(epochs=3, mmi=0.9, schedule={"kind": "plateau"})
    assert came[-1] == [one["dev_mmi"] for one in read_metrics(tiny.folder)[:2]]


def test_a_finished_training_is_left_as_it_is(
    tiny: TinyTraining, uninterrupted: tuple[nn.Module, Any], same_weights: SameWeights
) -> None:
    tiny.train()
    before = {path.name: path.read_bytes() for path in tiny.folder.iterdir()}
    assert same_weights(tiny.train(init=2), uninterrupted[0])
    assert {path.name: path.read_bytes() for path in tiny.folder.iterdir()} == before


def test_checkpoints_are_written_as_often_as_asked(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(
        loop, "save_checkpoint", lambda _, progress, *more: saved.append(progress.step)
    )
    tiny.train(epochs=1, checkpoint_minutes=1e-9)
    assert saved == [1, 2, 3, 3]


def test_an_epochs_record_says_how_its_steps_went(tiny: TinyTraining) -> None:
    tiny.train(epochs=2)
    encoder = tiny.encoder(1)
    for record in read_metrics(tiny.folder):
        norms = record["gradient_norm"]
        assert list(norms) == ["all", "layer 1 norm", "layer 1 ahead", "layer 1 back", *_END]
        assert {parameter.split(".")[0] for parameter in encoder.state_dict()} == {"blocks", *_END}
        assert all(0 < one["mean"] <= one["max"] for one in norms.values())
        assert 0 <= record["data_wait"] <= 1
        assert record["throughput"] > 0
        assert 0 < record["padding_share"] < 0.5
        assert 0 <= record["clipped_share"] <= 1
        assert (record["skipped_steps"], record["infinite_losses"]) == (0, {})
        assert (record["dev_infinite"], len(record["samples"])) == ([], 3)


_END = ("norm", "head")


def test_every_step_is_clipped_where_the_bound_is_tiny(tiny: TinyTraining) -> None:
    tiny.train(epochs=1, optimizer={"clip_norm": 1e-6})
    assert read_metrics(tiny.folder)[0]["clipped_share"] == 1.0


def test_the_page_is_there_after_every_epoch(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    save_checkpoint: Any = loop.save_checkpoint

    def save(*arguments: Any) -> None:
        seen.append((tiny.folder / "training.html").read_text(encoding="utf-8"))
        save_checkpoint(*arguments)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    tiny.train(epochs=2)
    assert ["epoch 1 of 2" in seen[0], "epoch 2 of 2" in seen[1], len(seen)] == [True, True, 2]
    assert str(tiny.folder) not in seen[1], "the folder is renamed afterwards"


def test_an_epochs_loss_is_its_own_mean_over_target_tokens(
    tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each utterance is made to cost as many nats as the epoch's number."""

    def losses(emissions: Emissions, batch: Batch) -> Tensor:
        return ctc_losses(emissions, batch) * 0 + len(read_metrics(tiny.folder)) + 1

    monkeypatch.setattr("asr.training.step.ctc_losses", losses)
    tiny.train(epochs=3)
    tokens = sum(len(utterance.text) for utterance in tiny.utterances)
    found = [record["loss"] for record in read_metrics(tiny.folder)]
    assert found == pytest.approx([12 * number / tokens for number in (1, 2, 3)])


class TestBestEpochs:
    """Which weights stay, given what the development set says."""

    @staticmethod
    def script(monkeypatch: pytest.MonkeyPatch, results: Sequence[tuple[int, int, float]]) -> None:
        """Word errors of 10, character errors of 100, and loss of each evaluation to come."""
        coming = iter(results)

        def evaluate(*_: object, **__: object) -> Evaluation:
            words, characters, loss = next(coming)
            return Evaluation(
                loss,
                ErrorCounts(hits=10 - words, substitutions=words),
                ErrorCounts(hits=100 - characters, substitutions=characters),
                0.5,
                (Sample("u", "a", "b"),),
            )

        monkeypatch.setattr(loop, "evaluate", evaluate)

    @staticmethod
    def kept(folder: Path) -> list[str]:
        return sorted(path.name for path in folder.glob("*epoch*"))

    def test_exactly_keep_epochs_stay_the_lowest_wer_first(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.script(monkeypatch, [(9, 9, 1.0), (5, 9, 1.0), (7, 1, 0.1), (4, 9, 1.0), (8, 9, 1.0)])
        tiny.train(epochs=5, keep=2)
        assert self.kept(tiny.folder) == ["epoch-0002.safetensors", "epoch-0004.safetensors"]

    def test_cer_decides_between_equal_wers(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.script(monkeypatch, [(5, 8, 1.0), (5, 7, 1.0), (5, 6, 1.0), (5, 8, 0.1)])
        tiny.train(epochs=4, keep=2)
        assert self.kept(tiny.folder) == ["epoch-0002.safetensors", "epoch-0003.safetensors"]

    def test_of_equal_epochs_the_later_stay_whatever_their_loss(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.script(monkeypatch, [(0, 0, 0.1), (0, 0, 0.2), (0, 0, 0.3), (0, 1, 0.1)])
        tiny.train(epochs=4, keep=2)
        assert self.kept(tiny.folder) == ["epoch-0002.safetensors", "epoch-0003.safetensors"]

    def test_a_resumed_training_remembers_the_best_of_before(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.script(monkeypatch, [(1, 1, 1.0), (9, 9, 1.0), (8, 9, 1.0), (7, 9, 1.0)])
        with monkeypatch.context() as patch:
            stop_after(patch, 7)
            with pytest.raises(Stopped):
                tiny.train()
        tiny.train()
        assert self.kept(tiny.folder) == ["epoch-0001.safetensors", "epoch-0004.safetensors"]

    def test_a_kill_between_weights_and_checkpoint_loses_no_epoch_that_is_still_among_the_best(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a GPU the repeated epoch may do worse than before, and the old ones count again."""
        self.script(monkeypatch, [(5, 5, 1.0), (4, 4, 1.0), (6, 6, 1.0)])

        def killed(*_: object) -> None:
            if loop_state["armed"] and read_metrics(tiny.folder)[-1]["epoch"] == 2:
                raise SystemExit("killed")
            save_checkpoint(*_)

        loop_state = {"armed": True}
        save_checkpoint: Any = loop.save_checkpoint
        monkeypatch.setattr(loop, "save_checkpoint", killed)
        with pytest.raises(SystemExit):
            tiny.train(epochs=2, keep=1)
        loop_state["armed"] = False
        tiny.train(epochs=2, keep=1)
        assert self.kept(tiny.folder) == ["epoch-0001.safetensors"]

    def test_training_ends_when_so_many_epochs_have_brought_nothing_better(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        results = [(9, 9, 1.0), (5, 9, 1.0), (5, 9, 0.5), (6, 1, 0.1), (4, 4, 1.0)]
        self.script(monkeypatch, results)
        tiny.train(epochs=5, patience=2)
        assert len(read_metrics(tiny.folder)) == 4
        tiny.train(epochs=5, patience=2)
        assert len(read_metrics(tiny.folder)) == 4, "and stays ended"

    def test_an_epochs_file_holds_the_weights_at_its_end(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.script(monkeypatch, [(5, 5, 1.0), (6, 6, 1.0)])
        encoder = tiny.train(epochs=2, keep=2)
        last, first = load_epoch(tiny.folder, 2), load_epoch(tiny.folder, 1)
        assert all(torch.equal(last[name], value) for name, value in encoder.state_dict().items())
        assert not torch.equal(last["head.weight"], first["head.weight"])


class TestBadSteps:
    """Gradients that are not finite."""

    @staticmethod
    def poison(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        """Make the losses of some utterances infinite, and their gradients with them."""

        def losses(emissions: Emissions, batch: Batch) -> Tensor:
            found = ctc_losses(emissions, batch)
            bad = torch.tensor([name in names for name in batch.ids])
            return found * torch.where(bad, torch.inf, 1.0)

        monkeypatch.setattr("asr.training.step.ctc_losses", losses)

    def test_a_bad_step_is_left_out_and_names_its_utterances(
        self,
        tiny: TinyTraining,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.poison(monkeypatch, "utt-003", "utt-007")
        encoder = tiny.train(epochs=1, batch={"max_utterances": 12})
        untouched = tiny.encoder(1)
        for name, value in encoder.state_dict().items():
            assert torch.equal(value, untouched.state_dict()[name]), name
        said = capsys.readouterr().err
        assert "step 0: gradient not finite, step left out" in said
        assert {f"utt-{number:03d}" for number in range(12) if f"utt-{number:03d}" in said} == {
            "utt-003",
            "utt-007",
        }

    def test_the_other_steps_of_the_epoch_go_on(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch, same_weights: SameWeights
    ) -> None:
        self.poison(monkeypatch, "utt-003")
        encoder = tiny.train(epochs=1)
        assert not same_weights(encoder, tiny.encoder(1))
        assert all(value.isfinite().all() for value in encoder.state_dict().values())
        assert 0 < read_metrics(tiny.folder)[0]["loss"] < 100

    def test_an_utterance_with_an_infinite_loss_is_named_with_its_numbers_and_counted(
        self,
        tiny: TinyTraining,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.poison(monkeypatch, "utt-003")
        tiny.train(epochs=2)
        data, one = tiny.data().train, tiny.utterances[3]
        said = capsys.readouterr().err
        for epoch in (0, 1):
            numbers = f"{data.frames(3, epoch)} frames, {len(one.text)} tokens"
            assert f"(utterances with infinite loss: utt-003 ({one.audio_path}: {numbers}))" in said
        for record in read_metrics(tiny.folder):
            assert record["skipped_steps"] == 1
            assert record["infinite_losses"] == {"utt-003": 1}
        assert said.count("exploding: Steps left out in epoch 1") == 1
        assert said.count("exploding") == 1, "it holds in the second epoch, but is said once"
        assert "The loss of utt-003 was infinite" in (tiny.folder / "training.html").read_text()

    def test_the_largest_loss_is_named_where_the_gradient_overflows_alone(
        self,
        tiny: TinyTraining,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def losses(emissions: Emissions, batch: Batch) -> Tensor:
            found = ctc_losses(emissions, batch)
            large = torch.tensor([1e9 if name == "utt-005" else 0.0 for name in batch.ids])
            found.register_hook(lambda gradient: gradient * torch.inf)
            return found + large

        monkeypatch.setattr("asr.training.step.ctc_losses", losses)
        tiny.train(epochs=1, batch={"max_utterances": 12})
        said = capsys.readouterr().err
        assert "all losses are finite" in said
        assert "largest loss: utt-005 (" in said
        assert read_metrics(tiny.folder)[0]["infinite_losses"] == {}

    def test_an_epoch_without_a_good_step_has_no_loss_rather_than_a_perfect_one(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.poison(monkeypatch, "utt-003")
        tiny.train(epochs=2, batch={"max_utterances": 12})
        assert all(math.isnan(record["loss"]) for record in read_metrics(tiny.folder))

    def test_a_stopped_training_remembers_its_bad_steps(
        self,
        tiny: TinyTraining,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.poison(monkeypatch, *(f"utt-{number:03d}" for number in range(12)))
        with monkeypatch.context() as patch:
            stop_after(patch, 2)
            with pytest.raises(KeyboardInterrupt):
                tiny.train(max_bad_steps=3)
        with pytest.raises(ModelError, match=r"diverged: 3 steps \(training\.max_bad_steps\)"):
            tiny.train(max_bad_steps=3)
        assert capsys.readouterr().err.count("step left out") == 3

    def test_so_many_bad_steps_in_all_end_the_training_with_advice(
        self,
        tiny: TinyTraining,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """One step of three is bad in every epoch, so never two in a row."""
        self.poison(monkeypatch, "utt-003")
        with pytest.raises(ModelError, match=r"training diverged: 4 steps.*learning_rate"):
            tiny.train(epochs=20, max_bad_steps=4)
        assert capsys.readouterr().err.count("step left out") == 4
        assert len(read_metrics(tiny.folder)) == 3


def test_a_target_that_fits_no_frames_is_refused_before_the_first_step(tiny: TinyTraining) -> None:
    first = tiny.utterances[0]
    tiny.utterances = [type(first)(**vars(first) | {"text": "ab" * 200}), *tiny.utterances[1:]]
    with pytest.raises(DataError, match=f"{first.id} .*400 frames needed"):
        tiny.train()
    assert not tiny.folder.exists()


def test_an_utterance_too_long_for_a_batch_is_refused_before_the_first_step(
    tiny: TinyTraining,
) -> None:
    """What counts is its length at the slowest speed; the development set is not bound."""
    data = tiny.data()
    longest = max(range(12), key=lambda index: tiny.utterances[index].duration)
    most = data.train.most_frames(longest)
    assert most > 105 * tiny.utterances[longest].duration, "slower than it was recorded"
    name = tiny.utterances[longest].id
    with pytest.raises(ConfigError, match=rf"training\.batch\.max_frames .* {name} \({most} fr"):
        tiny.train(batch={"max_frames": most - 1})
    assert not tiny.folder.exists()
    tiny.train(epochs=1, batch={"max_frames": most})


def test_a_long_development_utterance_is_evaluated_all_the_same(
    tiny: TinyTraining, tmp_path: Path
) -> None:
    tiny.dev = write_utterances(tmp_path, ["ab", "abcdef " * 9], name="dev")
    train = tiny.data().train
    bound = max(train.most_frames(index) for index in range(12))
    assert tiny.data().dev.frames(1, 0) > 2 * bound
    tiny.train(epochs=1, batch={"max_frames": bound})
    assert read_metrics(tiny.folder)[0]["samples"][0]["reference"] == "ab"


class PretendWorld(World):
    """One process of several, of which the others do nothing."""

    def sum_gradients(self, parameters: Sequence[nn.Parameter], numbers: Tensor) -> Tensor:
        return numbers

    def gather(self, names: list[str]) -> list[str]:
        return names

    def wait(self) -> None:
        return


class TestSeveralProcesses:
    """What a process does with the others' part, without starting them."""

    @staticmethod
    def join(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        @contextmanager
        def join_world(_: torch.device) -> Iterator[World]:
            yield world

        monkeypatch.setattr(loop, "join_world", join_world)
        # The others would do their part of the evaluation.
        monkeypatch.setattr(loop, "evaluate", lambda *data, world, **more: evaluate(*data, **more))

    @pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (3, 2), (2, 5), (2, 2)])
    def test_another_number_of_processes_goes_on_with_the_batches_that_are_left(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch, before: int, after: int
    ) -> None:
        """Twelve batches an epoch; stopped after the second step of the second epoch."""
        taken: list[int] = []
        shares: list[float] = []

        def step(self: Any, batches: list[list[int]], epochs: float, stop: Any) -> bool:
            assert 1 <= len(batches) <= self._world.size
            taken.extend(index for batch in batches for index in batch)
            shares.append(epochs / 2)
            return bool(stop())

        monkeypatch.setattr(loop._Run, "_step", step)
        self.join(monkeypatch, PretendWorld(0, before))
        with monkeypatch.context() as patch:
            stop_after(patch, 12 // before + 2)
            with pytest.raises(Stopped):
                tiny.train(epochs=2, batch={"max_utterances": 1})
        assert len(taken) == 12 + 2 * before
        self.join(monkeypatch, PretendWorld(0, after))
        tiny.train(epochs=2, batch={"max_utterances": 1})
        assert sorted(taken[:12]) == list(range(12))
        assert sorted(taken[12:]) == list(range(12)), "each once, none again, none forgotten"
        assert shares == sorted(shares)
        assert shares[-1] < 1

    def test_processes_that_do_not_see_the_same_checkpoint_are_refused(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            stop_after(patch, 2)
            with pytest.raises(Stopped):
                tiny.train()

        class Stranger(PretendWorld):
            def gather(self, names: list[str]) -> list[str]:
                return [*names, "0"]  # no checkpoint there

        self.join(monkeypatch, Stranger(0, 2))
        with pytest.raises(ModelError, match=r"different steps \(2, 0\).*shared by all machines"):
            tiny.train()

    @pytest.mark.parametrize("rank", [0, 1])
    def test_only_the_process_that_writes_removes_what_a_kill_left_behind(
        self, tiny: TinyTraining, monkeypatch: pytest.MonkeyPatch, rank: int
    ) -> None:
        self.join(monkeypatch, PretendWorld(rank, 2))
        left = [tiny.folder / ".checkpoint.pt.abcd", tiny.folder / ".epoch-0003.safetensors.ef"]
        tiny.folder.mkdir()
        for path in left:
            path.touch()
        tiny.train(epochs=1)
        assert [path.exists() for path in left] == [rank == 1] * 2


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_both_batches_in_a_step(
    tiny: TinyTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches for two processes: one has none in the last step, and must not count.

    The first step of all is bad, in the second process's batch.
    """
    worker = Path(__file__).with_name("data_parallel_worker.py")
    manifest = tiny.utterances[0].audio_path.with_name("utt.jsonl")
    plan = [[0, 1, 2], [3, 4], [5, 6, 7, 8, 9, 10, 11]]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    paths = [str(Path(__file__).parents[1]), str(Path(loop.__file__).parents[2])]
    two = subprocess.run(
        [*launch, str(worker), str(manifest), str(tmp_path / "two"), json.dumps(plan)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert two.returncode == 0, two.stderr
    # The worker replaces them; they are to be put back.
    monkeypatch.setattr(plan_module, "plan_batches", plan_module.plan_batches)
    monkeypatch.setattr("asr.training.step.ctc_losses", ctc_losses)
    monkeypatch.setattr(loop, "rate_share", loop.rate_share)
    train_tiny = runpy.run_path(str(worker))["train_tiny"]
    train_tiny(manifest, tmp_path / "one", [plan[0] + plan[1], plan[2]])
    for epoch in (1, 2, 3):
        expected, came = (load_epoch(tmp_path / name, epoch) for name in ("one", "two"))
        for name, weights in expected.items():
            torch.testing.assert_close(came[name], weights, rtol=0, atol=1e-5, msg=name)
    losses = [[one["loss"] for one in read_metrics(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert two.stderr.count("epoch   3/3") == 1, "only one process reports"
    assert two.stderr.count("infinite loss: utt-003") == 1, "though it was in the other's batch"
