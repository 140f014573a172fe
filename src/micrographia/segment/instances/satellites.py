"""Satellites: small particles stuck to the surface of a bigger one, as in gas-atomised powder.

An outline shows two kinds. One touches its parent at a neck, and is an object already. The other is sunk into its
parent to half of its width or more and has no neck: it shows as a cap on the outline, too sharp to be the parent's own.
Those on the face of their parent an outline does not show at all: a mask has to mark them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from jaxtyping import Bool, Int32
from scipy import stats
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import find_objects as find_boxes
from scipy.ndimage import label as label_components

from micrographia.errors import InputError
from micrographia.segment.instances.basins import EIGHT, neighbours, radius_map
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.separate import ObjectSettings, separate_objects
from micrographia.segment.measure.intervals import CONFIDENCE, poisson_interval
from micrographia.segment.measure.measurement import Measurement

_BY_OUTLINES: Final = (
    "By outlines only: satellites on the face of a particle are missed, and small particles behind it are taken for "
    "satellites."
)
_BY_MARKS: Final = (
    "Satellites as the mask marks them. The interval is that of sampling these particles; it does not cover what the "
    "mask has wrong, which for a network can be more."
)
# Rolling disks on a grid leave scraps of this height everywhere.
_SCRAP_PX: Final = 1.0
# The base of a cap is measured on its pixels up to this height.
_BASE_PX: Final = 2.5


@dataclass(frozen=True, kw_only=True)
class SatelliteSettings:
    """When a particle counts as a satellite of its neighbour.

    Parameters
    ----------
    largest_size : float
        Largest diameter of a satellite, as a share of its parent's. Of two particles more alike than that neither
        sits on the other: they are agglomerated.
    least_contact : float
        Least length of the contact, as a share of the satellite's diameter. A satellite was welded on while one of
        the two was molten, along a good part of its width; particles that just lie together meet in a point, which the
        grid and the edge glow of electron images widen to a few pixels.
    longest_outside : float
        Longest contact with another larger particle, as a share of the contact with the parent. A particle
        wedged between two belongs to neither.
    least_curvature : float
        A cap is what a disk of this share of the parent's largest inscribed disk does not reach when it rolls along the
        outline from inside. A larger share makes caps of the corners of particles that are not round.
    least_height : float
        Least height of a cap, as a share of its base: half a disk has 0.5. Roughness is flatter.
    least_fullness : float
        Least area of a cap, as a share of its height times its base. Half a disk has π/4; a corner, which is no cap, a
        half at most.
    least_cap_px : int
        Least area of a cap [px²]. Smaller ones cannot be told from the steps of a hand-drawn or predicted outline.

    Raises
    ------
    InputError
        A setting is out of its range.

    Examples
    --------
    >>> SatelliteSettings(largest_size=0.3).least_contact
    0.3
    """

    largest_size: float = 0.5
    least_contact: float = 0.3
    longest_outside: float = 0.5
    least_curvature: float = 0.4
    least_height: float = 0.25
    least_fullness: float = 0.6
    least_cap_px: int = 16

    def __post_init__(self) -> None:
        for share in fields(self):
            value = getattr(self, share.name)
            if share.name != "least_cap_px" and not 0 <= value <= 1:
                raise InputError(f"{share.name} is {value}; accepted is a share, 0 to 1")
        if self.least_cap_px < 1:
            raise InputError(f"least_cap_px is {self.least_cap_px}; accepted is 1 or more")


def split_satellites(instances: Instances, *, settings: SatelliteSettings | None = None) -> Instances:
    """Return the objects with caps split off, and with the parent of each satellite filled in.

    A satellite on a satellite is counted with the particle that carries both. Caps are added behind the objects, so
    that these keep their labels; they take the class and the score of their parent.

    Parameters
    ----------
    instances : Instances
        Objects that touch where they are in contact, as `separate_objects` leaves them.
    settings : SatelliteSettings, optional
        What makes a satellite.

    Examples
    --------
    A disk with a small one beside it, and another sunk into it to its middle:

    >>> from micrographia.segment.instances.separate import separate_objects
    >>> y, x = np.mgrid[:120, :120]
    >>> mask = (np.hypot(y - 60, x - 60) < 40) | (np.hypot(y - 14, x - 60) < 9) | (np.hypot(y - 60, x - 100) < 9)
    >>> split_satellites(separate_objects(mask)).parents
    (2, None, 2)
    """
    settings = settings or SatelliteSettings()
    parents = _parents(instances, settings)
    labels = instances.labels.copy()
    names, scores = list(instances.names), None if instances.scores is None else list(instances.scores)
    meeting = _meeting(labels)
    for label, (rows, cols) in enumerate(find_boxes(instances.labels), start=1):
        for y, x in _caps(instances.labels[rows, cols] == label, meeting[rows, cols], settings):
            labels[rows.start + y, cols.start + x] = len(names) + 1
            parent = parents[label - 1]
            parents.append(label if parent is None else parent)
            names.append(names[label - 1])
            if scores is not None:
                scores.append(scores[label - 1])
    return Instances(
        labels=labels,
        names=tuple(names),
        parents=tuple(parents),
        scores=None if scores is None else tuple(scores),
    )


def mark_satellites(
    instances: Instances, marked: Bool[np.ndarray, "height width"], *, settings: ObjectSettings | None = None
) -> Instances:
    """Return the objects with the satellites that a mask marks on them, and with the parent of each.

    A network, or a person, tells satellites by their shading, and so those on the face of a particle too. The parent is
    the particle that a satellite covers most of, else the one with which its contact is longest. One that sits
    on nothing larger than itself is a particle.

    Parameters
    ----------
    instances : Instances
        Particles together with what sits on them. One that is marked to more than half is taken for a satellite that
        was cut off its particle.
    marked : bool array (height, width)
        Where satellites are. Marks outside all objects are left out.
    settings : ObjectSettings, optional
        How satellites that touch each other are told apart, and the least area of one.

    Returns
    -------
    Instances
        Particles first, in their order, then satellites. Satellites take the class and score of their parent, and
        their pixels.

    Raises
    ------
    InputError
        The mask has another shape than the labels.

    Examples
    --------
    A small disk on the face of a large one:

    >>> from micrographia.segment.instances.separate import separate_objects
    >>> y, x = np.mgrid[:80, :80]
    >>> found = separate_objects(np.hypot(y - 40, x - 40) < 30)
    >>> mark_satellites(found, np.hypot(y - 30, x - 40) < 6).parents
    (None, 1)
    """
    labels = instances.labels
    if marked.shape != labels.shape:
        raise InputError(f"the mask of satellites is {marked.shape}, the labels {labels.shape}; give one frame's")
    areas = np.append(0, instances.areas_px2)
    bare = np.bincount(labels[~marked], minlength=len(areas))
    cut_off = 2 * bare < areas
    cut_off[0] = bare[0] = False
    patches = separate_objects((marked & (labels > 0)) | cut_off[labels], settings=settings).labels
    largest = np.where(cut_off, 0, bare)
    parents = _carriers(patches, labels, largest)

    # Particles are numbered anew without those that were cut off; patches without a parent go with them.
    order = [int(k) for k in np.flatnonzero(~cut_off)[1:]]
    alone = [k for k, parent in enumerate(parents, start=1) if parent is None]
    sitting = [k for k, parent in enumerate(parents, start=1) if parent is not None]
    place = np.zeros(len(areas), dtype=np.int32)
    place[order] = np.arange(1, len(order) + 1)
    patch_place = np.zeros(len(parents) + 1, dtype=np.int32)
    patch_place[alone + sitting] = len(order) + np.arange(1, len(parents) + 1)
    seats = [int(parent) for parent in parents if parent is not None]
    under = [int(np.bincount(labels[patches == k]).argmax()) for k in alone]
    rows = [k - 1 for k in order + under + seats]
    return Instances(
        labels=np.where(patches > 0, patch_place[patches], place[labels]).astype(np.int32),
        names=tuple(instances.names[k] for k in rows),
        parents=(None,) * (len(order) + len(alone)) + tuple(int(place[parent]) for parent in seats),
        scores=None if instances.scores is None else tuple(instances.scores[k] for k in rows),
    )


def with_satellites(instances: Instances) -> Int32[np.ndarray, "height width"]:
    """Return labels on which each satellite belongs to its particle, as particles are outlined by hand.

    Labels of satellites are left out: after `mark_satellites`, which puts them last, those of particles are 1 to n.

    Examples
    --------
    >>> labels = np.array([[1, 1, 2, 3]], dtype=np.int32)
    >>> with_satellites(Instances(labels=labels, names=("powder",) * 3, parents=(None, None, 2)))
    array([[1, 1, 2, 2]], dtype=int32)
    """
    parents = [label if parent is None else parent for label, parent in enumerate(instances.parents, start=1)]
    whole: Int32[np.ndarray, "height width"] = np.array([0, *parents], dtype=np.int32)[instances.labels]
    return whole


def _carriers(
    patches: Int32[np.ndarray, "height width"], labels: Int32[np.ndarray, "height width"], largest: np.ndarray
) -> list[int | None]:
    """Return the label that each patch sits on; `largest` is the area of a patch that a label can carry [px²]."""
    sizes = np.bincount(patches.ravel())
    around = np.where(patches > 0, len(largest) - 1 + patches, np.where(largest[labels] > 0, labels, 0))
    contacts: dict[int, dict[int, float]] = {}
    for (first, second), length in _contacts(around).items():
        if first < len(largest) <= second:
            contacts.setdefault(second - len(largest) + 1, {})[first] = length
    covered: dict[int, dict[int, float]] = {}
    pairs, counts = np.unique(np.stack([patches, labels])[:, patches > 0], axis=1, return_counts=True)
    for patch, label, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        covered.setdefault(patch, {})[label] = count
    carriers: list[int | None] = []
    for patch in range(1, len(sizes)):
        carrier = None
        for near in (covered.get(patch, {}), contacts.get(patch, {})):
            fit = [label for label in near if largest[label] > sizes[patch]]
            if carrier is None and fit:
                carrier = max(fit, key=lambda label: (near[label], -label))
        carriers.append(carrier)
    return carriers


def _parents(instances: Instances, settings: SatelliteSettings) -> list[int | None]:
    """Return the particle that each object sits on; None where it sits on none."""
    diameters = instances.diameters_px
    touching: dict[int, dict[int, float]] = {}
    for (first, second), length in _contacts(instances.labels).items():
        touching.setdefault(first, {})[second] = length
        touching.setdefault(second, {})[first] = length
    carriers: list[int | None] = []
    for label in range(1, instances.count + 1):
        contacts = touching.get(label, {})
        size = diameters[label - 1]
        fit = [
            other
            for other, length in contacts.items()
            if size <= settings.largest_size * diameters[other - 1] and length >= settings.least_contact * size
        ]
        carrier = max(fit, key=lambda other: (contacts[other], -other), default=None)
        if carrier is not None:
            outside = max((v for k, v in contacts.items() if k != carrier and diameters[k - 1] > size), default=0.0)
            if outside > settings.longest_outside * contacts[carrier]:
                carrier = None
        carriers.append(carrier)
    # Each carrier is larger than what it carries, so this ends.
    parents = []
    for carrier in carriers:
        while carrier is not None and (under := carriers[carrier - 1]) is not None:
            carrier = under
        parents.append(carrier)
    return parents


def _meeting(labels: Int32[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Return where an object meets another, or the border of the image."""
    meeting = np.zeros(labels.shape, dtype=bool)
    meeting[0] = meeting[-1] = meeting[:, 0] = meeting[:, -1] = True
    for here, there in neighbours():
        apart = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        meeting[here] |= apart
        meeting[there] |= apart
    return meeting


