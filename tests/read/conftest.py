import numpy as np
import pytest

from micrographia.context import Context
from micrographia.micrograph import Micrograph, Provenance


@pytest.fixture
def scan() -> Micrograph:
    """Two channels with everything known."""
    return Micrograph(
        frames=np.arange(2 * 10 * 12, dtype=np.float32).reshape(2, 10, 12),
        pixel_size_nm=0.0234,
        context=Context(
            host="WSe2",
            dopants=("Ti",),
            energy_kev=80.0,
            collection_mrad=((76.0, 200.0), None),
            detectors=("HAADF", "MAADF"),
            notes=("made here",),
            origin="user",
        ),
        provenance=Provenance(file="made here", sha256=None, reader="numpy", software="0"),
        pixel_size_origin="assumed",
    )
