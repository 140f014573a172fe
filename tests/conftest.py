"""Check array shapes and types of the computing stages at run time, in every test."""

import gc
import importlib
import inspect
import os
import tempfile
from pathlib import Path

import numba
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Kernels and caches of a test run belong to that run; its worker processes inherit the one folder of the first.
_cache = tempfile.TemporaryDirectory(prefix="micrographia-test-")
os.environ.setdefault("MICROGRAPHIA_CACHE", _cache.name)

# On a core that is shared, how long an example takes on the clock says nothing of what is tested.
settings.register_profile("shared cores", parent=settings.default, deadline=None)
settings.load_profile("shared cores")

SOURCE = Path(__file__).parents[1] / "src" / "micrographia"
# A protocol that is not runtime_checkable, as compare.py has one, cannot be checked at run time.
# And `stream`, and the network that segments, would import torch into every test.
UNCHECKED = ("compare", "stream", "__init__")
CHECKED = [
    "micrographia." + ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    for stage in ("simulate", "atoms", "segment")
    for file in sorted((SOURCE / stage).rglob("*.py"))
    if file.stem not in UNCHECKED and not (stage == "segment" and "network" in file.parts)
]

# An int serves wherever a float is asked for, as type checkers have it.
install_import_hook(CHECKED, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Numba compiles none of these checks: take them off what it compiles while the stages are imported.
with pytest.MonkeyPatch.context() as patch:
    njit = numba.njit
    patch.setattr(numba, "njit", lambda **options: lambda function: njit(**options)(inspect.unwrap(function)))
    for name in CHECKED:
        importlib.import_module(name)


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real micrographs that instruments wrote."""
    folder = Path(os.environ.get("MICROGRAPHIA_SAMPLES") or SOURCE.parents[2] / "shared" / "data").resolve()
    if not (folder / "formats").is_dir():
        pytest.skip("needs the real micrographs: set MICROGRAPHIA_SAMPLES to their folder")
    return folder


def pytest_collection_finish() -> None:
    """Spare the garbage collector what imports left behind: readers call it after each file that fails."""
    gc.collect()
    gc.freeze()
