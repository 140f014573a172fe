"""Aberrated columns: the quick route and the exact one, side by side, and abTEM's multislice beside both.

The quick route multiplies the spectrum of an in-focus kernel by `transfer_ratio`, either for a point ("point") or with
the column's two numbers from `column_response` ("fitted"; they are fitted to defocus alone). The exact route,
`column_plane`, is a multislice of the isolated column with the aberrated probe. Errors are in per cent of the peak of
the exact aberrated kernel: the largest anywhere within 4 Å of the column, and the root mean square within 1.6 Å, about
a column's share of a monolayer. "none" is what leaving the aberration out altogether costs. Phases are those at the
aperture's rim. Chalcogen columns sit at their heights in the layer, so defocus counts from the metal.

abTEM sees static atoms on a grid point in a box of 24 Å. Its aperture has a soft edge one reciprocal pixel wide; one
common factor for each image (the least-squares gain) is taken out, nothing else.

Run:  OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python -u benchmarks/aberrations.py [--no-abtem] [--checkpoint FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from kernels import cell_of, kernel_signal
from micrographia.simulate import Column, Probe, cached_rings, detector_table, host, hypotheses
from micrographia.simulate.columns.aberrations import (
    POINT,
    Aberrations,
    ColumnResponse,
    radial_transfer_ratio,
    transfer_ratio,
)
from micrographia.simulate.columns.kernels import TABLE_STEP_A
from micrographia.simulate.columns.kernels2d import column_plane
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.columns.response import column_response
from micrographia.simulate.scans.reference import multislice_signal

PROBES = ((60.0, 32.0), (80.0, 30.0), (200.0, 25.0))
DETECTORS = {"HAADF 70-200": (70.0, 200.0), "MAADF 50-120": (50.0, 120.0)}
VIBRATION_A = 0.068
PHASES = (np.pi / 8, np.pi / 4, np.pi / 2, np.pi)
EXTENT_A, STEP_A, BOX = 8.0, 0.2, 128
LATTICE_SAMPLING_A, LATTICE_POSITIONS = 0.04, 150
ABTEM_BOX_A, ABTEM_POINTS, ABTEM_HALF = 24.0, 640, 9


def terms(energy_kev: float, convergence_mrad: float) -> dict[str, Callable[[float], Aberrations]]:
    """Return, for each kind of aberration, what makes it from a phase at the aperture's rim [rad]."""
    length, alpha = wavelength_A(energy_kev), 1e-3 * convergence_mrad
    second, third, fourth = (n * length / (2 * np.pi * alpha**n) for n in (2, 3, 4))
    return {
        "defocus +": lambda rad: Aberrations(defocus_A=second * rad),
        "defocus -": lambda rad: Aberrations(defocus_A=-second * rad),
        "Cs +": lambda rad: Aberrations(cs_mm=1e-7 * fourth * rad),
        "Cs -": lambda rad: Aberrations(cs_mm=-1e-7 * fourth * rad),
        "astigmatism 2": lambda rad: Aberrations(astigmatism2_A=second * rad, astigmatism2_deg=20.0),
        "astigmatism 3": lambda rad: Aberrations(astigmatism3_A=third * rad, astigmatism3_deg=20.0),
        "coma": lambda rad: Aberrations(coma_A=third * rad, coma_deg=20.0),
    }


def columns() -> dict[str, Column]:
    """Return the columns of the comparison, at their heights in the layer."""
    sulphide = {h.label: h.column for h in hypotheses(host("MoS2"), ("W",))}
    selenide = {h.label: h.column for h in hypotheses(host("WSe2"), ("Ti",))}
    return {
        "Mo": sulphide["M"],
        "W": selenide["M"],
        "S2": sulphide["X2"],
        "Se2": selenide["X2"],
        "S": sulphide["V_X"],
    }


