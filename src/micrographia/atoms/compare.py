"""Two tables of sites of the same scan, matched one to one and compared."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import KDTree

from micrographia.errors import InputError, ReadError
from micrographia.findings import LABELS

_MOST_CANDIDATES_A_SITE: Final = 64


class Labelled(Protocol):
    """Anything with positions [px] and a label a site: a `SiteTable`, or `LabelledSites`."""

    @property
    def x_px(self) -> Float[np.ndarray, " site"]:
        """Position along columns [px]."""

    @property
    def y_px(self) -> Float[np.ndarray, " site"]:
        """Position along rows [px]."""

    @property
    def label(self) -> np.ndarray:
        """Label of each site, str array (site,)."""


@dataclass(frozen=True, kw_only=True)
class LabelledSites:
    """Positions and labels of sites, from wherever they come.

    Parameters
    ----------
    x_px, y_px : float array (site,)
        Position [px]: x along columns, y along rows. Finite.
    label : str array (site,)
        Any words; those of `micrographia.findings.LABELS` are listed first.

    Raises
    ------
    InputError
        Lengths differ, or a position is not finite.
    """

    x_px: Float[np.ndarray, " site"]
    y_px: Float[np.ndarray, " site"]
    label: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.x_px) == len(self.y_px) == len(self.label):
            raise InputError(
                f"sites have {len(self.x_px)} x, {len(self.y_px)} y and {len(self.label)} labels; "
                "accepted is one of each for every site"
            )
        if not (np.isfinite(self.x_px).all() and np.isfinite(self.y_px).all()):
            raise InputError("a site has a position that is NaN or infinite; remove it or give its position in pixels")

    def __len__(self) -> int:
        return len(self.x_px)

    def within(self, other: Labelled) -> LabelledSites:
        """Return the sites inside the bounding box of ``other``, its edge included."""
        x, y = other.x_px, other.y_px
        keep = (self.x_px >= x.min()) & (self.x_px <= x.max()) & (self.y_px >= y.min()) & (self.y_px <= y.max())
        return LabelledSites(x_px=self.x_px[keep], y_px=self.y_px[keep], label=self.label[keep])


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """How well one label was found again. A ratio without a denominator is None.

    Parameters
    ----------
    label : str
        The label.
    tested, reference : int
        Sites with this label in the table under test and in the reference.
    found : int
        Reference sites of this label that have a partner, whatever its label.
    agreed : int
        Pairs in which both tables give this label.
    """

    label: str
    tested: int
    reference: int
    found: int
    agreed: int

    @property
    def precision(self) -> float | None:
        """Agreed over all sites so labelled under test, unmatched ones included."""
        return self.agreed / self.tested if self.tested else None

    @property
    def recall(self) -> float | None:
        """Agreed over all sites so labelled in the reference, unmatched ones included."""
        return self.agreed / self.reference if self.reference else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where the reference has no such site."""
        return 2 * self.agreed / (self.tested + self.reference) if self.reference else None

    @property
    def found_fraction(self) -> float | None:
        """Fraction of the reference's sites of this label that have a partner."""
        return self.found / self.reference if self.reference else None


