"""A copy of a library that needs no database to be read: images, criteria, and what was said of each."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from micrographia.qualify.criteria import criteria_yaml
from micrographia.qualify.library.definitions import criteria, criterion_versions
from micrographia.qualify.library.folder import whole_folder
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.opinions import opinions
from micrographia.qualify.library.reference import Reference
from micrographia.qualify.library.references import contents, image_path, mask_path, references

SCHEMA: Final = "micrographia/library-export/1"


def export_library(library: Library, out: str | Path) -> None:
    """Write a library to a folder: ``library.json``, ``criteria.yaml``, and images and masks under their hashes.

    The folder has all that is needed to create the library again: ``create_library`` takes ``criteria.yaml``, and
    ``add_references`` each reference of ``library.json`` that is not retired, with its file.

    Parameters
    ----------
    library : Library
        The library.
    out : str or Path
        A name that is free, or an empty folder.

    Raises
    ------
    OutputError
        The folder is not empty or cannot be written to.
    """
    with whole_folder(Path(out), what="export") as folder:
        now = criteria(library)
        listed = [r for c in now for r in references(library, c.id, with_retired=True)]
        tree = {
            "schema": SCHEMA,
            "library": {"id": library.id, "version": contents(library).version},
            "criteria": [_versions(library, c.id) for c in now],
            "references": [_exported(library, reference, folder) for reference in listed],
            "opinions": [asdict(opinion) for c in now for opinion in opinions(library, c.id)],
        }
        (folder / "criteria.yaml").write_text(criteria_yaml(now), encoding="utf-8")
        (folder / "library.json").write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _versions(library: Library, criterion_id: str) -> dict[str, Any]:
    return {"id": criterion_id, "versions": [asdict(version) for version in criterion_versions(library, criterion_id)]}


def _exported(library: Library, reference: Reference, folder: Path) -> dict[str, Any]:
    """Copy a reference's files, and return what is said of it."""
    image, mask = image_path(library, reference), mask_path(library, reference)
    return {
        **asdict(reference),
        "image_path": _copied(image, folder, "images"),
        "mask_path": None if mask is None else _copied(mask, folder, "masks"),
    }


def _copied(file: Path, folder: Path, kind: str) -> str:
    place = folder / kind / file.name
    place.parent.mkdir(exist_ok=True)
    shutil.copyfile(file, place)
    return f"{kind}/{file.name}"
