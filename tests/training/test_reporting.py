"""What a training tells: one record an epoch in metrics.jsonl, the rest on stderr."""

from pathlib import Path
from typing import Any

import pytest

from asr.training.reporting import Reporter, best_first, read_metrics


def record(epoch: int, **more: Any) -> dict[str, Any]:
    numbers = {"loss": 1.0, "dev_loss": 1.5, "dev_wer": 0.25, "dev_cer": 0.125}
    return {
        "epoch": epoch,
        "seconds": 60.0 * epoch,
        "speed": 100.0,
        "data_wait": 0.03,
        **numbers,
        **more,
    }


def test_each_epoch_is_one_record_as_it_was_given(tmp_path: Path) -> None:
    with Reporter(tmp_path, 3, epochs_done=0) as reporter:
        reporter.epoch(record(1, hypothesis="où\nça"))
        reporter.epoch(record(2))
    assert read_metrics(tmp_path) == [record(1, hypothesis="où\nça"), record(2)]


def test_records_of_a_run_that_was_cut_off_are_replaced(tmp_path: Path) -> None:
    with Reporter(tmp_path, 4, epochs_done=0) as reporter:
        for epoch in (1, 2, 3):
            reporter.epoch(record(epoch))
    with Reporter(tmp_path, 4, epochs_done=1) as reporter:
        reporter.epoch(record(2, loss=0.5))
    assert read_metrics(tmp_path) == [record(1), record(2, loss=0.5)]


def test_there_are_no_metrics_before_the_first_epoch(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []


def test_an_epoch_is_a_line_on_stderr_with_the_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter(tmp_path, 5, epochs_done=0) as reporter:
        reporter.step(0.5, 2.0)
        reporter.epoch(record(1))
        reporter.epoch(record(2))
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert " ".join(first.split()) == (
        "epoch 1/5 loss 1.000 dev loss 1.500 WER 25.0% CER 12.5% 100 x real time (3% waiting) "
        "4 min left"
    )
    assert second.endswith("3 min left")


def test_the_time_left_counts_the_epochs_of_earlier_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter(tmp_path, 5, epochs_done=0) as reporter:
        reporter.epoch(record(1))
    with Reporter(tmp_path, 5, epochs_done=1) as reporter:
        reporter.epoch(record(2))
    assert capsys.readouterr().err.splitlines()[-1].endswith("3 min left")


def test_only_one_of_several_processes_tells_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter(tmp_path, 2, epochs_done=0, quiet=True) as reporter:
        reporter.step(0.5, 2.0)
        reporter.say("something")
        reporter.epoch(record(1))
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_best_epoch_is_the_lowest_in_wer_then_cer_then_the_latest() -> None:
    rates = [(0.2, 0.1), (0.1, 0.2), (0.1, 0.1), (0.1, 0.1), (0.1, 0.2)]
    records = [
        record(epoch, dev_wer=wer, dev_cer=cer, dev_loss=epoch)
        for epoch, (wer, cer) in enumerate(rates, start=1)
    ]
    assert [one["epoch"] for one in best_first(records)] == [4, 3, 5, 2, 1]


def test_where_targets_compete_their_loss_is_what_the_best_epoch_is_chosen_by() -> None:
    losses = [(0.3, 0.9), (0.4, 0.7), (0.5, 0.8), (0.6, 0.7)]
    records = [
        record(epoch, dev_wer=wer, dev_mmi=mmi) for epoch, (wer, mmi) in enumerate(losses, start=1)
    ]
    assert [one["epoch"] for one in best_first(records)] == [4, 2, 3, 1]
