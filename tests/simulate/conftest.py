"""A catalogue of two compounds at 80 keV, and its kernel library, for all tests of the generator."""

import numpy as np
import pytest

from micrographia.simulate.patches.library import build_library, read_library
from micrographia.simulate.patches.prior import Imaging
from micrographia.simulate.patches.render import SCENE
from micrographia.simulate.specimens.catalogue import Catalogue, read_catalogue

SOURCE_SIGMA_A = 0.35


@pytest.fixture(scope="session")
def small():
    """MoS2:Nb, a metal's dopant, and WSe2:S, a chalcogen's, in the two 80 keV conditions."""
    whole = read_catalogue()
    return Catalogue(
        name="small",
        compounds=tuple(c for c in whole.compounds if c.name in ("MoS2:Nb", "WSe2:S")),
        conditions=tuple(c for c in whole.conditions if c.energy_kev == 80),
    )


@pytest.fixture(scope="session")
def library_folder(small, tmp_path_factory):
    return build_library(small, tmp_path_factory.mktemp("library") / "small", workers=1)


@pytest.fixture(scope="session")
def library(library_folder):
    return read_library(library_folder)


@pytest.fixture(scope="session")
def imaging(small):
    """MAADF and HAADF of one 80 keV scan."""
    return Imaging(
        probe=small.conditions[0].probe,
        collection_mrad=tuple(c.collection_mrad for c in small.conditions),
        source_sigma_A=SOURCE_SIGMA_A,
    )


@pytest.fixture(scope="session")
def compound(small):
    """Return a function that finds a compound by its name."""
    return {c.name: c for c in small.compounds}.__getitem__


@pytest.fixture(scope="session")
def scene_of():
    """Return a function that makes a scene without any effect but those that are given."""

    def make(**changes):
        scene = np.zeros(1, dtype=SCENE)
        settings = {
            "seed": 1,
            "pixel_A": 0.2,
            "electrons_per_px": 1e4,
            "haze_period_px": 100.0,
            "flyback_recovery_px": 20.0,
        }
        for name, value in (settings | changes).items():
            scene[name] = value
        return scene[0]

    return make
