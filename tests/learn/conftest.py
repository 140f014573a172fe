"""A small catalogue, and a kernel library for any probe whose kernels cost nothing."""

import numpy as np
import pytest
from ase.data import atomic_numbers

from micrographia.simulate.patches.library import needed
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.spectra import BEYOND_MRAD, NODE
from micrographia.simulate.specimens.catalogue import Catalogue, read_catalogue


@pytest.fixture(scope="session")
def small():
    """MoS2:Nb, a metal's dopant, and WSe2:S, a chalcogen's: between them every label occurs."""
    whole = read_catalogue()
    return Catalogue(
        name="small",
        compounds=tuple(c for c in whole.compounds if c.name in ("MoS2:Nb", "WSe2:S")),
        conditions=whole.conditions,
    )


@pytest.fixture(scope="session")
def made_up_library(small, tmp_path_factory):
    """Round Gaussian columns, about as bright as their atoms are heavy, fainter at large angles."""
    folder = tmp_path_factory.mktemp("made-up-library")
    record = needed(small, ImagingPrior())
    (folder / "library.json").write_text(record.model_dump_json(indent=1), encoding="utf-8")
    one = 25.0 * np.exp(-BEYOND_MRAD / 60)[:, None] * np.exp(-4 * NODE**2)
    brightness = [sum(atomic_numbers[symbol] ** 1.7 for symbol, _ in atoms) for atoms in record.columns]
    weight = np.array(brightness)[:, None, None]
    shape = (len(record.probes), *(weight * one).shape)
    np.save(folder / "spectra.npy", np.broadcast_to(weight * one, shape).astype(np.float32))
    return folder