@dataclass(frozen=True, kw_only=True)
class SiteComparison:
    """A table under test (A), held against a reference (B).

    Parameters
    ----------
    tolerance_px : float
        Largest distance of a pair [px].
    labels : tuple of str
        Labels of either table: rows and columns of ``confusion``.
    pairs : int array (pair, 2)
        Rows of A and B that were matched.
    distances_px : float array (pair,)
        Distance of each pair [px].
    offset_px : (float, float), optional
        Mean of A - B over the pairs, along x and y [px]; None without pairs.
    unmatched_a, unmatched_b : int array
        Rows without a partner.
    confusion : int array (label, label)
        Number of pairs with the row's label in A and the column's in B.
    scores : tuple of LabelScore
        One a label, in the order of ``labels``.
    """

    tolerance_px: float
    labels: tuple[str, ...]
    pairs: Int[np.ndarray, "pair 2"]
    distances_px: Float[np.ndarray, " pair"]
    offset_px: tuple[float, float] | None
    unmatched_a: Int[np.ndarray, " row"]
    unmatched_b: Int[np.ndarray, " row"]
    confusion: Int[np.ndarray, "label label"]
    scores: tuple[LabelScore, ...]

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa over the pairs: agreement beyond chance (doi:10.1177/001316446002000104).

        None without pairs, and where both tables give one and the same label throughout, as chance then explains all.
        """
        return cohen_kappa(self.confusion)


def cohen_kappa(confusion: Int[np.ndarray, "label label"]) -> float | None:
    """Return Cohen's kappa of a confusion matrix: agreement beyond chance (doi:10.1177/001316446002000104).

    Parameters
    ----------
    confusion : int array (label, label)
        Number of things with the row's label from one and the column's from the other.

    Returns
    -------
    float, optional
        None where there is nothing, or one and the same label throughout, as chance then explains all.

    Examples
    --------
    >>> print(f"{cohen_kappa(np.array([[20, 5], [10, 15]])):.2f}")
    0.40
    """
    total = int(confusion.sum())
    if not total:
        return None
    observed = float(np.trace(confusion)) / total
    chance = float(confusion.sum(axis=1) @ confusion.sum(axis=0)) / total**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def compare_sites(a: Labelled, b: Labelled, *, tolerance_px: float = 2.0) -> SiteComparison:
    """Match two tables of sites one to one and compare their labels.

    Of all one-to-one matchings within the tolerance, it takes one with the most pairs, and among those the one with
    the least total distance. Labels play no part in the matching, and the order of rows plays none either.

    Parameters
    ----------
    a : Labelled
        Table under test.
    b : Labelled
        Reference.
    tolerance_px : float
        Largest distance of a pair [px], positive. Less than half the distance between neighbouring columns makes sense.

    Returns
    -------
    SiteComparison
        Pairs, scores a label, confusion matrix and Cohen's kappa.

    Raises
    ------
    InputError
        A tolerance that is not positive, or so large that a site has many dozens of possible partners.

    Examples
    --------
    >>> found = LabelledSites(x_px=np.array([0.0, 10.0]), y_px=np.zeros(2), label=np.array(["V_X", "X2"]))
    >>> known = LabelledSites(x_px=np.array([0.5, 30.0]), y_px=np.zeros(2), label=np.array(["V_X", "X2"]))
    >>> [(s.label, s.precision, s.recall) for s in compare_sites(found, known).scores]
    [('X2', 0.0, 0.0), ('V_X', 1.0, 1.0)]
    """
    if not (np.isfinite(tolerance_px) and tolerance_px > 0):
        raise InputError(f"tolerance is {tolerance_px:g} px; accepted is a positive number, e.g. 2")
    label_a, label_b = np.asarray(a.label, dtype=str), np.asarray(b.label, dtype=str)
    pairs = _match(_points(a), _points(b), _order(a, label_a), _order(b, label_b), tolerance_px)
    labels = _ordered_labels(np.concatenate([label_a, label_b]).tolist())
    index = {label: k for k, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for row_a, row_b in pairs:
        confusion[index[str(label_a[row_a])], index[str(label_b[row_b])]] += 1
    shift = _points(a)[pairs[:, 0]] - _points(b)[pairs[:, 1]]
    return SiteComparison(
        tolerance_px=float(tolerance_px),
        labels=labels,
        pairs=pairs,
        distances_px=np.hypot(shift[:, 0], shift[:, 1]),
        offset_px=(float(shift[:, 0].mean()), float(shift[:, 1].mean())) if len(pairs) else None,
        unmatched_a=np.setdiff1d(np.arange(len(label_a)), pairs[:, 0]),
        unmatched_b=np.setdiff1d(np.arange(len(label_b)), pairs[:, 1]),
        confusion=confusion,
        scores=tuple(
            LabelScore(
                label=label,
                tested=int((label_a == label).sum()),
                reference=int((label_b == label).sum()),
                found=int(confusion[:, k].sum()),
                agreed=int(confusion[k, k]),
            )
            for k, label in enumerate(labels)
        ),
    )


def _points(sites: Labelled) -> Float[np.ndarray, "site 2"]:
    return np.stack([sites.x_px, sites.y_px], axis=1).astype(float)


def _order(sites: Labelled, label: np.ndarray) -> Int[np.ndarray, " site"]:
    """Return the rows in an order of their own, so that ties break alike however a file is sorted."""
    return np.lexsort((label, sites.y_px, sites.x_px))


def _ordered_labels(labels: Sequence[str]) -> tuple[str, ...]:
    present = set(labels)
    return (*(label for label in LABELS if label in present), *sorted(present - set(LABELS)))


def _match(
    a: Float[np.ndarray, "a 2"],
    b: Float[np.ndarray, "b 2"],
    order_a: Int[np.ndarray, " a"],
    order_b: Int[np.ndarray, " b"],
    tolerance_px: float,
) -> Int[np.ndarray, "pair 2"]:
    none = np.zeros((0, 2), dtype=np.int64)
    if not len(a) or not len(b):
        return none
    tree_a, tree_b = KDTree(a[order_a]), KDTree(b[order_b])
    if tree_a.count_neighbors(tree_b, tolerance_px) > _MOST_CANDIDATES_A_SITE * max(len(a), len(b)):
        raise InputError(
            f"tolerance is {tolerance_px:g} px, which leaves a site with more than {_MOST_CANDIDATES_A_SITE} possible "
            "partners; accepted is less than the distance between neighbouring columns"
        )
    near = tree_a.sparse_distance_matrix(tree_b, tolerance_px, output_type="coo_matrix")
    if not near.nnz:
        return none
    # Every site of A may also stay alone, at a price above that of all pairs together: most pairs come first, and
    # then the least distance. Distances are raised by 1 because a sparse matrix takes 0 for no entry.
    alone = (tolerance_px + 1) * (len(a) + 1)
    diagonal = np.arange(len(a))
    choice = hstack(
        [
            coo_array((near.data + 1, (near.row, near.col)), shape=(len(a), len(b))),
            coo_array((np.full(len(a), alone), (diagonal, diagonal)), shape=(len(a), len(a))),
        ]
    ).tocsr()
    rows, columns = min_weight_full_bipartite_matching(choice)
    taken = columns < len(b)
    pairs = np.stack([order_a[rows[taken]], order_b[columns[taken]]], axis=1).astype(np.int64)
    return pairs[np.argsort(pairs[:, 0])]


def read_labelled_sites(path: Path) -> LabelledSites:
    """Read positions and labels from a CSV file with columns ``x_px``, ``y_px`` and ``label``.

    Parameters
    ----------
    path : Path
        Comma-separated file with a header; other columns are ignored, and labels may be any words.

    Returns
    -------
    LabelledSites
        One row a line, in the order of the file.

    Raises
    ------
    ReadError
        The file is missing, not text, without a needed column, without rows, or a position is not a finite number.
    """
    needed = ("x_px", "y_px", "label")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"{path} is not a CSV file; accepted is text with columns {', '.join(needed)}") from error
    if missing := [name for name in needed if name not in header]:
        raise ReadError(
            f"{path} has no column {missing[0]}; its columns are {', '.join(header) or 'none'}, "
            f"needed are {', '.join(needed)}"
        )
    if not rows:
        raise ReadError(f"{path} has no rows; a table of sites needs at least one")
    numbers = {name: np.empty(len(rows)) for name in ("x_px", "y_px")}
    for k, row in enumerate(rows):
        for name, column in numbers.items():
            try:
                column[k] = float(row[name] or "")
            except ValueError:
                column[k] = np.nan
            if not np.isfinite(column[k]):
                raise ReadError(f"{path}, row {k + 1}: {name} is {row[name]!r}; accepted is a finite number")
        if not (row["label"] or "").strip():
            raise ReadError(f"{path}, row {k + 1}: the label is empty; accepted is a word such as V_X")
    label = np.array([str(row["label"]).strip() for row in rows])
    return LabelledSites(x_px=numbers["x_px"], y_px=numbers["y_px"], label=label)
