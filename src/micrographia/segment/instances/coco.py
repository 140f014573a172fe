"""Objects as COCO annotations, the exchange format of detection networks and annotation tools, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.outlines import TOLERANCE_PX, Outline, fill_outline, trace_outlines


def to_coco(images: Mapping[str, Instances], *, tolerance_px: float = TOLERANCE_PX) -> dict[str, Any]:
    """Return the objects of images as one COCO document, ready for `json.dumps`.

    COCO measures from the outer corner of the first pixel, so that its coordinates are larger by one half than those of
    `Outline`. Its polygons have no holes: the area is that of the pixels, and ``segmentation`` the outer polygons.
    A satellite has a ``parent_id``, the id of its particle's annotation. It is no part of COCO; readers pass it over.

    Parameters
    ----------
    images : mapping of str to Instances
        Objects of each image, by file name.
    tolerance_px : float
        As of `trace_outlines`.

    Returns
    -------
    dict
        ``images``, ``annotations`` and ``categories``. Numbers of each start at 1.

    Notes
    -----
    Format: T.-Y. Lin et al., doi:10.1007/978-3-319-10602-1_48.

    Examples
    --------
    >>> labels = np.zeros((8, 8), dtype=np.int32)
    >>> labels[2:5, 3:7] = 1
    >>> document = to_coco({"a.png": Instances(labels=labels, names=("pore",), parents=(None,))})
    >>> document["annotations"][0]["bbox"], document["annotations"][0]["area"]
    ([3.0, 2.0, 4.0, 3.0], 12)
    >>> document["categories"]
    [{'id': 1, 'name': 'pore'}]
    """
    names = sorted({name for found in images.values() for name in found.names})
    category = {name: number for number, name in enumerate(names, start=1)}
    document: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for name, number in category.items()],
    }
    for image_id, (file_name, found) in enumerate(images.items(), start=1):
        height, width = found.labels.shape
        document["images"].append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        before = len(document["annotations"])
        outlines = trace_outlines(found, tolerance_px=tolerance_px)
        for label, (outline, area) in enumerate(zip(outlines, found.areas_px2, strict=True), start=1):
            x, y, box_width, box_height = outline.box_px
            entry: dict[str, Any] = {
                "id": before + label,
                "image_id": image_id,
                "category_id": category[found.names[label - 1]],
                "segmentation": [[round(float(v) + 0.5, 3) for v in polygon.ravel()] for polygon in outline.outer],
                "bbox": [round(v, 3) for v in (x + 0.5, y + 0.5, box_width, box_height)],
                "area": int(area),
                "iscrowd": 0,
            }
            if found.scores is not None:
                entry["score"] = round(found.scores[label - 1], 6)
            parent = found.parents[label - 1]
            if parent is not None:
                entry["parent_id"] = before + parent
            document["annotations"].append(entry)
    return document


def from_coco(document: Mapping[str, Any]) -> dict[str, Instances]:
    """Return the objects of each image of a COCO document, by file name.

    Where polygons overlap, the smaller object lies on the larger one.

    Parameters
    ----------
    document : mapping
        What `json.loads` makes of a COCO file. Segmentations are polygons.

    Raises
    ------
    InputError
        A key is missing, an annotation is of an unknown image or category, its segmentation is no list of polygons, or
        no pixel is left of it.

    Examples
    --------
    >>> square = [1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]
    >>> document = {
    ...     "images": [{"id": 7, "file_name": "a.png", "width": 4, "height": 4}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "segmentation": [square]}],
    ...     "categories": [{"id": 2, "name": "pore"}],
    ... }
    >>> from_coco(document)["a.png"].labels
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]], dtype=int32)
    """
    try:
        names = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
        by_image: dict[Any, list[Mapping[str, Any]]] = {entry["id"]: [] for entry in document["images"]}
        for entry in document["annotations"]:
            if entry["image_id"] not in by_image or entry["category_id"] not in names:
                raise InputError(
                    f"COCO annotation {entry.get('id')} is of image {entry['image_id']} and category "
                    f"{entry['category_id']}; accepted are ids listed under images and categories"
                )
            by_image[entry["image_id"]].append(entry)
        return {
            str(image["file_name"]): _drawn(
                by_image[image["id"]], names, height_px=int(image["height"]), width_px=int(image["width"])
            )
            for image in document["images"]
        }
    except (KeyError, TypeError) as error:
        raise InputError(
            f"not a COCO document of instances ({type(error).__name__}: {error}); accepted are images with id, "
            "file_name, width and height, categories with id and name, and annotations with image_id, category_id and "
            "segmentation"
        ) from error


def _drawn(
    entries: Sequence[Mapping[str, Any]], names: Mapping[Any, str], *, height_px: int, width_px: int
) -> Instances:
    """Draw the annotations of one image, the largest first."""
    labels = np.zeros((height_px, width_px), dtype=np.int32)
    outlines = [_outline(entry) for entry in entries]
    for place in sorted(range(len(entries)), key=lambda k: -outlines[k].area_px2):
        labels[fill_outline(outlines[place], height_px=height_px, width_px=width_px)] = place + 1
    lost = np.setdiff1d(np.arange(1, len(entries) + 1), labels)
    if len(lost):
        raise InputError(
            f"COCO annotation {entries[lost[0] - 1].get('id')} leaves no pixel: it lies outside of the image, beneath "
            "smaller ones, or holds no pixel's centre; remove it from the document"
        )
    place_of = {entry.get("id"): place for place, entry in enumerate(entries, start=1)}
    scores = [entry.get("score") for entry in entries]
    return Instances(
        labels=labels,
        names=tuple(names[entry["category_id"]] for entry in entries),
        parents=tuple(place_of[entry["parent_id"]] if "parent_id" in entry else None for entry in entries),
        scores=tuple(float(s) for s in scores if s is not None) if scores and None not in scores else None,
    )


def _outline(entry: Mapping[str, Any]) -> Outline:
    polygons = entry["segmentation"]
    if not (isinstance(polygons, list) and polygons and all(len(p) >= 6 and len(p) % 2 == 0 for p in polygons)):
        raise InputError(
            f"COCO annotation {entry.get('id')} has a segmentation that is no list of polygons [x1, y1, x2, y2, x3, y3 "
            "...]; convert run lengths to polygons first, e.g. with pycocotools and skimage.measure.find_contours"
        )
    return Outline(outer=tuple(np.asarray(p, dtype=np.float64).reshape(-1, 2) - 0.5 for p in polygons))
