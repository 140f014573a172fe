"""Solutions of scans, made up rather than solved."""

import numpy as np
import pytest

from micrographia.atoms.conditions import Condition
from micrographia.atoms.decide import Decision
from micrographia.atoms.physics import Solution
from micrographia.simulate import Probe


@pytest.fixture(scope="session")
def solved():
    """Return a function that makes a solution of what its sites and its conditions are given as."""

    def make(*, x_px=(), y_px=(), on_metal=(), tried=()) -> Solution:
        """``tried``: for each channel, what was tried and how probable it is: (energy, convergence, angles, weight)."""
        sites, channels = len(x_px), len(tried)
        candidates = tuple(
            tuple(
                Condition(
                    probe=Probe(energy_kev=energy_kev, convergence_mrad=convergence_mrad),
                    collection_mrad=angles,
                    log_likelihood=0.0,
                    blur_A2=np.eye(2),
                    amplitude=np.ones(1),
                )
                for energy_kev, convergence_mrad, angles, _ in of_channel
            )
            for of_channel in tried
        )
        decision = Decision(
            posterior=np.ones((sites, 1)),
            scale=np.ones((2, channels)),
            covariance=np.tile(np.eye(channels), (2, 1, 1)),
            fraction=np.ones(1),
            log_evidence=0.0,
        )
        return Solution(
            x_px=np.array(x_px, dtype=float),
            y_px=np.array(y_px, dtype=float),
            on_metal=np.array(on_metal, dtype=bool),
            judged=np.arange(sites),
            reported=np.ones(sites, dtype=bool),
            shown=np.ones(sites, dtype=bool),
            decision=decision,
            models=(),
            fits=(),
            columns=np.zeros((channels, 4, 4)),
            chi=np.ones(sites),
            marginals=(),
            condition=tuple(c[0] for c in candidates),
            candidates=candidates,
            weights=tuple(np.array([t[3] for t in of_channel]) for of_channel in tried),
            log_evidence=0.0,
        )

    return make
