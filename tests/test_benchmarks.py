"""`make bench` runs every benchmark, or says what it wants; the lock has what it installs."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SCRIPTS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_benchmark_is_run_unless_it_cannot_do_without_a_users_files(path: Path) -> None:
    run = re.search(rf"^\t\S+ benchmarks/{path.name}", MAKEFILE, re.MULTILINE)
    told = path.name in MAKEFILE.partition("VENV :=")[0]
    source = path.read_text(encoding="utf-8")
    wants = "required=True" in source or re.search(r'add_argument\("[a-z]', source)
    assert bool(run) != bool(wants)
    assert run or told


def test_the_lock_has_a_version_of_all_that_may_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+", line) for line in lines)
    locked = {_plain(line.partition("==")[0]) for line in lines}
    names = [re.match(r"[\w.-]+", one).group() for one in wanted]
    assert not [name for name in names if _plain(name) not in locked]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
