"""Precision: the numbers that matrices are multiplied in; weights are float32 in any case."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # x86, x86, ARM


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether a device is to multiply in bfloat16; `auto`: where its hardware does."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    # Without oneDNN (macOS) torch is slow in bfloat16, whatever the processor can do.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _CPU_BFLOAT16)
