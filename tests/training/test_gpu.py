"""Training on a CUDA device is the training on a CPU, to rounding.

The CPU is always among the devices: so the tests themselves run where there is no GPU.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from asr.dataset import collate
from asr.encoder.encoder import Encoder, EncoderSettings
from asr.errors import Stopped
from asr.training import loop
from asr.training.checkpoint import Trained
from asr.training.distributed import World
from asr.training.optimizer import build_optimizer
from asr.training.precision import cpu_runs_bfloat16
from asr.training.reporting import read_metrics
from asr.training.settings import TrainingSettings
from asr.training.step import TrainingStep

TinyTraining = Any  # of the conftest, which cannot be imported
no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, no_gpu])]
)


@pytest.fixture(autouse=True)
def whole_float32() -> Iterator[None]:
    """Without TensorFloat-32, whose ten bits cuDNN takes for float32 unless it is told."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def gradient(tiny: TinyTraining, device: str) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradient of one step on all utterances, without dropout."""
    torch.manual_seed(1)
    shape = EncoderSettings(hidden=8, layers=2, factor=2, dropout=0.0)
    encoder = Encoder(shape, inputs=8, tokens=8).to(device)
    settings = TrainingSettings(precision="float32")
    step = TrainingStep(
        Trained(encoder, build_optimizer(encoder, settings.optimizer), None), settings, World()
    )
    dataset = tiny.data().dev
    batch = collate([dataset.example(index, 0) for index in range(len(dataset))])
    outcome = step([(0, batch)], tokens=20, rate=1e-3, number=1, stop=lambda: False)
    found = {name: weight.grad.cpu() for name, weight in encoder.named_parameters()}
    return outcome.loss, found


@DEVICES
def test_loss_and_gradient_of_a_step_are_those_of_the_cpu(tiny: TinyTraining, device: str) -> None:
    expected_loss, expected = gradient(tiny, "cpu")
    loss, found = gradient(tiny, device)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, wanted in expected.items():
        assert wanted.abs().max() > 0, name
        bound = 1e-4 * float(wanted.abs().max())
        torch.testing.assert_close(found[name], wanted, rtol=1e-4, atol=bound, msg=name)


@DEVICES
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_learns_in_either_precision(
    tiny: TinyTraining, device: str, precision: str
) -> None:
    if (device, precision) == ("cpu", "bfloat16") and not cpu_runs_bfloat16():
        pytest.skip("this processor has no bfloat16")
    tiny.device = device
    encoder = tiny.train(epochs=6, precision=precision, optimizer={"learning_rate": 0.02})
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}
    losses = [record["loss"] for record in read_metrics(tiny.folder)]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


@DEVICES
def test_a_stopped_training_goes_on(
    tiny: TinyTraining, device: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.device = device
    tiny.train(folder=tmp_path / "whole", precision="float32")
    asked = iter([False] * 4)

    @contextmanager
    def stop_in_the_fifth_step() -> Iterator[Any]:
        yield lambda: next(asked, True)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requests", stop_in_the_fifth_step)
        with pytest.raises(Stopped):
            tiny.train(precision="float32")
    tiny.train(init=2, precision="float32")
    whole, resumed = (read_metrics(folder) for folder in (tmp_path / "whole", tiny.folder))
    assert [one["step"] for one in resumed] == [one["step"] for one in whole]
    # To rounding: the order in which a GPU adds up is not always the same.
    for one, other in zip(resumed, whole, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)
