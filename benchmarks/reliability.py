"""Reliability of `defects` on simulated scans with known truth: predicted against observed, decile by decile.

Random materials, dopants, concentrations, conditions, blur, rotation and dose (1e5 to 1e7 e/Å²). Each scan is
decided twice: with its detector angles and convergence known, and with both unknown. Every (site, label) pair
with a probability above 1e-6 enters.

Run:  python benchmarks/reliability.py [--scans 120] [--seed 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from micrographia.atoms import find_defects
from micrographia.context import Context
from micrographia.errors import InputError
from micrographia.simulate import Probe, host, monolayer, simulate_scan

HOSTS = ("MoS2", "MoSe2", "MoTe2", "WS2", "WSe2", "WTe2", "NbSe2", "TaS2", "TiS2", "VS2")
DOPANTS = ("Ti", "V", "Cr", "Nb", "Mo", "Ta", "W", "Re", "S", "Se", "Te")


def random_scan(rng: np.random.Generator):
    """Draw a specimen and its scan, with the context that tells everything."""
    material = host(str(rng.choice(HOSTS)))
    dopant = str(rng.choice([d for d in DOPANTS if d not in (material.metal, material.chalcogen)]))
    energy = float(rng.choice([60.0, 80.0, 200.0]))
    convergence = float(rng.uniform(21, 34))
    inner = float(rng.uniform(1.3 * convergence, 90))
    angles = [(inner, float(rng.uniform(2 * inner, 220)))]
    if rng.random() < 0.5:
        low = float(rng.uniform(1.15 * convergence, 1.3 * convergence))
        angles.append((low, 1.8 * low))
    fractions = {
        "V_X": rng.uniform(0.005, 0.05),
        "V_X2": rng.uniform(0, 0.004),
        "V_M": rng.uniform(0, 0.01),
        "D_X" if dopant in ("S", "Se", "Te") else "D_M": rng.uniform(0.005, 0.08),
    }
    specimen = monolayer(
        material,
        width_A=70,
        height_A=70,
        dopants=(dopant,),
        fractions=fractions,
        rotation_deg=rng.uniform(0, 60),
        rng=rng,
    )
    scan = simulate_scan(
        specimen,
        Probe(energy_kev=energy, convergence_mrad=convergence),
        collection_mrad=tuple(angles),
        pixel_size_nm=float(rng.uniform(0.012, 0.035)),
        source_sigma_nm=float(rng.uniform(0.03, 0.07)),
        dose_e_per_A2=float(10 ** rng.uniform(5, 7)),
        rng=rng,
    )
    known = scan.context.updated(Context(host=material.formula, dopants=(dopant,), origin="user"))
    unknown = Context(host=material.formula, dopants=(dopant,), energy_kev=energy, origin="user")
    return specimen, scan, {"known": known, "angles unknown": unknown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pairs: dict[str, list[np.ndarray]] = {"known": [], "angles unknown": []}
    accuracy: dict[str, list[float]] = {"known": [], "angles unknown": []}
    sites: dict[str, int] = {"known": 0, "angles unknown": 0}
    failed = 0
    for n in range(options.scans):
        specimen, scan, contexts = random_scan(np.random.default_rng([options.seed, n]))
        tree = cKDTree(np.stack([specimen.x_A, specimen.y_A], axis=1) / (10 * scan.pixel_size_nm))
        for name, context in contexts.items():
            try:
                found = find_defects(replace(scan, context=context)).sites
            except InputError as error:
                failed += 1
                print(f"scan {n} ({context.host}, {scan.context.dose_e_per_A2:.1e} e/Å²): {error}")
                continue
            truth = specimen.label[tree.query(np.stack([found.x_px, found.y_px], axis=1))[1]]
            hit = truth[:, None] == np.array(found.labels)
            seen = found.posterior > 1e-6
            pairs[name].append(np.stack([found.posterior[seen], hit[seen]], axis=1))
            right = float(np.mean(found.label == truth))
            accuracy[name].append(right)
            sites[name] += len(found)
            if right < 0.95:
                print(
                    f"scan {n} {name}: {context.host} {context.dopants} {scan.context.energy_kev:g} keV "
                    f"{scan.context.collection_mrad} {scan.context.dose_e_per_A2:.1e} e/Å²: accuracy {right:.3f}"
                )
    table = []
    for name, collected in pairs.items():
        p, hit = np.concatenate(collected).T
        print(f"\n{name}: {len(collected)} scans, {sites[name]} sites, mean accuracy {np.mean(accuracy[name]):.4f}")
        print("| decile | pairs | predicted | observed | difference (points) |\n|---|---|---|---|---|")
        for decile in range(10):
            inside = (p * 10).astype(int).clip(0, 9) == decile
            if not inside.any():
                continue
            predicted, observed = p[inside].mean(), hit[inside].mean()
            table.append(
                {
                    "context": name,
                    "decile": decile,
                    "pairs": int(inside.sum()),
                    "predicted": predicted,
                    "observed": observed,
                }
            )
            print(
                f"| {decile / 10:.1f}–{decile / 10 + 0.1:.1f} | {inside.sum()} | {predicted:.3f} | {observed:.3f} "
                f"| {100 * (observed - predicted):+.1f} ± "
                f"{100 * np.sqrt(predicted * (1 - predicted) / inside.sum()):.1f} |"
            )
    print(f"\nnot decided: {failed} runs")
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
