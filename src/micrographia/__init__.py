"""Read a micrograph together with its context, and answer with evidence."""

from importlib.metadata import version

from micrographia.context import Context
from micrographia.errors import MicrographiaError
from micrographia.findings import DefectFindings, Evidence, Finding, SiteTable
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
    "SiteTable",
    "__version__",
]
