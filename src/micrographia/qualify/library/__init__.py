"""The reference library: criteria, references, vectors and records, each change in one audit chain."""

from micrographia.qualify.library.definitions import (
    CriterionVersion,
    amend_criterion,
    criteria,
    criterion_versions,
    library_version,
    set_criteria,
)
from micrographia.qualify.library.export import export_library
from micrographia.qualify.library.home import Library, create_library, open_library
from micrographia.qualify.library.opinions import Opinion, opinions, record_opinion
from micrographia.qualify.library.reference import Contents, Reference, Retirement, region_key
from micrographia.qualify.library.references import (
    add_references,
    contents,
    image_path,
    mask_path,
    references,
    region_mask,
    retire_reference,
)
from micrographia.qualify.library.trail import Check, Step, audit_trail
from micrographia.qualify.library.vectors import EncoderVersion, Patches, load_patches, load_vectors, store_vectors
from micrographia.qualify.library.verdicts import record_verdicts
from micrographia.qualify.library.verify import Verification, verify_library

__all__ = [
    "Check",
    "Contents",
    "CriterionVersion",
    "EncoderVersion",
    "Library",
    "Opinion",
    "Patches",
    "Reference",
    "Retirement",
    "Step",
    "Verification",
    "add_references",
    "amend_criterion",
    "audit_trail",
    "contents",
    "create_library",
    "criteria",
    "criterion_versions",
    "export_library",
    "image_path",
    "library_version",
    "load_patches",
    "load_vectors",
    "mask_path",
    "open_library",
    "opinions",
    "record_opinion",
    "record_verdicts",
    "references",
    "region_key",
    "region_mask",
    "retire_reference",
    "set_criteria",
    "store_vectors",
    "verify_library",
]
