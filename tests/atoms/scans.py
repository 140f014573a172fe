"""Scans and patterns of known truth for the tests of `micrographia.atoms`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from micrographia.atoms.lattice import Lattice, find_lattice, place_sites
from micrographia.atoms.reflections import Reflections, measure_reflections
from micrographia.context import Context
from micrographia.findings import SUBLATTICE
from micrographia.micrograph import Micrograph
from micrographia.simulate import Probe, Specimen, host, monolayer, simulate_scan

PROBE = Probe(energy_kev=80.0, convergence_mrad=30.0)
HIGH, LOW = (76.0, 200.0), (40.0, 70.0)
"""Detectors at which W is brighter than Se2, and darker."""


def field(size_A: float, *, seed: int, fractions: Mapping[str, float] | None = None, **more) -> Specimen:
    rng = np.random.default_rng(seed)
    return monolayer(host("WSe2"), width_A=size_A, height_A=size_A, fractions=fractions, rng=rng, **more)


def scan_of(
    specimen: Specimen,
    *,
    detectors: tuple[tuple[float, float], ...] = (HIGH,),
    pixel_A: float = 0.25,
    sigma_A: float = 0.4,
    dose: float | None = None,
    seed: int = 0,
) -> Micrograph:
    return simulate_scan(
        specimen,
        PROBE,
        collection_mrad=detectors,
        pixel_size_nm=pixel_A / 10,
        source_sigma_nm=sigma_A / 10,
        dose_e_per_A2=dose,
        rng=np.random.default_rng(seed),
    )


def told(scan: Micrograph, **known) -> Micrograph:
    """The scan with only the host, no dopants, and what is given as its context."""
    context = Context(host="WSe2", dopants=(), technique="STEM", **known, origin="user")
    return replace(scan, context=context, pixel_size_origin="file")


def measured(frames: np.ndarray) -> tuple[Lattice, Reflections]:
    lattice = find_lattice(frames.astype(np.float32), file="test")
    return lattice, measure_reflections(frames.astype(np.float32), lattice)


def placed(lattice: Lattice, reflections: Reflections, thirds: int, *, margin_px: float = 0.0) -> np.ndarray:
    """Positions (site, 2) of one of the three threefold axes: 0 is the hollow one."""
    return np.stack(place_sites(lattice, reflections.origin + thirds / 3, margin_px=margin_px), axis=1)


def truth(specimen: Specimen, pixel_A: float, sublattice: str) -> np.ndarray:
    """Positions (site, 2) of one sublattice [px]."""
    here = np.array([SUBLATTICE[label] == sublattice for label in specimen.label])
    return np.stack([specimen.x_A, specimen.y_A], axis=1)[here] / pixel_A


def inside(xy: np.ndarray, shape: tuple[int, ...], edge_px: float) -> np.ndarray:
    height, width = shape[-2:]
    return (np.minimum(xy, [width - 1, height - 1] - xy) >= edge_px).all(axis=1)


def worst_miss(wanted: np.ndarray, found: np.ndarray, shape: tuple[int, ...], edge_px: float) -> float:
    """Largest distance [px] from a wanted to a found site and from a found to a wanted one, off the edge."""
    there = cKDTree(found).query(wanted[inside(wanted, shape, edge_px)])[0].max()
    back = cKDTree(wanted).query(found[inside(found, shape, edge_px)])[0].max()
    return float(max(there, back))


def metal_first(lattice: Lattice, reflections: Reflections, specimen: Specimen, pixel_A: float) -> bool:
    metal = truth(specimen, pixel_A, "M")
    near = [np.median(cKDTree(metal).query(placed(lattice, reflections, k))[0]) for k in (1, 2)]
    return bool(near[0] < near[1])


def gaussian_pattern(
    *,
    size: int,
    a_px: float,
    turn_deg: float,
    shift_px: tuple[float, float],
    heights: tuple[float, float],
    sigma_px: float,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A honeycomb of Gaussian columns, and positions of its first, second and hollow sites."""
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    vectors = turn @ (a_px * np.array([[1.0, 0.5], [0.0, np.sqrt(3) / 2]]))
    reach = int(1.5 * size / a_px) + 4
    cells = np.stack([n.ravel() for n in np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach))])
    sites = []
    for third in (0.0, 1 / 3, 2 / 3):
        xy = (vectors @ (cells + third)).T + np.array(shift_px) + size / 2
        sites.append(xy[inside(xy, (size, size), -6 * sigma_px)])
    axis = np.arange(size)
    image = np.zeros((size, size))
    for xy, height in zip(sites[:2], heights, strict=True):
        gx, gy = (np.exp(-((axis - c[:, None]) ** 2) / (2 * sigma_px**2)) for c in xy.T)
        image += height * gy.T @ gx
    return image, (sites[0], sites[1], sites[2])
