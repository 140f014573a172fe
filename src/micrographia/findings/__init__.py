"""What was found in a micrograph, how sure that is, and the evidence for it."""

from micrographia.findings.defects import DefectFindings, Finding
from micrographia.findings.lattice_check import LatticeCheck
from micrographia.findings.opinions import Opinions
from micrographia.findings.sites import LABELS, SUBLATTICE, Evidence, SiteTable
from micrographia.findings.unknowns import Information, Marginal
from micrographia.findings.verdicts import Decision, Nearest, Part, Qualification, Reason, Verdict, WhereEvidence

__all__ = [
    "LABELS",
    "SUBLATTICE",
    "Decision",
    "DefectFindings",
    "Evidence",
    "Finding",
    "Information",
    "LatticeCheck",
    "Marginal",
    "Nearest",
    "Opinions",
    "Part",
    "Qualification",
    "Reason",
    "SiteTable",
    "Verdict",
    "WhereEvidence",
]
