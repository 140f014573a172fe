"""Everything that is measured on segmented images: what applies to each class, and the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Int32
from scipy.ndimage import binary_propagation

from micrographia.errors import InputError
from micrographia.segment.instances.contacts import EIGHT
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.marked_satellites import mark_satellites, with_satellites
from micrographia.segment.instances.outlined_satellites import split_satellites
from micrographia.segment.instances.separate import separate_objects
from micrographia.segment.kinds import BOUNDARIES, SATELLITES, Kind, check_kinds, kind_of
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
    measure_satellites,
    object_count,
    object_sizes,
    planimetric,
    point_count,
    spacing,
)
from micrographia.segment.measure.intervals import ratio_of_totals
from micrographia.segment.segmentation import Segmentation

_PORES: Final = ("pore", "void", "porosity")
_SAME_PIXEL_SIZE: Final = 1e-3
_AVERAGED: Final = ("mean thickness", "crack density", "mean crack width", "mean nearest-neighbour distance")
"""What is measured field by field, and averaged over fields."""


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
    instances : mapping of str to Instances
        Objects of classes, by their names, where they were told apart already.
    """

    name: str
    segmentation: Segmentation
    pixel_size_nm: float | None
    instances: Mapping[str, Instances] = field(default_factory=dict)


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
        There is no field, fields share a name or have different classes or pixel sizes, ``kinds`` names no class of
        theirs, or there is only one class and ``kinds`` does not name it.

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
    scale = check_fields(fields, kinds)
    told: dict[str, tuple[Kind, str]] = {}
    for name in fields[0].segmentation.names:
        if name in kinds:
            told[name] = kinds[name], "as given"
        elif name != fields[0].segmentation.names[0]:
            told[name] = kind_of([f.segmentation.of(name) for f in fields], name)
    cracks = [name for name, (kind, _) in told.items() if kind == "cracks"]
    marks = _marks(told)
    if marks:
        carrier, (kind, reason) = marks.on, told[marks.on]
        told[carrier] = "powder", f"{reason}; {' and '.join(marks.satellites)} sit on it"
    found = []
    for name, (kind, reason) in told.items():
        masks = [f.segmentation.of(name) for f in fields]
        base = MeasuredClass(name=name, kind=kind, reason=reason, overall=_shares(masks, name))
        if kind == "layer" and cracks:
            masks = [_bridged(m, [f.segmentation.of(c) for c in cracks]) for m, f in zip(masks, fields, strict=True)]
            base = replace(base, reason=f"{reason}; for its thickness, {' and '.join(cracks)} within it is part of it")
        found.append(_measured(base, masks, fields, scale, rng, marks if marks and marks.on == name else None))
    return Measured(fields=tuple(fields), scale=scale, classes=tuple(found))


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """Classes that belong to the particles of another one.

    Parameters
    ----------
    on : str
        Class of the particles.
    satellites : tuple of str
        Classes of what sits on them.
    boundaries : tuple of str
        Classes of what parts them.
    """

    on: str
    satellites: tuple[str, ...]
    boundaries: tuple[str, ...]


def _marks(told: Mapping[str, tuple[Kind, str]]) -> _Marks | None:
    """Return which class satellites sit on: the only powder, or the only objects where there is none."""
    sitting = tuple(name for name, (kind, _) in told.items() if kind == "objects" and SATELLITES in name.lower())
    for wanted in ("powder", "objects"):
        carriers = [name for name, (kind, _) in told.items() if kind == wanted and name not in sitting]
        if sitting and len(carriers) == 1:
            between = tuple(name for name, (kind, _) in told.items() if kind == "phase" and BOUNDARIES in name.lower())
            return _Marks(on=carriers[0], satellites=sitting, boundaries=between)
        if carriers:
            break
    return None


def _bridged(
    layer: Bool[np.ndarray, "height width"], cracks: Sequence[Bool[np.ndarray, "_height _width"]]
) -> Bool[np.ndarray, "height width"]:
    """Return a layer with the cracks that have it on both sides, which would cut it into pieces."""
    whole = layer.copy()
    for axis in (0, 1):
        before = np.logical_or.accumulate(layer, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(layer, axis), axis=axis), axis)
        for crack in cracks:
            whole |= crack & before & after
    return whole


def check_fields(fields: Sequence[SegmentedField], kinds: Mapping[str, Kind]) -> Scale:
    """Return the pixel size of fields, if they can be measured together; the errors are those of `measure`."""
    if not fields:
        raise InputError("there is no field to measure; give at least one mask")
    names, size = fields[0].segmentation.names, fields[0].pixel_size_nm
    for other in fields[1:]:
        if other.segmentation.names != names:
            raise InputError(
                f"{fields[0].name} has the classes {', '.join(names)} and {other.name} "
                f"{', '.join(other.segmentation.names)}; accepted are fields with the same classes"
            )
        if not math.isclose(other.pixel_size_nm or 0.0, size or 0.0, rel_tol=_SAME_PIXEL_SIZE):
            raise InputError(
                f"{fields[0].name} has pixels of {_size(fields[0])} and {other.name} of {_size(other)}; accepted are "
                "fields of one pixel size: measure them apart, or say --pixel-size-nm"
            )
    called = [f.name for f in fields]
    if twice := [name for name in called if called.count(name) > 1]:
        raise InputError(f"two fields are called {twice[0]}; give every field a name of its own")
    check_kinds(kinds, names)
    return Scale(pixel_size_nm=size)


