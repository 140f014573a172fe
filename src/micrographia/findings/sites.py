"""Atomic sites of a scan, their labels, and the evidence for what is at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.errors import InputError

LABELS: Final[Mapping[str, str]] = {
    "M": "host metal",
    "V_M": "metal missing",
    "D_M": "dopant on the metal site",
    "X2": "chalcogen pair",
    "V_X": "one chalcogen missing",
    "V_X2": "both chalcogens missing",
    "D_X": "dopant on the chalcogen site",
    "M_X2": "metal on the chalcogen site",
}
"""Every site label and what it means, the same for every material."""

SUBLATTICE: Final[Mapping[str, str]] = {label: "M" if label in ("M", "V_M", "D_M") else "X" for label in LABELS}
"""The sublattice, ``"M"`` or ``"X"``, on which each label lives."""


@dataclass(frozen=True, kw_only=True)
class SiteTable:
    """Atomic sites of a scan, occupied or not: one row a site.

    Parameters
    ----------
    x_px, y_px : float array (site,)
        Position [px]: x to the right along columns, y down along rows, centre of the first pixel at 0.
    sublattice : str array (site,)
        ``"M"`` or ``"X"``.
    labels : tuple of str
        Labels in play, keys of `LABELS`: the columns of ``posterior``.
    posterior : float array (site, label)
        Probability of each label; rows add up to 1. Labels of the other sublattice have 0, unless the scan does
        not settle which sublattice is the metal's.
    residual : float array (site,)
        Root mean square of (data - model) / noise within the site's window; about 1 where the model holds.

    Raises
    ------
    InputError
        Lengths differ, a label is unknown, or the rows of the posterior do not add up to 1.

    Examples
    --------
    >>> sites = SiteTable(x_px=np.array([3.0]), y_px=np.array([4.0]), sublattice=np.array(["M"]),
    ...                   labels=("M", "V_M"), posterior=np.array([[0.5, 0.5]]), residual=np.array([1.0]))
    >>> print(f"{sites.entropy_nats[0]:.4f} nats")
    0.6931 nats
    """

    x_px: Float[np.ndarray, " site"]
    y_px: Float[np.ndarray, " site"]
    sublattice: np.ndarray
    labels: tuple[str, ...]
    posterior: Float[np.ndarray, "site label"]
    residual: Float[np.ndarray, " site"]

    def __post_init__(self) -> None:
        lengths = {len(v) for v in (self.x_px, self.y_px, self.sublattice, self.posterior, self.residual)}
        if len(lengths) != 1:
            raise InputError(f"columns of a site table have lengths {sorted(lengths)}; accepted is one length for all")
        if stray := set(self.labels) - set(LABELS):
            raise InputError(f"site label is {sorted(stray)[0]!r}; accepted is one of {', '.join(LABELS)}")
        if self.posterior.shape != (len(self.x_px), len(self.labels)):
            raise InputError(
                f"posterior has shape {self.posterior.shape}; accepted is {(len(self.x_px), len(self.labels))}"
            )
        if not np.allclose(self.posterior.sum(axis=1), 1, atol=1e-6) or (self.posterior < 0).any():
            raise InputError("rows of the posterior must be probabilities that add up to 1")

    def __len__(self) -> int:
        return len(self.x_px)

    @property
    def label(self) -> np.ndarray:
        """Most probable label of each site, str array (site,)."""
        return np.array(self.labels)[self.posterior.argmax(axis=1)] if len(self) else np.array([], dtype=str)

    @property
    def entropy_nats(self) -> Float[np.ndarray, " site"]:
        """Entropy of each site's posterior [nats], float array (site,)."""
        p = self.posterior
        entropy: Float[np.ndarray, " site"] = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)
        return entropy


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One site's data beside its hypotheses, each simulated again in place.

    Parameters
    ----------
    site : int
        Row of the site table.
    left_px, top_px : int
        Column and row of the window's first pixel [px].
    data : float array (channel, height, width)
        The window of the micrograph, in the file's intensity units.
    hypotheses : tuple of str
        Labels, the most probable first.
    rendered : float array (hypothesis, channel, height, width)
        The window simulated under each hypothesis, the neighbours as they were decided, in the file's units.
    """

    site: int
    left_px: int
    top_px: int
    data: Float[np.ndarray, "channel height width"]
    hypotheses: tuple[str, ...]
    rendered: Float[np.ndarray, "hypothesis channel height width"]
