"""The structure that DESIGN promises: imports flow one way, the public names are what they are said to be."""

import ast
import re
from pathlib import Path

import micrographia

SOURCE = Path(micrographia.__file__).parent
ORDER = (
    *("read", "simulate", "atoms", "segment", "cues", "embed", "qualify", "instruct", "learn", "report", "web", "cli"),
)
WITHIN_SIMULATE = ("cluster", "columns", "specimens", "scans", "patches", "datasets")
BASE = {
    "errors": set(),
    "context": {"errors"},
    "micrograph": {"errors"},
    "findings": {"errors"},
    "weights": set(),
}


def imported_stages(file: Path) -> set[str]:
    """Stages of micrographia that a module imports at run time."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "micrographia":
                names = [f"micrographia.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("micrographia.")}
    return found


def test_every_module_imports_only_from_stages_above_it():
    wrong = []
    for file in SOURCE.rglob("*.py"):
        stage = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        if stage in ("__init__", "__main__"):
            continue
        allowed = {*BASE[stage], stage} if stage in BASE else {*BASE, *ORDER[: ORDER.index(stage) + 1], "__version__"}
        if stray := imported_stages(file) - allowed:
            wrong.append(f"{file.relative_to(SOURCE)} imports {sorted(stray)}")
    assert wrong == []


def test_simulation_goes_from_columns_to_data_sets():
    wrong = []
    for file in (SOURCE / "simulate").rglob("*.py"):
        step = file.relative_to(SOURCE / "simulate").parts[0].removesuffix(".py")
        if step == "__init__":
            continue
        allowed = WITHIN_SIMULATE[: WITHIN_SIMULATE.index(step) + 1]
        text = file.read_text(encoding="utf-8")
        found = set(re.findall(r"from micrographia\.simulate\.(\w+)", text))
        if stray := found - set(allowed):
            wrong.append(f"{file.relative_to(SOURCE)} imports {sorted(stray)}")
    assert wrong == []


def test_no_relative_imports_escape_that_rule():
    relative = [
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_all_names_are_exactly_the_public_ones():
    public = {n for n, v in vars(micrographia).items() if not n.startswith("_") and not isinstance(v, type(ast))}
    assert set(micrographia.__all__) == (public | {"__version__"}) - {"version"}


def test_no_function_of_the_package_takes_arbitrary_keywords():
    takers = [
        f"{file.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and not node.name.startswith("_")
    ]
    assert takers == []
