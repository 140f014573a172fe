"""Atomic sites of a STEM scan: find the lattice, decide every site, compare site tables."""

from micrographia.atoms.compare import SiteComparison, compare_sites
from micrographia.atoms.decide import Prior
from micrographia.atoms.defects import DEFAULT_METHOD, Method, PhysicsSettings, find_defects

__all__ = ["DEFAULT_METHOD", "Method", "PhysicsSettings", "Prior", "SiteComparison", "compare_sites", "find_defects"]
