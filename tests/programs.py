"""Programs that some tests want, and what happens where one is missing."""

import os
import shutil
from collections.abc import Sequence

import pytest

ALL = "ASR_ALL_TESTS"  # set to 1: a missing program is a failure


def installed(names: Sequence[str], folder: str = "") -> str | None:
    """The path of the first program that is there, in the PATH or in a folder; None if none is."""
    for name in names:
        path = shutil.which(name) or (shutil.which(name, path=folder) if folder else None)
        if path is not None:
            return path
    return None


def find_program(names: Sequence[str], package: str, folder: str = "") -> str:
    """The path of the first program that is there.

    Where none is, the test is skipped, or fails with ASR_ALL_TESTS=1; either says what is missing.

    Args:
        names: what it is called, by different distributions.
        package: Debian's package of it.
        folder: where else it may be than in the PATH.
    """
    path = installed(names, folder)
    if path is not None:
        return path
    missing = f"needs {names[0]}, which is not installed; on Debian: apt-get install {package}"
    if os.environ.get(ALL) == "1":
        pytest.fail(f"{missing} ({ALL}=1 lets no test be skipped for that)", pytrace=False)
    pytest.skip(missing)
