"""What was found in a micrograph, how sure that is, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float

from micrographia.errors import InputError

if TYPE_CHECKING:
    from micrographia.micrograph import Micrograph

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
class Marginal:
    """Posterior of one quantity of the context that was unknown, over the grid that was tried.

    Parameters
    ----------
    name : str
        Field of the context, with ``[k]`` appended for channel ``k`` of a per-channel field.
    unit : str
        Unit of ``values``.
    values : tuple of float
        Grid, ascending.
    weights : tuple of float
        Probability of each value; they add up to 1.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(np.dot(self.values, self.weights))

    @property
    def standard_deviation(self) -> float:
        """Posterior standard deviation."""
        return float(np.sqrt(np.dot(np.square(self.values), self.weights) - self.mean**2 + 1e-300))


@dataclass(frozen=True, kw_only=True)
class LatticeCheck:
    """The lattice that was found, held against the host's known lattice constant and the file's pixel size.

    Parameters
    ----------
    spacings_px : (float, float, float)
        Mean repeat distance along the three close-packed directions [px].
    spacings_sd_px : (float, float, float)
        Standard error of each [px].
    directions_deg : (float, float, float)
        Direction of each, counter-clockwise from the x axis as seen on the screen [°].
    distortion_rms_px : float
        Root mean square of the smooth displacement from a perfect lattice [px].
    host_lattice_constant_nm : float
        Lattice constant of the host that the pixel size was computed with [nm].
    pixel_size_nm : float
        Pixel size from the lattice [nm].
    pixel_size_sd_nm : float
        Its standard uncertainty: fit, scan distortion (differences between directions) and lattice constant [nm].
    header_pixel_size_nm : float, optional
        Pixel size that the file or the user gave [nm].
    """

    spacings_px: tuple[float, float, float]
    spacings_sd_px: tuple[float, float, float]
    directions_deg: tuple[float, float, float]
    distortion_rms_px: float
    host_lattice_constant_nm: float
    pixel_size_nm: float
    pixel_size_sd_nm: float
    header_pixel_size_nm: float | None

    @property
    def header_excess(self) -> float | None:
        """Fraction by which the header's pixel size exceeds the lattice's; None without a header value."""
        if self.header_pixel_size_nm is None:
            return None
        return self.header_pixel_size_nm / self.pixel_size_nm - 1


@dataclass(frozen=True, kw_only=True)
class Information:
    """What it would be worth to know a quantity of the context that nobody recorded.

    Parameters
    ----------
    name : str
        Field of the context, with ``[k]`` appended for channel ``k`` of a per-channel field.
    entropy_nats : float
        Mean entropy of the doubtful sites' posteriors as it is [nats].
    reduction_nats : float
        By how much it is expected to fall once the quantity is known [nats].
    reduction_sd_nats : float
        Standard error of that, from the finite number of draws [nats].
    """

    name: str
    entropy_nats: float
    reduction_nats: float
    reduction_sd_nats: float


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


Decision = Literal["accept", "reject", "abstain"]
Reason = Literal["decided", "ambiguous", "novel", "insufficient references"]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """A reference that a verdict rests on, and how like it the sample is.

    Parameters
    ----------
    reference : str
        Its id in the library.
    polarity : str
        ``"accept"`` or ``"reject"``.
    similarity : float
        Cosine of the angle between sample and reference, after centring and scaling by the references: -1 to 1.
    encoder : str
        Whose embedding was compared.
    """

    reference: str
    polarity: Literal["accept", "reject"]
    similarity: float
    encoder: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one encoder, by images or by texts, contributed to a score.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    modality : str
        ``"image"``: sample against reference images; ``"patches"``: its patches against those of accepted images;
        ``"text"``: sample against the criterion's texts.
    net : float
        Net similarity of the sample: higher where it is more like what is accepted.
    z : float, optional
        ``net`` in units of its spread over the references, counted from midway between the classes; None without
        references of both kinds. Not a probability.
    weight : float
        Its share in the score; the weights of a verdict add up to 1.
    """

    encoder: str
    modality: Literal["image", "patches", "text"]
    net: float
    z: float | None
    weight: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WhereEvidence:
    """How each part of a sample would score by itself: where in the image the evidence lies.

    Parameters
    ----------
    score : float array (row, col)
        Score of each tile, in the unit of the verdict's; negative is like what is rejected.
    tile_px : int
        Side of a tile [px].
    step_px : int
        Distance between neighbouring tiles [px]; the first starts at the top left corner.
    """

    score: Float[np.ndarray, "row col"]
    tile_px: int
    step_px: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """Whether a sample meets one criterion, and what that rests on.

    Parameters
    ----------
    criterion : str
        Id of the criterion.
    title : str
        The criterion in words.
    verdict : str
        ``"accept"``, ``"reject"`` or ``"abstain"``.
    reason : str
        ``"decided"``; or why not: ``"ambiguous"`` (the references do not tell at this level), ``"novel"`` (unlike all
        references) or ``"insufficient references"``.
    explanation : str
        The same in a sentence, with numbers.
    score : float, optional
        Weighted sum of the parts' z; higher is more acceptable; None where there is nothing to compare with.
    p_accept, p_reject : float, optional
        Conformal p-values of "the sample is acceptable" and of "it is to be rejected", in (0, 1].
    p_familiar : float, optional
        Conformal p-value of "the sample is of the kind of the references", in (0, 1].
    rejected_share : float, optional
        Share of samples with this score that are to be rejected, were both kinds equally frequent, as far as the
        references tell, in [0, 1].
    missing : (int, int)
        How many more references to accept, and to reject, a decision at this level needs.
    parts : tuple of Part
        What each encoder and modality contributed.
    references : tuple of Nearest
        The nearest references of either kind, the nearest first.
    where : WhereEvidence, optional
        Map of the evidence.
    unlike : bool array (row, col), optional
        Which of equal parts of the image are least like anything accepted, of all that patches compare; None where
        patches were not compared.
    counts : (int, int)
        References to accept, and to reject, that it rests on.
    remarks : tuple of str
        What a reader must know.
    """

    criterion: str
    title: str
    verdict: Decision
    reason: Reason
    explanation: str
    score: float | None
    p_accept: float | None
    p_reject: float | None
    p_familiar: float | None
    rejected_share: float | None
    missing: tuple[int, int]
    counts: tuple[int, int]
    parts: tuple[Part, ...]
    references: tuple[Nearest, ...]
    where: WhereEvidence | None = None
    unlike: Bool[np.ndarray, "row col"] | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Qualification:
    """The verdicts on one sample.

    Parameters
    ----------
    micrograph : Micrograph
        The sample.
    verdicts : tuple of Verdict
        One a criterion, in the library's order.
    disposition : str
        ``"reject"`` if any criterion rejects, else ``"abstain"`` if any abstains, else ``"accept"``.
    library_id, library_version : str
        Which references, exactly.
    encoders : mapping of str to str
        Version of each encoder by its name.
    settings : mapping
        Resolved settings, JSON-ready.
    remarks : tuple of str
        What a reader must know about the sample as a whole.
    """

    micrograph: Micrograph
    verdicts: tuple[Verdict, ...]
    disposition: Decision
    library_id: str
    library_version: str
    encoders: Mapping[str, str]
    settings: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
