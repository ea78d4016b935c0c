"""Precision: what `auto` takes on which hardware."""

import platform
from pathlib import Path
from typing import Any

import pytest
import torch

from asr.errors import ConfigError
from asr.training.precision import uses_bfloat16
from asr.training.settings import TrainingSettings

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))


def pretend_cpu(monkeypatch: pytest.MonkeyPatch, *, onednn: bool = True, **can: Any) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)


def test_auto_is_the_default_and_another_word_is_refused() -> None:
    assert TrainingSettings().precision == "auto"
    with pytest.raises(ConfigError, match="precision"):
        TrainingSettings.parse({"precision": "float16"}, "test")


@pytest.mark.parametrize("device", [CPU, CUDA, MPS], ids=str)
def test_what_is_asked_for_by_name_is_done(
    monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    pretend_cpu(monkeypatch, avx2=True, avx512_f=True)
    assert uses_bfloat16("bfloat16", device)
    assert not uses_bfloat16("float32", device)


def test_what_the_processor_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cpu(monkeypatch, avx2=True, avx512_f=False)
    with pytest.raises(ConfigError, match=r"bfloat16, .*set it to auto or float32"):
        uses_bfloat16("bfloat16", CPU)
    assert uses_bfloat16("bfloat16", CUDA)


@pytest.mark.parametrize(
    ("can", "expected"),
    [
        ({"architecture": "x86_64", "avx2": True, "avx512_f": True}, False),
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": False}, False),
        ({"architecture": "x86_64", "avx512_bf16": True}, True),
        ({"architecture": "aarch64", "neon": True, "bf16": False}, False),
        ({"architecture": "aarch64", "neon": True, "bf16": True}, True),
    ],
    ids=str,
)
def test_auto_on_a_cpu_is_bfloat16_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, can: dict[str, Any], expected: bool
) -> None:
    pretend_cpu(monkeypatch, **can)
    assert uses_bfloat16("auto", CPU) is expected


def test_auto_on_a_cpu_without_fast_kernels_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cpu(monkeypatch, onednn=False, bf16=True)
    assert not uses_bfloat16("auto", CPU)


@pytest.mark.parametrize("native", [True, False])
def test_auto_on_a_gpu_does_not_count_emulation(
    monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert uses_bfloat16("auto", CUDA) is native


def test_auto_on_mps_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cpu(monkeypatch, bf16=True)
    assert not uses_bfloat16("auto", MPS)


def test_this_machines_own_capabilities_are_those_its_kernel_lists() -> None:
    path = Path("/proc/cpuinfo")
    if not path.exists() or platform.machine() != "x86_64":
        pytest.skip("needs an x86 processor, and Linux to list what it can")
    listed = set(path.read_text(encoding="utf-8").split())
    expected = bool(listed & {"avx512_bf16", "amx_bf16"}) and torch.backends.mkldnn.is_available()
    assert uses_bfloat16("auto", CPU) is expected
