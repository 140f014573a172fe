"""What `analyse` finds on a micrograph without atomic sites: objects on a plain ground, or a model's classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from micrographia.cli.segmenting import segmenting
from micrographia.micrograph import Micrograph
from micrographia.report.overview import Segments
from micrographia.segment.instances.ground import segment_objects
from micrographia.segment.instances.instances import Instances
from micrographia.segment.kinds import Kind
from micrographia.segment.measured import SegmentedField, measure
from micrographia.segment.segmentation import Segmentation

Find = Callable[[Micrograph], Segments]
"""Finds and measures, or raises InputError with the reason why nothing can be found."""

_GROUND: Final = "objects on a plain ground, by threshold"
_OBJECTS: Final = "objects"
_SEED: Final = 0


def objects_on_ground(micrograph: Micrograph) -> Segments:
    """Find objects on a plain ground without any model, and measure them.

    Parameters
    ----------
    micrograph : Micrograph
        The image; its first channel is looked at.

    Raises
    ------
    InputError
        No objects stand out from a plain ground.
    """
    found = segment_objects(micrograph.frames[0])
    mask = (found.instances.labels > 0).astype(np.uint8)
    classes = Segmentation(values=(0, 1), names=("ground", _OBJECTS), mask=mask)
    return _measured(micrograph, classes, found.sentence, _GROUND, instances=found.instances)


def by_model(model: str) -> Find:
    """Return a finder of a model's classes.

    Parameters
    ----------
    model : str
        As `segmenting` takes it.

    Raises
    ------
    ReadError
        It is no such model.
    """
    way = segmenting(model)

    def find(micrograph: Micrograph) -> Segments:
        classes = way.apply(micrograph, micrograph.provenance.file)
        words = f"{len(classes.names)} classes by {Path(model).name}: {', '.join(classes.names)}."
        if classes.warning:
            words += f" {classes.warning.upper()}, do not rely on it."
        return _measured(micrograph, classes, words, way.source)

    return find


def _measured(
    micrograph: Micrograph, classes: Segmentation, how: str, source: str, *, instances: Instances | None = None
) -> Segments:
    field = SegmentedField(
        name=micrograph.provenance.file,
        segmentation=classes,
        pixel_size_nm=micrograph.pixel_size_nm,
        instances={} if instances is None else {_OBJECTS: instances},
    )
    kinds: dict[str, Kind] = {} if instances is None else {_OBJECTS: "objects"}
    return Segments(measured=measure([field], kinds=kinds, rng=np.random.default_rng(_SEED)), how=how, source=source)
