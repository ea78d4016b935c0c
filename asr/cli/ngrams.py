"""Where a command's n-gram model lies, or goes: an ARPA file, a packed one, or a model folder."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.lm.model import NgramModel

_PACKED = ".safetensors"


def read_ngrams(path: Path) -> "NgramModel":
    """Read an n-gram model. Raises ModelError where there is none, or a damaged one."""
    from asr.lm.arpa import read_arpa
    from asr.lm.packed import read_packed
    from asr.shipped import find_model

    path = find_model(path)
    if path.is_dir():
        from asr.bundle import model_folder
        from asr.decoding.language_model import LANGUAGE_MODEL
        from asr.errors import ModelError

        packed = model_folder(path) / LANGUAGE_MODEL
        if not packed.exists():
            raise ModelError(f"{path}: has no n-gram model; `asr tune --lm` gives it one")
        return read_packed(packed)
    return read_packed(path) if path.suffix == _PACKED else read_arpa(path)


def write_ngrams(path: Path, model: "NgramModel") -> None:
    """Write an n-gram model: packed where the name ends in .safetensors, else as ARPA.

    Raises:
        ModelError: it has longer n-grams than a packed model may have.
    """
    from asr.lm.arpa import write_arpa
    from asr.lm.packed import write_packed
    from asr.lm.training import count_bar

    if path.suffix == _PACKED:
        write_packed(path, model)
        return
    with count_bar("writing", len(model)) as progress:
        write_arpa(path, model, progress)
