"""Satellites as outlines show them: small particles stuck to the surface of a bigger one, as in gas-atomised powder.

An outline shows two kinds. One touches its parent at a neck, and is an object already. The other is sunk into its
parent to half of its width or more and has no neck: it shows as a cap on the outline, too sharp to be the parent's own.
Those on the face of their parent an outline does not show at all: a mask has to mark them, see
`micrographia.segment.instances.marked_satellites`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from jaxtyping import Bool, Int32
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import find_objects as find_boxes
from scipy.ndimage import label as label_components

from micrographia.errors import InputError
from micrographia.segment.instances.basins import radius_map
from micrographia.segment.instances.contacts import EIGHT, contact_lengths, meetings
from micrographia.segment.instances.instances import Instances

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


def _parents(instances: Instances, settings: SatelliteSettings) -> list[int | None]:
    """Return the particle that each object sits on; None where it sits on none."""
    diameters = instances.diameters_px
    touching: dict[int, dict[int, float]] = {}
    for (first, second), length in contact_lengths(instances.labels).items():
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
    for here, there, meet in meetings(labels):
        meeting[here] |= meet
        meeting[there] |= meet
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
