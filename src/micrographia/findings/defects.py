"""What is at every atomic site of a scan, with all that the answer rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from micrographia.findings.lattice_check import LatticeCheck
from micrographia.findings.opinions import Opinions
from micrographia.findings.sites import Evidence, SiteTable
from micrographia.findings.unknowns import Marginal

if TYPE_CHECKING:
    from micrographia.micrograph import Micrograph


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How much there is of one label.

    Parameters
    ----------
    label : str
        Key of `LABELS`.
    count : int
        Number of sites whose most probable label it is.
    expected_count : float
        Sum of its probability over all sites.
    count_interval : (float, float)
        95 % interval for the number that such a field holds: counting statistics and doubtful sites together.
    density_per_nm2 : float, optional
        Expected count for the area that the sites cover [nm^-2]; None without a pixel size.
    density_interval_per_nm2 : (float, float), optional
        95 % interval [nm^-2].
    """

    label: str
    count: int
    expected_count: float
    count_interval: tuple[float, float]
    density_per_nm2: float | None
    density_interval_per_nm2: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class DefectFindings:
    """The answer to "what is at every atomic site of this scan?", with all that it rests on.

    Parameters
    ----------
    micrograph : Micrograph
        The scan with the context used, origins included.
    sites : SiteTable
        Every site and the posterior of its labels.
    findings : tuple of Finding
        Amount of every label in play.
    evidence : tuple of Evidence
        The least certain sites, and examples of each kind of defect.
    least_certain : tuple of int
        Rows of the least certain sites, the most doubtful first.
    model : float array (channel, height, width)
        The whole scan simulated under the most probable labels, in the file's intensity units.
    marginals : tuple of Marginal
        What the data said about the unknown context.
    lattice : LatticeCheck
        Lattice against header.
    method : str
        ``"physics"`` or ``"network"``.
    settings : mapping
        Resolved settings of the method, JSON-ready.
    remarks : tuple of str
        What a reader must know: doubts, overridden values, limits of the method met here.
    opinions : Opinions, optional
        Physics and network side by side; None where the network was not asked.
    """

    micrograph: Micrograph
    sites: SiteTable
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    least_certain: tuple[int, ...]
    model: Float[np.ndarray, "channel height width"]
    marginals: tuple[Marginal, ...]
    lattice: LatticeCheck
    method: str
    settings: Mapping[str, Any]
    remarks: tuple[str, ...]
    opinions: Opinions | None = None
