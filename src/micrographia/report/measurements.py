"""Write what was measured on segmented images into a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from micrographia.report.folder import new_folder
from micrographia.report.measurements_page import headlines, measurements_page
from micrographia.report.measurements_result import measurements_csv, measurements_result, objects_csv
from micrographia.segment.instances.coco import to_coco
from micrographia.segment.measured import Measured

__all__ = ["headlines", "measurement_tables", "write_measurements"]


def write_measurements(
    measured: Measured,
    greys: Mapping[str, UInt8[np.ndarray, "_height _width"]],
    out: Path,
    *,
    source: str,
    pixel_size_origin: str | None,
) -> tuple[Path, ...]:
    """Write the report and its tables; all files, or nothing.

    Parameters
    ----------
    measured : Measured
        What was measured.
    greys : mapping of str to uint8 array (height, width)
        Image of each field, by its name, as `grey_picture` gives it; may lack some.
    out : Path
        Folder for the results. When it exists, files of the same name are replaced and others stay.
    source : str
        SHA-256 of the model, or where the masks came from.
    pixel_size_origin : str, optional
        Who said what the pixel size is.

    Returns
    -------
    tuple of Path
        ``report.html``, ``measurements.json``, ``measurements.csv``; and where there are objects ``objects.csv``
        (one row an object) and ``objects.coco.json`` (their outlines).

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    texts = measurement_tables(measured, source=source, pixel_size_origin=pixel_size_origin)
    texts["report.html"] = measurements_page(measured, greys, source=source, pixel_size_origin=pixel_size_origin)
    with new_folder(out) as folder:
        for name, words in texts.items():
            (folder / name).write_text(words, encoding="utf-8")
    return tuple(out / name for name in texts)


def measurement_tables(measured: Measured, *, source: str, pixel_size_origin: str | None) -> dict[str, str]:
    """Return the files of `write_measurements` but the report, by their names.

    Parameters
    ----------
    measured : Measured
        What was measured.
    source : str
        SHA-256 of the model, or where the masks came from.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    """
    result = measurements_result(measured, source=source, pixel_size_origin=pixel_size_origin)
    texts = {
        "measurements.json": result.model_dump_json(indent=2) + "\n",
        "measurements.csv": measurements_csv(measured),
    }
    if (rows := objects_csv(measured)) is not None:
        texts["objects.csv"] = rows
    with_objects = [one for one in measured.classes if one.instances]
    for one in with_objects:
        found = {f.name: i for f, i in zip(measured.fields, one.instances, strict=True)}
        which = "" if len(with_objects) == 1 else "-" + "".join(c if c.isalnum() else "-" for c in one.name)
        while f"objects{which}.coco.json" in texts:  # two names that differ in other signs only
            which += "-2"
        texts[f"objects{which}.coco.json"] = json.dumps(to_coco(found)) + "\n"
    return texts
