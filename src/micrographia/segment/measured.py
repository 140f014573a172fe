"""Everything that is measured on segmented images: what applies to each class, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import numpy as np
from jaxtyping import Bool, Int32

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.satellites import measure_satellites, split_satellites
from micrographia.segment.instances.separate import separate_objects
from micrographia.segment.measure import (
    Cracks,
    LayerProfile,
    Measurement,
    Objects,
    Scale,
    area_fraction,
    crack_measurements,
    find_objects,
    intercepts,
    layer_thickness,
    object_count,
    object_sizes,
    planimetric,
    point_count,
    spacing,
)
from micrographia.segment.segmentation import Segmentation

Kind = Literal["phase", "objects", "powder", "grains", "cracks", "layer"]
"""What a class is: a phase (only its share counts), objects, powder with satellites, grains, cracks or a layer."""

KINDS: Final[tuple[str, ...]] = get_args(Kind)

_WORDS: Final[Mapping[str, Kind]] = {
    "crack": "cracks",
    "grain": "grains",
    "powder": "powder",
    "layer": "layer",
    "oxide": "layer",
    "coating": "layer",
    "tgo": "layer",
    "pore": "objects",
    "void": "objects",
    "particle": "objects",
    "precipitate": "objects",
    "loop": "objects",
}
_PORES: Final = ("pore", "void", "porosity")
_MOST_SHARE_OF_OBJECTS: Final = 0.6
_THIN: Final = 12.0
_ACROSS: Final = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentedField:
    """One field of view: its classes and how large its pixels are.

    Parameters
    ----------
    name : str
        What it is called in tables.
    segmentation : Segmentation
        Class of every pixel.
    pixel_size_nm : float, optional
        Edge of a pixel [nm]; None when unknown.
    """

    name: str
    segmentation: Segmentation
    pixel_size_nm: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredClass:
    """What was measured on one class.

    Parameters
    ----------
    name : str
        The class.
    kind : Kind
        What it was measured as.
    reason : str
        Why as that.
    overall : tuple of Measurement
        Over all fields.
    by_field : tuple of tuple of Measurement
        Of each field, in their order; empty where nothing is measured field by field.
    objects : Objects, optional
        Table of the objects of all fields.
    instances : tuple of Instances
        Objects of each field; empty where the class has none.
    cracks : tuple of Cracks
        Cracks of each field; empty where the class has none.
    profiles : tuple of LayerProfile or None
        Thickness along the layer of each field; empty where the class is no layer.
    """

    name: str
    kind: Kind
    reason: str
    overall: tuple[Measurement, ...]
    by_field: tuple[tuple[Measurement, ...], ...] = ()
    objects: Objects | None = None
    instances: tuple[Instances, ...] = ()
    cracks: tuple[Cracks, ...] = ()
    profiles: tuple[LayerProfile | None, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """All measurements on some fields of one specimen.

    Parameters
    ----------
    fields : tuple of SegmentedField
        The fields.
    scale : Scale
        Size of their pixels.
    classes : tuple of MeasuredClass
        What was measured on each class.
    """

    fields: tuple[SegmentedField, ...]
    scale: Scale
    classes: tuple[MeasuredClass, ...] = field(default=())


def measure(
    fields: Sequence[SegmentedField], *, kinds: Mapping[str, Kind] | None = None, rng: np.random.Generator
) -> Measured:
    """Measure all that applies to each class.

    Parameters
    ----------
    fields : sequence of SegmentedField
        Fields of one specimen, with the same classes and pixel size.
    kinds : mapping of str to Kind, optional
        What a class is, by its name. The others are told by their names and shapes, and the result says how.
    rng : numpy.random.Generator
        For bootstrap intervals and simulated point patterns.

    Returns
    -------
    Measured
        The first class is measured only if it was named in ``kinds``; it is the ground that the others lie on.

    Raises
    ------
    InputError
        There is no field, fields have different classes or pixel sizes, or ``kinds`` names no class of theirs.

    Examples
    --------
    >>> mask = np.zeros((64, 64), dtype=np.uint8)
    >>> mask[:, 16:48] = 1
    >>> field = SegmentedField(name="a", segmentation=Segmentation(values=(0, 1), names=("metal", "oxide"), mask=mask),
    ...                        pixel_size_nm=100.0)
    >>> found = measure([field], rng=np.random.default_rng(0)).classes[0]
    >>> found.kind, found.overall[0].value, found.by_field[0][0].value, found.by_field[0][0].unit
    ('layer', 50.0, 3.2, 'µm')
    """
    kinds = {} if kinds is None else kinds
    scale = _check(fields, kinds)
    names = fields[0].segmentation.names
    wanted = [n for n in names[1:] if n not in kinds] + list(kinds)
    found = []
    for name in (n for n in names if n in wanted):
        masks = [f.segmentation.of(name) for f in fields]
        kind, reason = (kinds[name], "as it was said") if name in kinds else kind_of(masks, name)
        found.append(_measured(name, kind, reason, masks, fields, scale, rng))
    return Measured(fields=tuple(fields), scale=scale, classes=tuple(found))


def kind_of(masks: Sequence[Bool[np.ndarray, "_height _width"]], name: str) -> tuple[Kind, str]:
    """Tell what a class is by its name, and else by its shape.

    Parameters
    ----------
    masks : sequence of bool array (height, width)
        Where the class is, in each field.
    name : str
        What it is called.

    Returns
    -------
    kind : Kind
        What it is.
    reason : str
        How that was told.

    Examples
    --------
    >>> kind_of([np.ones((8, 8), dtype=bool)], "microcracks")
    ('cracks', 'by its name')
    """
    for word, kind in _WORDS.items():
        if word in name.lower():
            return kind, "by its name"
    filled = [m for m in masks if m.any()]
    if not filled:
        return "phase", "it is in none of the fields"
    if all(_spans(m) for m in filled):
        return "layer", "by its shape: it runs from one side of the field to the other"
    if float(np.mean([m.mean() for m in masks])) > _MOST_SHARE_OF_OBJECTS:
        return "phase", "it fills most of the field"
    if all(_thin(m) for m in filled):
        return "cracks", "by its shape: it is much longer than wide"
    return "objects", "by its shape: it lies in separate pieces"


def _spans(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether one piece holds most of a class and reaches from one border to the other, but not to all four."""
    from skimage.measure import label

    pieces = label(mask)
    largest = pieces == np.argmax(np.bincount(pieces[mask]))
    sides = [largest[0].any(), largest[-1].any(), largest[:, 0].any(), largest[:, -1].any()]
    across = (sides[0] and sides[1]) != (sides[2] and sides[3])
    return bool(across and largest.sum() > _ACROSS / 2 * mask.sum() and largest.mean() < _MOST_SHARE_OF_OBJECTS)


