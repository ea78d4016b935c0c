"""A packed n-gram model, opened by flashlight's KenLM."""

import tempfile
from pathlib import Path
from typing import Any

from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

from asr.errors import ModelError, one_line
from asr.lm.kenlm import write_kenlm
from asr.lm.packed import read_packed


def open_language_model(path: Path, names: Dictionary) -> Any:
    """Open a packed model (asr.lm.packed), by way of a temporary file that is KenLM's own.

    Args:
        path: the packed model.
        names: of the words, by the numbers that the search will ask with.

    Raises:
        ModelError: it is missing or damaged, or there is no room for the temporary file.
    """
    model = read_packed(path)
    try:
        # The file goes when it is open; where that cannot be (Windows), with the other temporaries.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            unpacked = Path(folder) / "lm"
            write_kenlm(unpacked, model)
            return KenLM(str(unpacked), names)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{path}: cannot be unpacked into {tempfile.gettempdir()} ({one_line(error)}); it "
            "takes some 30 bytes an n-gram there: make room, or set TMPDIR"
        ) from error
