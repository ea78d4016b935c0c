"""Precision: the numbers that matrices are multiplied in; weights are float32 in any case."""

from typing import Literal

import torch

from asr.errors import ConfigError

Precision = Literal["auto", "float32", "bfloat16"]

_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # x86, x86, ARM


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether a device is to multiply in bfloat16; `auto`: where its hardware does.

    Raises:
        ConfigError: it is asked for on a processor that torch cannot run an LSTM so on.
    """
    if precision == "bfloat16" and device.type == "cpu" and not cpu_runs_bfloat16():
        raise ConfigError(
            "precision is bfloat16, which torch computes no LSTM in on this processor (it has no "
            "AVX-512); set it to auto or float32"
        )
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _cpu_has_bfloat16()


def cpu_runs_bfloat16() -> bool:
    """Whether this processor computes everything in bfloat16, however slowly."""
    capabilities = torch.cpu.get_capabilities()
    return not capabilities.get("avx2", False) or bool(capabilities.get("avx512_f", False))


def _cpu_has_bfloat16() -> bool:
    # Without oneDNN (macOS) torch is slow in bfloat16, whatever the processor can do.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _CPU_BFLOAT16)