def _thin(mask: Bool[np.ndarray, "height width"]) -> bool:
    from skimage.morphology import skeletonize

    length = float(skeletonize(mask).sum())
    return length > 0 and length**2 / float(mask.sum()) > _THIN and length / float(mask.sum()) > 0.08


def _check(fields: Sequence[SegmentedField], kinds: Mapping[str, Kind]) -> Scale:
    if not fields:
        raise InputError("there is no field to measure; give at least one mask")
    names = fields[0].segmentation.names
    for other in fields[1:]:
        if other.segmentation.names != names:
            raise InputError(
                f"{fields[0].name} has the classes {', '.join(names)} and {other.name} "
                f"{', '.join(other.segmentation.names)}; accepted are fields with the same classes"
            )
        if other.pixel_size_nm != fields[0].pixel_size_nm:
            raise InputError(
                f"{fields[0].name} has pixels of {_size(fields[0])} and {other.name} of {_size(other)}; accepted are "
                "fields "
                "of one pixel size: measure them apart, or say --pixel-size-nm"
            )
    for name, kind in kinds.items():
        if name not in names:
            raise InputError(f"class {name!r} is not among {', '.join(names)}; accepted is one of them")
        if kind not in KINDS:
            raise InputError(f"class {name} is said to be {kind!r}; accepted is one of {', '.join(KINDS)}")
    return Scale(pixel_size_nm=fields[0].pixel_size_nm)


def _size(one: SegmentedField) -> str:
    return "unknown size" if one.pixel_size_nm is None else f"{one.pixel_size_nm:g} nm"


def _measured(
    name: str,
    kind: Kind,
    reason: str,
    masks: list[Bool[np.ndarray, "_height _width"]],
    fields: Sequence[SegmentedField],
    scale: Scale,
    rng: np.random.Generator,
) -> MeasuredClass:
    shares = (*area_fraction(masks, of=name), *point_count(masks, of=name))
    if any(word in name.lower() for word in _PORES):
        shares = tuple(replace(m, name=m.name.replace("area fraction", "porosity, as area fraction")) for m in shares)
    base = MeasuredClass(name=name, kind=kind, reason=reason, overall=shares)
    if kind == "cracks":
        found = [crack_measurements(m, scale=scale, of=name) for m in masks]
        return replace(base, by_field=tuple(f[0] for f in found), cracks=tuple(f[1] for f in found))
    if kind == "layer":
        both = [layer_thickness(m, scale=scale, of=name) for m in masks]
        return replace(base, by_field=tuple(b[0] for b in both), profiles=tuple(b[1] for b in both))
    if kind == "grains":
        grains = [_pieces(m) for m in masks]
        by_lines, _ = intercepts(grains, scale=scale, of=name)
        return replace(base, overall=(*shares, *by_lines, *planimetric(grains, scale=scale, of=name)))
    if kind in ("objects", "powder"):
        return _with_objects(base, masks, scale, rng)
    return base


def _pieces(mask: Bool[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
    """Return a class with its connected pieces numbered; pieces that touch at corners only are two."""
    from skimage.measure import label

    numbered: Int32[np.ndarray, "height width"] = label(mask, connectivity=1).astype(np.int32)
    return numbered


def _with_objects(
    base: MeasuredClass, masks: list[Bool[np.ndarray, "_height _width"]], scale: Scale, rng: np.random.Generator
) -> MeasuredClass:
    found = [separate_objects(m) for m in masks]
    satellites: tuple[tuple[Measurement, ...], ...] = ((),) * len(masks)
    if base.kind == "powder":
        found = [split_satellites(i) for i in found]
        satellites = tuple(measure_satellites(i, of=base.name) for i in found)
    objects = find_objects([i.labels for i in found])
    sizes = (
        *object_count(objects, scale=scale, of=base.name),
        *object_sizes(objects, scale=scale, of=base.name, rng=rng),
    )
    neighbours = []
    for k, mask in enumerate(masks):
        here = objects.field == k
        points = np.stack([objects.y_px[here], objects.x_px[here]], axis=1)
        shape = (int(mask.shape[0]), int(mask.shape[1]))
        neighbours.append(spacing(points, shape=shape, scale=scale, of=base.name, rng=rng)[0])
    by_field = tuple((*n, *s) for n, s in zip(neighbours, satellites, strict=True))
    return replace(base, overall=(*base.overall, *sizes), by_field=by_field, objects=objects, instances=tuple(found))
