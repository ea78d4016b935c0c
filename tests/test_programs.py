"""A missing program skips a test, and fails it where all tests are wanted."""

import os
import sys
from pathlib import Path

import pytest
from programs import ALL, find_program


def test_a_missing_program_skips_a_test_and_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ALL, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs no-such-program.*apt-get install sctk"):
        find_program(["no-such-program"], "sctk")


def test_a_missing_program_fails_a_test_where_all_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ALL, "1")
    with pytest.raises(pytest.fail.Exception, match=r"apt-get install sctk \(ASR_ALL_TESTS=1"):
        find_program(["no-such-program"], "sctk")


def test_a_program_is_found_by_any_of_its_names_and_beside_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    python = Path(sys.executable)
    found = find_program(["no-such-program", python.name], "python3", str(python.parent))
    assert Path(found) == python