def _caps(
    shape: Bool[np.ndarray, "height width"], meeting: Bool[np.ndarray, "height width"], settings: SatelliteSettings
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pixels (row, col) of each cap on an object."""
    # The ground goes on past the box of the object; only at the border of the image does it not, where no cap is taken.
    radius = radius_map(np.pad(shape, 1))[1:-1, 1:-1]
    rolling = settings.least_curvature * float(radius.max())
    height = distance_transform_edt(radius < rolling) - rolling
    outside, _ = label_components(shape & (height > _SCRAP_PX), structure=EIGHT)
    largest = (settings.largest_size / 2) ** 2 * math.pi * float(radius.max()) ** 2
    for part, (rows, cols) in enumerate(find_boxes(outside), start=1):
        cap = outside[rows, cols] == part
        if not settings.least_cap_px <= cap.sum() <= largest or meeting[rows, cols][cap].any():
            continue
        above = height[rows, cols]
        tallest = float(above[cap].max())
        y, x = np.nonzero(cap & (above < _BASE_PX))
        base = math.hypot(float(np.ptp(y)), float(np.ptp(x))) + 1 if len(y) else 1.0
        full = cap.sum() >= settings.least_fullness * base * (tallest - _SCRAP_PX)
        if full and tallest >= max(settings.least_height * base, 2 * _SCRAP_PX):
            y, x = np.nonzero(cap)
            yield y + rows.start, x + cols.start


def measure_satellites(
    instances: Instances, *, of: str = "particles", marked: bool = False
) -> tuple[Measurement, Measurement]:
    """Return the share of particles that carry a satellite, and the number of satellites a particle.

    Parameters
    ----------
    instances : Instances
        Objects with the parents of their satellites.
    of : str
        What the particles are called.
    marked : bool
        Whether satellites are those of `mark_satellites`, not those of `split_satellites`.

    Returns
    -------
    tuple of Measurement
        ``satellite fraction`` [%], with the Wilson interval, and ``satellites per particle``, with the interval of a
        Poisson count.

    Notes
    -----
    The interval covers the chance of sampling these particles, not the mistakes of segmentation, nor the satellites
    that lie on the face or the far side of a particle, which an outline does not show. From masks of powder in which
    particles lie on each other the fraction was up to twice that drawn by hand, from networks that mark satellites up
    to 1.7 times, see ``docs/benchmarks/objects.md``.
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> labels = np.array([[1, 1, 0, 3], [1, 1, 2, 3]], dtype=np.int32)
    >>> powder = Instances(labels=labels, names=("powder",) * 3, parents=(None, 1, None))
    >>> share, number = measure_satellites(powder)
    >>> share.value, number.value
    (50.0, 0.5)
    """
    particles = instances.count - instances.satellite_count
    satellites = instances.satellite_count
    note = _BY_MARKS if marked else _BY_OUTLINES
    if not particles:
        missing = "There is no particle."
        return tuple(  # type: ignore[return-value]
            Measurement(
                name=name, of=of, value=None, unit=unit, count=0, counted="particles", method=missing, note=missing
            )
            for name, unit in (("satellite fraction", "%"), ("satellites per particle", ""))
        )
    carrying = len({parent for parent in instances.parents if parent is not None})
    share = stats.binomtest(carrying, particles).proportion_ci(CONFIDENCE, method="wilson")
    low, high = poisson_interval(satellites)
    return (
        Measurement(
            name="satellite fraction",
            of=of,
            value=100 * carrying / particles,
            unit="%",
            low=100 * float(share.low),
            high=100 * float(share.high),
            count=particles,
            counted="particles",
            method="Particles that carry at least one satellite over all particles.",
            note=note,
        ),
        Measurement(
            name="satellites per particle",
            of=of,
            value=satellites / particles,
            unit="",
            low=low / particles,
            high=high / particles,
            count=particles,
            counted="particles",
            method="Satellites over particles.",
            note=note,
        ),
    )


def _contacts(labels: np.ndarray) -> dict[tuple[int, int], float]:
    """Return how long the contact of each two touching labels is [px]: the span of the pixels that meet there."""
    spans: dict[tuple[int, int], list[int]] = {}
    height, width = labels.shape
    rows = np.repeat(np.arange(height)[:, None], width, axis=1)
    cols = np.repeat(np.arange(width)[None, :], height, axis=0)
    for here, there in neighbours():
        a, b = labels[here], labels[there]
        meet = (a != b) & (a > 0) & (b > 0)
        for low, high, y, x in zip(
            np.minimum(a[meet], b[meet]).tolist(),
            np.maximum(a[meet], b[meet]).tolist(),
            rows[here][meet].tolist(),
            cols[here][meet].tolist(),
            strict=True,
        ):
            span = spans.setdefault((low, high), [y, y, x, x])
            span[0], span[1] = min(span[0], y), max(span[1], y)
            span[2], span[3] = min(span[2], x), max(span[3], x)
    return {pair: math.hypot(y1 - y0, x1 - x0) + 1 for pair, (y0, y1, x0, x1) in spans.items()}
