"""Weights as they are stored: as they are, or smaller. Read again, they are float32.

float32             as they are
bfloat16, float16   numbers of matrices and kernels rounded
int8                matrices and kernels as whole numbers from -127 to 127, with a float32 scale for
                    each row of outputs beside them: NAME (R, …) int8 and NAME.scale (R,)

Vectors (biases, norms, statistics) stay float32: they are few, and rounding them costs most.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from asr.errors import ModelError
from asr.files import write_bytes
from asr.settings import Settings

Storage = Literal["float32", "bfloat16", "float16", "int8"]

_ROUNDED = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_SCALE = ".scale"
_MOST = 127


class ExportSettings(Settings):
    """How the model of a recipe is stored; it is measured as it is stored."""

    weights: Storage = "float32"  # of each number; int8 is a quarter of float32
    # Models trained from the same start as this one, whose weights are averaged with its own where
    # that is better on dev (Wortsman et al. 2022).
    average_with: tuple[str, ...] = ()


def pack(weights: Mapping[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    """Weights -> what is stored of them.

    Raises:
        ModelError: a number is too large for float16.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() < 2 or storage == "float32":
            packed[name] = weight.float().contiguous()
        elif storage == "int8":
            packed[name], packed[name + _SCALE] = _quantize(weight.float())
        else:
            packed[name] = weight.to(_ROUNDED[storage]).contiguous()
            if not packed[name].isfinite().all():
                raise ModelError(
                    f"'{name}' has numbers that {storage} cannot hold; store it as bfloat16"
                )
    return packed


def unpack(stored: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """What is stored -> weights in float32.

    Args:
        stored: tensors by name.
        where: the file they came from, for messages.

    Raises:
        ModelError: naming the tensor that is of another type, has no fitting scale, or has numbers
            that are not finite.
    """
    scales = {name + _SCALE for name, tensor in stored.items() if tensor.dtype == torch.int8}
    weights = {}
    for name, tensor in stored.items():
        if name in scales:
            continue
        if tensor.dtype == torch.int8:
            scale = _fitting_scale(stored.get(name + _SCALE), name, tensor, where)
            weights[name] = (tensor.flatten(1).float() * scale[:, None]).view_as(tensor)
        elif tensor.dtype in _FLOATS:
            weights[name] = tensor.float()
        else:
            raise ModelError(
                f"{where}: '{name}' is of type {_type(tensor)}; expected float32, bfloat16, "
                "float16 or int8; copy the model again"
            )
        if not weights[name].isfinite().all():
            raise ModelError(
                f"{where}: '{name}' has numbers that are not finite; copy the model again"
            )
    return weights


def as_stored(weights: Mapping[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    """Weights as they will be after they were stored and read."""
    return unpack(pack(weights, storage), "weights")


def write_weights(path: Path, weights: Mapping[str, Tensor], storage: Storage = "float32") -> None:
    """Write a safetensors file, whole or not at all."""
    write_bytes(path, save(pack(weights, storage)))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file. Raises ModelError where it is damaged, or not of weights."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the model again") from None
    return unpack(stored, str(path))


def _quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(R, …) -> (R, …) int8 and (R,) scales, symmetric; off by half a scale at most."""
    rows = weight.flatten(1)
    scale = rows.abs().amax(dim=1) / _MOST
    scale = torch.where(scale > 0, scale, 1.0)  # a row of zeros
    numbers = (rows / scale[:, None]).round().clamp(-_MOST, _MOST)
    return numbers.to(torch.int8).view_as(weight).contiguous(), scale


def _fitting_scale(scale: Tensor | None, name: str, tensor: Tensor, where: str) -> Tensor:
    if tensor.dim() < 2:
        raise ModelError(
            f"{where}: '{name}' is a vector of type int8; expected float32; copy the model again"
        )
    expected = (len(tensor),)
    if scale is None or scale.dtype != torch.float32 or tuple(scale.shape) != expected:
        came = "nothing" if scale is None else f"{_type(scale)} {tuple(scale.shape)}"
        raise ModelError(
            f"{where}: '{name}' is of type int8, and for '{name}{_SCALE}' {came} came; expected "
            f"float32 {expected}; copy the model again"
        )
    if not (scale > 0).all():
        raise ModelError(
            f"{where}: '{name}{_SCALE}' has numbers that are not above 0; copy the model again"
        )
    return scale


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