def _size(one: SegmentedField) -> str:
    return "unknown size" if one.pixel_size_nm is None else f"{one.pixel_size_nm:g} nm"


def _shares(masks: Sequence[Bool[np.ndarray, "_height _width"]], of: str) -> tuple[Measurement, ...]:
    """Return the share of a class two ways; that of pores is called porosity too, and accuracies say of what."""
    shares = []
    for way in (area_fraction(masks, of=of), point_count(masks, of=of)):
        accuracy = f"relative accuracy of {way[0].name}"
        shares += [replace(m, name=accuracy) if m.name == "relative accuracy" else m for m in way]
    if any(word in of.lower() for word in _PORES):
        shares = [replace(m, name=m.name.replace("area fraction", "porosity, as area fraction")) for m in shares]
    return tuple(shares)


def _measured(
    base: MeasuredClass,
    masks: list[Bool[np.ndarray, "_height _width"]],
    fields: Sequence[SegmentedField],
    scale: Scale,
    rng: np.random.Generator,
    marks: _Marks | None,
) -> MeasuredClass:
    """Return a class with all that its kind asks for."""
    of = base.name
    if base.kind == "cracks":
        found = [crack_measurements(m, scale=scale, of=of) for m in masks]
        base = replace(base, by_field=tuple(f[0] for f in found), cracks=tuple(f[1] for f in found))
    elif base.kind == "layer":
        both = [layer_thickness(m, scale=scale, of=of) for m in masks]
        base = replace(base, by_field=tuple(b[0] for b in both), profiles=tuple(b[1] for b in both))
    elif base.kind == "grains":
        grains = [_pieces(m) for m in masks]
        by_lines, _ = intercepts(grains, scale=scale, of=of)
        base = replace(base, overall=(*base.overall, *by_lines, *planimetric(grains, scale=scale, of=of)))
    elif base.kind in ("objects", "powder"):
        base = _with_objects(base, masks, fields, scale, rng, marks)
    return replace(base, overall=(*base.overall, *_over_fields(base.by_field)))


def _over_fields(by_field: Sequence[tuple[Measurement, ...]]) -> tuple[Measurement, ...]:
    """Return means over fields of what is measured field by field; nothing for a single field."""
    means = []
    for name in _AVERAGED if len(by_field) > 1 else ():
        same = [m for found in by_field for m in found if m.name == name]
        values = np.array([m.value for m in same if m.value is not None])
        if len(values) < 2:
            continue
        mean = ratio_of_totals(values, np.ones(len(values)))
        low = None if mean.low is None else max(mean.low, 0.0)
        absent = len(by_field) - len(values)
        note = f"{absent} of {len(by_field)} fields do not show it and are left out." if absent else ""
        means.append(
            replace(
                same[0],
                value=mean.value,
                low=low,
                high=mean.high,
                count=len(values),
                counted="fields",
                method=f"Mean over fields, with the t interval of their scatter. {same[0].method}",
                note=note,
            )
        )
    return tuple(means)


def _pieces(mask: Bool[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
    """Return a class with its connected pieces numbered; pieces that touch at corners only are two."""
    from skimage.measure import label

    numbered: Int32[np.ndarray, "height width"] = label(mask, connectivity=1).astype(np.int32)
    return numbered


def _with_objects(
    base: MeasuredClass,
    masks: list[Bool[np.ndarray, "_height _width"]],
    fields: Sequence[SegmentedField],
    scale: Scale,
    rng: np.random.Generator,
    marks: _Marks | None,
) -> MeasuredClass:
    satellites: tuple[tuple[Measurement, ...], ...] = ((),) * len(masks)
    if marks:
        found = [_marked(m, f, marks) for m, f in zip(masks, fields, strict=True)]
        satellites = tuple(measure_satellites(i, of=base.name, marked=True) for i in found)
    else:
        found = [f.instances.get(base.name) or separate_objects(m) for m, f in zip(masks, fields, strict=True)]
        if base.kind == "powder":
            found = [split_satellites(i) for i in found]
            satellites = tuple(measure_satellites(i, of=base.name) for i in found)
    objects = find_objects([with_satellites(i) if marks else i.labels for i in found])
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


def _marked(mask: Bool[np.ndarray, "height width"], field: SegmentedField, marks: _Marks) -> Instances:
    """Return the particles of a field and the satellites on them, parted where the mask has a boundary."""

    def either(names: Sequence[str]) -> Bool[np.ndarray, "height width"]:
        return np.any([field.segmentation.of(name) for name in names], axis=0) if names else np.zeros_like(mask)

    sitting, between = either(marks.satellites), either(marks.boundaries)
    found = field.instances.get(marks.on)
    if found is None:
        # A boundary of nothing is no particle.
        whole = binary_propagation(mask | sitting, structure=EIGHT, mask=mask | sitting | between)
        found = separate_objects(whole, boundary=between.astype(np.float64))
    return mark_satellites(found, sitting)
