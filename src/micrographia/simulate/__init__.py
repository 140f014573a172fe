"""Atoms and a context become a micrograph: structures, column kernels, scans, noise."""

from micrographia.simulate.columns.aberrations import Aberrations
from micrographia.simulate.columns.column import Column, Probe, column_rings
from micrographia.simulate.columns.kernels import cached_rings, detector_table
from micrographia.simulate.scans.faults import ScanFaults
from micrographia.simulate.scans.reference import multislice_scan, to_atoms
from micrographia.simulate.scans.scan import simulate_scan
from micrographia.simulate.specimens.hosts import Host, Hypothesis, host, hypotheses
from micrographia.simulate.specimens.specimen import Specimen, cell, from_atoms, monolayer, relaxed, with_images

__all__ = [
    "Aberrations",
    "Column",
    "Host",
    "Hypothesis",
    "Probe",
    "ScanFaults",
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
    "relaxed",
    "simulate_scan",
    "to_atoms",
    "with_images",
]
