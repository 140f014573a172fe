"""Physics and network side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from micrographia.errors import InputError
from micrographia.findings.unknowns import Information


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """Both methods' answers for the same sites, side by side, and what only the network gives.

    Parameters
    ----------
    physics, network : float array (site, label)
        Posterior of each site by either method; columns as in the `SiteTable`.
    label_set : bool array (site, label)
        Labels that cannot be ruled out at the chosen level: a conformal prediction set of the network.
    coverage : float
        The level: the fraction of sites whose set holds the true label, on data like those of the calibration.
    familiarity : float array (site,)
        Fraction of simulated sites that are at least as unlike the others as this one. Small values flag what the
        network was not made for.
    least_familiarity : float
        Sites below this are flagged.
    disagreements : tuple of int
        Rows of sites whose most probable label differs between the methods, the most striking first.
    information : tuple of Information
        What each quantity that nobody recorded would be worth, the most valuable first; empty where all is known.
    """

    physics: Float[np.ndarray, "site label"]
    network: Float[np.ndarray, "site label"]
    label_set: Bool[np.ndarray, "site label"]
    coverage: float
    familiarity: Float[np.ndarray, " site"]
    least_familiarity: float
    disagreements: tuple[int, ...]
    information: tuple[Information, ...]

    def __post_init__(self) -> None:
        if not self.physics.shape == self.network.shape == self.label_set.shape:
            raise InputError(
                f"opinions have shapes {self.physics.shape}, {self.network.shape} and {self.label_set.shape}; "
                "accepted is one shape, (site, label)"
            )
        differ = self.physics.argmax(axis=1) != self.network.argmax(axis=1) if self.physics.size else np.zeros(0)
        if sorted(self.disagreements) != np.nonzero(differ)[0].tolist():
            raise InputError("disagreements are not the sites whose most probable labels differ")

    @property
    def unfamiliar(self) -> Bool[np.ndarray, " site"]:
        """Which sites are flagged, bool array (site,)."""
        flagged: Bool[np.ndarray, " site"] = self.familiarity < self.least_familiarity
        return flagged