def quick_plane(
    column: Column,
    energy_kev: float,
    convergence_mrad: float,
    aberrations: Aberrations,
    collection: tuple[float, float],
    response: ColumnResponse = POINT,
) -> np.ndarray:
    """Return the plane of `column_plane` by the quick route."""
    probe = Probe(energy_kev=energy_kev, convergence_mrad=convergence_mrad)
    table = detector_table(cached_rings(column, probe, vibration_A=VIBRATION_A), collection, source_sigma_A=0.0)
    axis = (np.arange(BOX) - BOX // 2) * STEP_A
    fine = CubicSpline(np.arange(table.size) * TABLE_STEP_A, table)
    distance = np.hypot(axis[:, None], axis)
    focused = np.where(distance < (table.size - 1) * TABLE_STEP_A, fine(distance), 0.0)
    qx, qy = np.meshgrid(np.fft.fftfreq(BOX, STEP_A), np.fft.fftfreq(BOX, STEP_A))
    ratio = transfer_ratio(
        aberrations,
        energy_kev=energy_kev,
        convergence_mrad=convergence_mrad,
        qx_per_A=qx,
        qy_per_A=qy,
        response=response,
    )
    # The column is the origin of the Fourier series.
    image = np.fft.fftshift(np.fft.ifft2(np.fft.fft2(np.fft.ifftshift(focused)) * ratio).real)
    half = round(EXTENT_A / (2 * STEP_A))
    return image[BOX // 2 - half : BOX // 2 + half + 1, BOX // 2 - half : BOX // 2 + half + 1]


def errors_percent(found: np.ndarray, exact: np.ndarray) -> tuple[float, float]:
    """Return the largest error within 4 Å and the root mean square one within 1.6 Å, in per cent of the peak."""
    axis = (np.arange(len(exact)) - len(exact) // 2) * STEP_A
    distance = np.hypot(axis[:, None], axis)
    difference = 100 * (found - exact) / exact.max()
    return float(np.abs(difference[distance < 4]).max()), float(np.sqrt(np.mean(difference[distance < 1.6] ** 2)))


def measure(checkpoint: Path | None) -> list[dict[str, object]]:
    """Return the errors of every case; those of a probe and column are kept in the file as they come."""
    done: list[dict[str, object]] = json.loads(checkpoint.read_text()) if checkpoint and checkpoint.exists() else []
    seen = {(row["energy"], row["column"], row["detector"]) for row in done}
    for energy, convergence in PROBES:
        at = {"energy_kev": energy, "convergence_mrad": convergence, "vibration_A": VIBRATION_A}
        for name, column in columns().items():
            for detector, angles in DETECTORS.items():
                if (energy, name, detector) in seen:
                    continue
                (response,) = column_response(column, collection_mrad=(angles,), **at)
                for term, make in terms(energy, convergence).items():
                    for phase in PHASES:
                        a = make(phase)
                        exact = column_plane(
                            column, aberrations=a, collection_mrad=angles, extent_A=EXTENT_A, step_A=STEP_A, **at
                        )
                        done.append(
                            {
                                "energy": energy,
                                "column": name,
                                "detector": detector,
                                "term": term,
                                "phase": phase,
                                "height_A": response.height_A,
                                "tilt_gain": response.tilt_gain,
                            }
                        )
                        for route, aberrations, departs in (
                            ("none", Aberrations(), POINT),
                            ("point", a, POINT),
                            ("fitted", a, response),
                        ):
                            plane = quick_plane(column, energy, convergence, aberrations, angles, departs)
                            done[-1][route] = errors_percent(plane, exact)
                if checkpoint:
                    checkpoint.write_text(json.dumps(done))
    return done


def table(rows: list[dict[str, object]]) -> str:
    """Return the errors as Markdown: a line for each term, detector and phase, over all columns and probes."""
    lines = [
        "| term | rim [rad] | detector | none: rms | point: rms median | worst | peak median | worst "
        "| fitted: rms median | worst | peak median | worst | |",
        "|" + "---|" * 13,
    ]
    for term in dict.fromkeys(row["term"] for row in rows):
        for phase in PHASES:
            for detector in DETECTORS:
                of = [r for r in rows if (r["term"], r["phase"], r["detector"]) == (term, phase, detector)]
                cells = [f"{np.median([r['none'][1] for r in of]):.1f}"]
                for route in ("point", "fitted"):
                    peak, rms = np.array([r[route] for r in of]).T
                    cells += [f"{value:.2f}" for value in (np.median(rms), rms.max(), np.median(peak), peak.max())]
                worst = of[int(np.argmax(peak))]
                cells.append(f"{worst['column']} {worst['energy']:g} keV")
                lines.append(f"| {term} | {phase:.2f} | {detector} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def responses(rows: list[dict[str, object]]) -> str:
    """Return the fitted responses as Markdown."""
    lines = ["| column | energy [keV] | detector | height [Å] | tilt gain |", "|---|---|---|---|---|"]
    for name, energy, detector in dict.fromkeys((r["column"], r["energy"], r["detector"]) for r in rows):
        row = next(r for r in rows if (r["column"], r["energy"], r["detector"]) == (name, energy, detector))
        lines.append(f"| {name} | {energy:g} | {detector} | {row['height_A']:.2f} | {row['tilt_gain']:.2f} |")
    return "\n".join(lines)


def against_abtem(energy: float, convergence: float, phase: float) -> str:
    """Return, as Markdown, how far the exact and the quick route are from abTEM, static atoms."""
    import abtem
    from ase import Atoms

    abtem.config.set({"diagnostics.progress_bar": False, "local_diagnostics.progress_bar": False})
    offsets = np.arange(-ABTEM_HALF, ABTEM_HALF + 1) * STEP_A
    y_A, x_A = np.meshgrid(offsets, offsets, indexing="ij")
    positions = np.stack([x_A.ravel(), y_A.ravel()], axis=1) + ABTEM_BOX_A / 2
    lines = [
        "| column | term | detector | gain of abTEM | exact: rms | peak | in-focus kernel: rms | abTEM [s] "
        "| exact [s] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in ("W", "Se2"):
        column = columns()[name]
        heights = [z for _, z in column.atoms]
        thickness = (*np.diff(heights).tolist(), 1.0)
        middles = np.cumsum(thickness) - np.array(thickness) / 2
        atoms = Atoms(
            [symbol for symbol, _ in column.atoms],
            positions=[(ABTEM_BOX_A / 2, ABTEM_BOX_A / 2, z) for z in middles],
            cell=(ABTEM_BOX_A, ABTEM_BOX_A, sum(thickness)),
            pbc=True,
        )
        potential = abtem.Potential(
            atoms, gpts=ABTEM_POINTS, slice_thickness=thickness, parametrization="lobato", projection="infinite"
        ).build(lazy=False)
        for term in ("defocus +", "astigmatism 2", "astigmatism 3", "coma"):
            a = terms(energy, convergence)[term](phase)
            beam = abtem.Probe(
                energy=1e3 * energy,
                semiangle_cutoff=convergence,
                extent=ABTEM_BOX_A,
                gpts=ABTEM_POINTS,
                aberrations={
                    "defocus": a.defocus_A - heights[0],
                    "Cs": 1e7 * a.cs_mm,
                    "C12": a.astigmatism2_A,
                    "phi12": np.radians(a.astigmatism2_deg),
                    "C23": a.astigmatism3_A,
                    "phi23": np.radians(a.astigmatism3_deg),
                    "C21": a.coma_A,
                    "phi21": np.radians(a.coma_deg),
                },
            )
            start = time.perf_counter()
            measured = beam.scan(
                potential,
                scan=abtem.CustomScan(positions),
                detectors=[abtem.AnnularDetector(inner=inner, outer=outer) for inner, outer in DETECTORS.values()],
                max_batch=8,
                lazy=False,
            )
            took = time.perf_counter() - start
            for (detector, angles), values in zip(DETECTORS.items(), measured, strict=True):
                reference = np.asarray(values.array).reshape(x_A.shape).astype(float)
                planes, times = [], []
                for aberrations in (a, Aberrations()):
                    start = time.perf_counter()
                    planes.append(
                        column_plane(
                            column,
                            energy_kev=energy,
                            convergence_mrad=convergence,
                            aberrations=aberrations,
                            vibration_A=0.0,
                            collection_mrad=angles,
                            extent_A=2 * ABTEM_HALF * STEP_A,
                            step_A=STEP_A,
                        )
                    )
                    times.append(time.perf_counter() - start)
                exact, focused = planes
                gain = float(np.sum(reference * exact) / np.sum(exact**2))
                rms, focused_rms = (
                    100 * np.sqrt(np.mean((reference / gain - plane) ** 2)) / exact.max() for plane in (exact, focused)
                )
                peak = 100 * np.abs(reference / gain - exact).max() / exact.max()
                lines.append(
                    f"| {name} | {term} | {detector} | {gain:.4f} | {rms:.2f} | {peak:.2f} | {focused_rms:.1f} | "
                    f"{took:.0f} | {times[0]:.2f} |"
                )
    return "\n".join(lines)


def lattice(energy: float, convergence: float) -> str:
    """Return, as Markdown, how superposed exact kernels of a defocused probe compare with abTEM on a monolayer.

    What is left here is the interference between columns, which no route of superposed columns has.
    """
    rng = np.random.default_rng(1)
    specimen = cell_of(0, (7, 4), LATTICE_SAMPLING_A, rng)
    x_A = rng.uniform(0, specimen.width_A, LATTICE_POSITIONS)
    y_A = rng.uniform(0, specimen.height_A, LATTICE_POSITIONS)
    lines = ["| defocus, rim [rad] | detector | gain of abTEM | rms, of range |", "|---|---|---|---|"]
    for phase in (0.0, np.pi / 2, -np.pi / 2, np.pi, -np.pi):
        defocus_A = terms(energy, convergence)["defocus +"](phase).defocus_A
        probe = Probe(energy_kev=energy, convergence_mrad=convergence, defocus_A=defocus_A)
        angles = tuple(DETECTORS.values())
        reference = multislice_signal(specimen, probe, x_A, y_A, collection_mrad=angles, sampling_A=LATTICE_SAMPLING_A)
        ours = kernel_signal(specimen, probe, x_A, y_A, vibration_A=0.0, collection_mrad=angles)
        for detector, theirs, mine in zip(DETECTORS, reference, ours, strict=True):
            gain = float(np.sum(theirs * mine) / np.sum(mine**2))
            rms = 100 * np.sqrt(np.mean((theirs / gain - mine) ** 2)) / np.ptp(mine)
            lines.append(f"| {phase:+.2f} | {detector} | {gain:.4f} | {rms:.2f} |")
    return "\n".join(lines)


def speed() -> str:
    """Return what the quick factors cost, as one line of text."""
    q = np.linspace(0, 1.45, 100)
    qx, qy = np.meshgrid(np.fft.rfftfreq(64, 0.2), np.fft.fftfreq(64, 0.2))
    make = terms(80.0, 30.0)
    text = []
    for phase in (np.pi / 2, np.pi):
        best = {"radial, 100 frequencies": np.inf, "64 x 33 frequencies": np.inf}
        for _ in range(30):
            start = time.perf_counter()
            radial_transfer_ratio(make["defocus +"](phase), energy_kev=80.0, convergence_mrad=30.0, q_per_A=q)
            middle = time.perf_counter()
            transfer_ratio(make["coma"](phase), energy_kev=80.0, convergence_mrad=30.0, qx_per_A=qx, qy_per_A=qy)
            for what, took in zip(best, (middle - start, time.perf_counter() - middle), strict=True):
                best[what] = min(best[what], took)
        text += [f"{what}, {phase:.2f} rad: {1e3 * took:.2f} ms" for what, took in best.items()]
    return "; ".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-abtem", action="store_true", help="only the quick route against the exact one")
    parser.add_argument("--checkpoint", type=Path, help="JSON file that keeps what is done")
    asked = parser.parse_args()
    print(speed())
    if not asked.no_abtem:
        print(against_abtem(80.0, 30.0, np.pi))
        print(lattice(80.0, 30.0))
    rows = measure(asked.checkpoint)
    print(table(rows))
    print(responses(rows))


if __name__ == "__main__":
    main()
