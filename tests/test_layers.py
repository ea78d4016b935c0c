"""The law of layers: arrows between modules point one way, from the words down to the sound."""

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("asr", "data_prep")

# A layer may import the layers above it in this table, never those below or beside it; modules of
# one package may import each other. Packages stand for all their modules.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("asr", "asr.errors"),
    (
        *("asr.settings", "asr.files", "asr.text", "asr.pages", "asr.standard_input"),
        *("asr.shipped", "asr.processes"),
    ),
    ("asr.manifest", "asr.audio", "asr.lm", "asr.weights", "asr.card"),
    ("asr.pronunciation",),
    ("asr.tokens",),
    ("asr.features", "asr.augment"),
    ("asr.dataset", "asr.batching", "asr.sources"),
    # The encoder takes the mask of valid frames from asr.features: upstream of it, and the one
    # place that says what a valid frame is.
    ("asr.encoder", "asr.hearing", "asr.longform", "asr.voices"),
    ("asr.decoding", "asr.scoring"),
    ("asr.transcript",),
    ("asr.training",),
    ("asr.rnnlm",),
    ("asr.bundle",),
    ("asr.emission_decoder", "asr.export"),
    ("asr.recognizer", "asr.diagnosis"),
    ("asr.transcription", "asr.live", "asr.doctor", "asr.illustration"),
    ("asr.tuning",),
    ("data_prep",),
    ("asr.recipe",),
    ("asr.cli",),
    ("asr.__main__",),
)
LEVEL = {layer: level for level, layers in enumerate(LAYERS) for layer in layers}

# The narrow waists: what these may import, themselves apart.
MAY_IMPORT = {
    "asr.scoring": {"asr.text", "asr.manifest", "asr.errors", "asr.files", "asr.pages"},
    "data_prep": {
        "asr.manifest",
        "asr.audio",
        "asr.text",
        "asr.errors",
        "asr.files",
        "asr.settings",
    },
}
# What these must not reach, however many modules lie between.
MUST_NOT_REACH = {
    "asr.encoder": {"asr.decoding", "asr.scoring", "asr.training", "asr.audio"},
    "asr.decoding": {"asr.features", "asr.encoder", "asr.audio", "asr.dataset", "asr.scoring"},
    "asr.scoring": {"asr.tokens", "asr.decoding", "asr.encoder"},
    "asr.lm": {"asr.tokens", "asr.decoding", "asr.encoder", "asr.audio", "asr.manifest"},
}


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
    """All that a module imports anywhere in it, ours and others'."""
    if module == "asr":
        return frozenset()  # the door: `from asr import load_model` opens the house from outside
    return frozenset(_imported(ast.walk(tree_of(module)), module))


@cache
def imports_when_loaded(module: str) -> frozenset[str]:
    """What a module imports as soon as it is imported: not in functions, not for types only."""
    return frozenset(_imported(_run_when_loaded(tree_of(module)), module))


def _run_when_loaded(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _run_when_loaded(child)


def _imported(nodes: Iterator[ast.AST], module: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: a relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules() else str(node.module)


def layer_of(module: str) -> str:
    """asr.encoder.encoder -> asr.encoder; the longest entry of the table that fits."""
    fitting = [layer for layer in LEVEL if module == layer or module.startswith(f"{layer}.")]
    # "asr" stands for asr/__init__.py alone.
    fitting = [layer for layer in fitting if layer != "asr" or module == "asr"]
    assert fitting, f"{module} has no layer: give it one in LAYERS of tests/test_layers.py"
    return max(fitting, key=len)


def our_imports(module: str) -> set[str]:
    return {name for name in imports(module) if name in modules() and name != module}


def reached_from(module: str) -> set[str]:
    """Modules of ours that a module needs, directly or not."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        new = our_imports(waiting.pop()) - reached
        reached |= new
        waiting += new
    return reached


def describe(arrows: list[tuple[str, str]]) -> str:
    return "; ".join(f"{importer} imports {imported}" for importer, imported in arrows)


def test_every_module_imports_only_what_is_upstream_of_it() -> None:
    wrong = [
        (module, imported)
        for module in modules()
        for imported in our_imports(module)
        if layer_of(module) != layer_of(imported)
        and LEVEL[layer_of(imported)] >= LEVEL[layer_of(module)]
    ]
    assert not wrong, describe(wrong)


def test_the_table_names_nothing_that_is_not_there() -> None:
    assert set(LEVEL) == {layer_of(module) for module in modules()}


def test_no_imports_go_in_a_circle() -> None:
    """Within packages too, which the table of layers does not see into."""
    graph = {module: our_imports(module) for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_narrow_packages_import_only_what_they_may(package: str) -> None:
    wrong = [
        (module, imported)
        for module in modules()
        if layer_of(module) == package
        for imported in our_imports(module)
        if layer_of(imported) not in {package, *MAY_IMPORT[package]}
    ]
    assert not wrong, describe(wrong)


@pytest.mark.parametrize("package", MUST_NOT_REACH)
def test_packages_do_not_reach_what_they_must_not_know(package: str) -> None:
    wrong = [
        (module, reached)
        for module in modules()
        if layer_of(module) == package
        for reached in reached_from(module)
        if layer_of(reached) in MUST_NOT_REACH[package]
    ]
    assert not wrong, describe(wrong)


def test_no_module_is_above_300_lines() -> None:
    long = {
        module: lines
        for module, path in modules().items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


def test_every_module_is_named_for_what_it_does() -> None:
    parts = {part for module in modules() for part in module.split(".")}
    assert not parts & {"util", "utils", "helper", "helpers", "common", "misc", "tools"}


def test_everything_public_has_a_docstring() -> None:
    assert not [name for module in modules() for name in _without_docstring(module)]


def _without_docstring(module: str) -> Iterator[str]:
    if not ast.get_docstring(tree_of(module)):
        yield module
    waiting: list[tuple[str, ast.stmt]] = [(module, node) for node in tree_of(module).body]
    while waiting:
        place, node = waiting.pop()
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        name = f"{place}.{node.name}"
        if not ast.get_docstring(node):
            yield name
        if isinstance(node, ast.ClassDef):
            waiting += [(name, inner) for inner in node.body]


def test_no_command_imports_torch_before_it_runs() -> None:
    """Read from the source, so that the message says by which way torch comes in."""
    slow = {"torch", "torchaudio"}
    for start in (module for module in modules() if layer_of(module) == "asr.cli"):
        waiting, seen = [[start]], {start}
        while waiting:
            way = waiting.pop()
            for imported in sorted(imports_when_loaded(way[-1]) - seen):
                assert imported.partition(".")[0] not in slow, " -> ".join([*way, imported])
                seen.add(imported)
                if imported in modules():
                    waiting.append([*way, imported])


def test_torch_is_not_loaded_with_the_command_line() -> None:
    """Run, so that what other packages import counts too."""
    commands = ", ".join(module for module in modules() if layer_of(module) == "asr.cli")
    code = f"import sys, {commands}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_help_answers_at_once() -> None:
    """Under 0.5 s on a free machine; the bound leaves room for a busy one."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        answer = subprocess.run(
            [sys.executable, "-m", "asr", "--help"],
            cwd=ROOT,
            check=True,
            timeout=120,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        seconds.append(time.perf_counter() - started)
        assert "transcribe" in answer.stdout
        if seconds[-1] < 2.0:
            return
    pytest.fail(f"asr --help took {', '.join(f'{one:.1f}' for one in seconds)} seconds")
