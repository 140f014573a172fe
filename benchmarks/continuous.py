"""Kernels between the nodes of the library's grid, against kernels computed for that very probe.

Claim: for probes, detectors, columns and aberrations drawn from the prior, kernels interpolated from the grid of 8
energies and 6 convergence angles are right to 0.2 % of the peak in focus; with defocus and spherical aberration by
the quick rule, to 1 % for nine in ten.

Run:  OPENBLAS_NUM_THREADS=1 python benchmarks/continuous.py --library LIB [--draws 60] [--seed 1]
      LIB from: micrographia simulate catalogue --prior --out LIB
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import j0

from micrographia.simulate.columns.column import column_rings
from micrographia.simulate.columns.potentials import interaction_rad_per_V_A
from micrographia.simulate.columns.vibration import VIBRATION_A
from micrographia.simulate.patches.library import build_library, read_library, role_spectra
from micrographia.simulate.patches.prior import ImagingPrior, draw_imaging
from micrographia.simulate.patches.spectra import NODE, band_limit_per_A, detector_weights, spectrum
from micrographia.simulate.specimens.catalogue import columns, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES


def profile(spectrum_A2: np.ndarray, band_limit: float) -> np.ndarray:
    """Return the kernel that a spectrum stands for, at 0 to 6 Å."""
    radius_A = np.linspace(0, 6, 240)
    weight = np.polynomial.legendre.leggauss(NODE.size)[1] / 2
    return 2 * np.pi * j0(2 * np.pi * band_limit * radius_A[:, None] * NODE) @ (weight * NODE * spectrum_A2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    catalogue, prior = read_catalogue(), ImagingPrior()
    library = read_library(build_library(catalogue, options.library, prior=prior))
    rng = np.random.default_rng(options.seed)
    errors: dict[str, list[float]] = {"in focus": [], "with defocus and Cs": []}
    worst: dict[str, tuple[float, str]] = dict.fromkeys(errors, (0.0, ""))
    for _ in range(options.draws):
        compound = catalogue.compounds[rng.integers(len(catalogue.compounds))]
        drawn = replace(draw_imaging(prior, rng, channels=1), source_sigma_A=0.0)
        label = rng.choice([name for name, column in columns(compound).items() if column.atoms])
        for state, probe in (
            ("in focus", replace(drawn.probe, defocus_A=0.0, cs_mm=0.0)),
            ("with defocus and Cs", drawn.probe),
        ):
            imaging = replace(drawn, probe=probe)
            limit = band_limit_per_A(probe.energy_kev, probe.convergence_mrad)
            ours = profile(role_spectra(library, compound, imaging)[0, ROLES.index(label)], limit)
            direct = spectrum(column_rings(columns(compound)[label], probe, vibration_A=VIBRATION_A), probe)
            seen = detector_weights(probe.convergence_mrad, imaging.collection_mrad[0]) @ direct
            true = profile(seen * interaction_rad_per_V_A(probe.energy_kev) ** 2, limit)
            error = float(np.abs(ours - true).max() / true.max())
            errors[state].append(error)
            inner, outer = imaging.collection_mrad[0]
            name = f"{label} of {compound.name}, {probe.energy_kev:.0f} keV, {probe.convergence_mrad:.0f} mrad, "
            worst[state] = max(worst[state], (error, name + f"{inner:.0f}-{outer:.0f} mrad"))
    print("| kernels | median error, % of the peak | nine in ten below | worst | which |\n|---|---|---|---|---|")
    for state, found in errors.items():
        print(
            f"| {state} | {100 * np.median(found):.3f} | {100 * np.quantile(found, 0.9):.3f} "
            f"| {100 * worst[state][0]:.2f} | {worst[state][1]} |"
        )


if __name__ == "__main__":
    main()
