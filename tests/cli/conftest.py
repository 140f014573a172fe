import os
import sys
from pathlib import Path

import pytest

from micrographia.cli import main

BESIDE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process: exit status, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["micrographia", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real micrographs that instruments wrote."""
    folder = Path(os.environ.get("MICROGRAPHIA_SAMPLES") or BESIDE).resolve()
    if not (folder / "formats").is_dir():
        pytest.skip("needs the real micrographs: set MICROGRAPHIA_SAMPLES to their folder")
    return folder
