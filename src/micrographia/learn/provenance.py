"""What software a training ran on."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def provenance() -> dict[str, str]:
    """Return version and commit of the software that trains.

    Returns
    -------
    dict of str to str
        ``"commit"`` is ``"unknown"`` outside a Git checkout, and ends in ``"+"`` where files were changed since.
    """
    return {"software": f"micrographia {version('micrographia')}", "commit": _commit()}


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    head, changes = (
        subprocess.run([git, "-C", str(Path(__file__).parent), *words], capture_output=True, text=True, check=False)
        for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    if head.returncode:
        return "unknown"
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")
