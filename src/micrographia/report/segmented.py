"""Files of `segment apply`: masks, overlays, uncertainty, probabilities, and one JSON that describes them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat

from micrographia.micrograph import Micrograph
from micrographia.report.folder import new_folder
from micrographia.report.records import Part, ScanResult, scan_result, schema_of, versions
from micrographia.report.segmented_overlay import share_words, write_segmented_overlay
from micrographia.segment.segmentation import Segmentation

DOUBTFUL: Final = 0.5
"""Uncertainty from which a pixel counts as doubtful."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmented:
    """One image and its classes.

    Parameters
    ----------
    name : str
        Stem of its files.
    micrograph : Micrograph
        The image.
    segmentation : Segmentation
        Its classes.
    """

    name: str
    micrograph: Micrograph
    segmentation: Segmentation

    @property
    def headline(self) -> str:
        """The answer in one line."""
        found = self.segmentation
        shares = ", ".join(
            f"{name} {share_words(found, value)}" for value, name in zip(found.values, found.names, strict=True)
        )
        shares += f"; seen {found.seen}" if found.seen else ""
        return shares + (f"; {found.warning.upper()}, do not rely on it" if found.warning else "")


class ClassResult(Part):
    """One class of one image."""

    value: int = Field(description="What the mask holds where this class is")
    name: str
    share: NonNegativeFloat = Field(description="Share of the image's pixels, 0 to 1")
    pixels: int


class SegmentedResult(Part):
    """One segmented image."""

    scan: ScanResult
    mask: str = Field(description="File of the index mask")
    overlay: str
    uncertainty: str | None = Field(description="File of the uncertainty: 0 sure, 255 all classes equally likely")
    probability: str | None = Field(description="TIFF of the probability of each class, float32, one page a class")
    classes: tuple[ClassResult, ...]
    mean_uncertainty: FiniteFloat | None
    doubtful_share: FiniteFloat | None = Field(description=f"Share of pixels with an uncertainty above {DOUBTFUL}")
    strangeness: FiniteFloat | None = Field(description="1: as unlike the training images as they are among themselves")
    seen: str = Field(description="What was done to make it look like the training images; empty for nothing")
    unfamiliar: bool = Field(
        description="Whether the image is unlike all training images, so that the mask means little"
    )
    dissent: FiniteFloat | None = Field(description="Share of pixels on which the network's two opinions differ")
    own_weight: NonNegativeFloat = Field(
        description="How much the image's own clear pixels counted beside the network, which counts 1"
    )
    warning: str = Field(description="Why the mask means little; empty where nothing speaks against it")


class SegmentationResult(Part):
    """All images that one command segmented."""

    schema_: Literal["micrographia/segmentation/1"] = Field(alias="schema")
    model_sha256: str = Field(description="SHA-256 of the model's file, or name of the checkpoint")
    images: tuple[SegmentedResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "segmentation-1.json": (SegmentationResult, "micrographia/segmentation/1"),
}
"""Published file, model and identifier of each schema of this module."""


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a result of this module, made from its model."""
    model, name = SCHEMAS[file]
    return schema_of(model, name)


def files_of(name: str, *, tiff: bool = False) -> tuple[str, str, str, str]:
    """Return the files of one image: mask, overlay, uncertainty, probability.

    Examples
    --------
    >>> files_of("a")
    ('a.png', 'a-overlay.png', 'a-uncertainty.png', 'a-probability.tif')
    """
    return (
        f"{name}.{'tif' if tiff else 'png'}",
        f"{name}-overlay.png",
        f"{name}-uncertainty.png",
        f"{name}-probability.tif",
    )


def free_names(names: Sequence[str], *, tiff: bool = False) -> list[str]:
    """Return the names, with a number after those whose files would replace those of another image.

    Examples
    --------
    >>> free_names(["a", "a-overlay", "b"])
    ['a', 'a-overlay-2', 'b']
    """
    taken: set[str] = set()
    free = []
    for wanted in names:
        name, k = wanted, 1
        while taken & {f.lower() for f in files_of(name, tiff=tiff)}:
            k += 1
            name = f"{wanted}-{k}"
        taken |= {f.lower() for f in files_of(name, tiff=tiff)}
        free.append(name)
    return free


def write_segmented(found: Segmented, out: Path, *, tiff: bool = False) -> SegmentedResult:
    """Write the files of one image; all of them, or nothing.

    Parameters
    ----------
    found : Segmented
        What was found.
    out : Path
        Folder for the results.
    tiff : bool
        Whether the mask is a TIFF rather than a PNG.

    Returns
    -------
    SegmentedResult
        Its entry in ``segmentation.json``.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    result = found.segmentation
    mask, overlay, uncertainty, probability = files_of(found.name, tiff=tiff)
    with new_folder(out) as folder:
        Image.fromarray(result.mask).save(folder / mask)
        write_segmented_overlay(found.micrograph, result, folder / overlay)
        if result.uncertainty is not None:
            Image.fromarray(np.rint(result.uncertainty * 255).astype(np.uint8)).save(folder / uncertainty)
        if result.probability is not None:
            import tifffile

            tifffile.imwrite(
                folder / probability,
                result.probability,
                photometric="minisblack",
                compression="zlib",
                metadata={"axes": "CYX", "classes": list(result.names)},
            )
    return _described(found, tiff=tiff)


def write_segmentation(entries: Sequence[SegmentedResult], model_sha256: str, out: Path) -> Path:
    """Write ``segmentation.json``.

    Parameters
    ----------
    entries : sequence of SegmentedResult
        From `write_segmented`.
    model_sha256 : str
        SHA-256 of the model's file.
    out : Path
        Folder of the results.
    """
    result = SegmentationResult.model_validate(
        {
            "schema": "micrographia/segmentation/1",
            "model_sha256": model_sha256,
            "images": tuple(entries),
            "software": versions(),
        }
    )
    with new_folder(out) as folder:
        (folder / "segmentation.json").write_text(
            json.dumps(result.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
    return out / "segmentation.json"


def _described(found: Segmented, *, tiff: bool) -> SegmentedResult:
    result = found.segmentation
    mask, overlay, uncertainty, probability = files_of(found.name, tiff=tiff)
    counts = np.bincount(result.mask.ravel(), minlength=256)
    doubt = result.uncertainty
    return SegmentedResult(
        scan=scan_result(found.micrograph),
        mask=mask,
        overlay=overlay,
        uncertainty=None if result.uncertainty is None else uncertainty,
        probability=None if result.probability is None else probability,
        classes=tuple(
            ClassResult(value=v, name=n, share=float(counts[v] / counts.sum()), pixels=int(counts[v]))
            for v, n in zip(result.values, result.names, strict=True)
        ),
        mean_uncertainty=None if doubt is None else round(float(doubt.mean()), 6),
        doubtful_share=None if doubt is None else round(float((doubt > DOUBTFUL).mean()), 6),
        strangeness=None if result.strangeness is None else round(result.strangeness, 4),
        seen=result.seen,
        unfamiliar=result.unfamiliar,
        dissent=None if result.dissent is None else round(result.dissent, 4),
        own_weight=round(result.own_weight, 4),
        warning=result.warning,
    )
