from __future__ import annotations

import pytest
from demo_findings import make_findings

from micrographia.findings import DefectFindings


@pytest.fixture(scope="session")
def findings() -> DefectFindings:
    return make_findings()


@pytest.fixture(scope="session")
def bare_findings() -> DefectFindings:
    """One channel, no pixel size, no defects."""
    return make_findings(channels=1, pixel_size_nm=None, defects=False)
