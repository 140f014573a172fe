"""Atoms and a context become a micrograph: structures, column kernels, scans, noise."""

from micrographia.simulate.column import Column, Probe, column_rings
from micrographia.simulate.hosts import Host, Hypothesis, host, hypotheses
from micrographia.simulate.kernels import cached_rings, detector_table
from micrographia.simulate.reference import multislice_scan, to_atoms
from micrographia.simulate.scan import simulate_scan
from micrographia.simulate.specimen import Specimen, cell, from_atoms, monolayer, with_images

__all__ = [
    "Column",
    "Host",
    "Hypothesis",
    "Probe",
    "Specimen",
    "cached_rings",
    "cell",
    "column_rings",
    "detector_table",
    "from_atoms",
    "host",
    "hypotheses",
    "monolayer",
    "multislice_scan",
    "simulate_scan",
    "to_atoms",
    "with_images",
]
