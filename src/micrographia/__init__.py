"""Read a micrograph together with its context, and answer with evidence."""

from importlib.metadata import version

from micrographia.context import Context
from micrographia.errors import MicrographiaError
from micrographia.findings import DefectFindings, Evidence, Finding, Qualification, SiteTable, Verdict
from micrographia.micrograph import Micrograph, Provenance

__version__ = version("micrographia")

__all__ = [
    "Context",
    "DefectFindings",
    "Evidence",
    "Finding",
    "Micrograph",
    "MicrographiaError",
    "Provenance",
    "Qualification",
    "SiteTable",
    "Verdict",
    "__version__",
]
