"""What is left of line slips once lines were put back, and what that is worth to the network, on whole simulated scans.

Cases of the catalogue, every scan fault on. Sites are found by the lattice fit, conditions and defects by physics, as
`defects` does; then the network is told everything about the scan and asked about every site: with its lines put back,
as they were scanned, and in the same scan without any jitter. Accuracy is the mean of the labels' recalls: what it
would be if all labels were equally frequent, as they are in patches. Physics stands beside it as it decides: with a
prior, under which rare labels need more evidence.

Run:  OPENBLAS_NUM_THREADS=1 python benchmarks/scan_lines.py [--weights FILE] [--scans 36] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from scipy.special import log_softmax

from micrographia.atoms.decide import Prior
from micrographia.atoms.lattice import find_lattice
from micrographia.atoms.lines import steadied
from micrographia.atoms.network.descriptors import KNOWABLE, Conditions, describe
from micrographia.atoms.network.opinion import orientations
from micrographia.atoms.network.trained import ask, read_network, see, state_of
from micrographia.atoms.physics import Solution, defect_light, solve
from micrographia.atoms.reflections import measure_reflections
from micrographia.context import Context
from micrographia.errors import InputError
from micrographia.simulate import host, monolayer, simulate_scan
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.recipe import Realism
from micrographia.simulate.scans.faults import ScanFaults, probe_path, seen_px
from micrographia.simulate.specimens.catalogue import labels, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES, hypotheses
from micrographia.simulate.specimens.specimen import relaxed

SIZE_PX, PIXEL_A = 256, (0.15, 0.3)
FRACTION = 0.03
"""Of each defect label, of the sites of its sublattice."""
WAYS = ("put back", "as scanned", "no jitter", "no jitter, put back", "physics")
DOSES = ((1e4, 1e6), (1e6, 1e8))


def asked(weights: Path | None, solution: Solution, frames: np.ndarray, of: dict, a_px: float) -> np.ndarray:
    """Return the network's labels of all reported sites, everything told: positions in ROLES."""
    trained, rows = read_network(weights), solution.judged[solution.reported]
    known = np.ones((rows.size, len(KNOWABLE)), dtype=bool)
    logs = []
    for patches in orientations(frames, solution, rows):
        told = describe(
            (of["conditions"],), np.zeros(rows.size, dtype=np.int64), covered=patches.covered, mean=patches.mean,
            spread=patches.spread, known=known, pixel_per_a=np.full(rows.size, 1 / a_px),
            pixel_A=np.full(rows.size, of["pixel_A"]), dose_e_per_A2=np.full(rows.size, of["dose"]),
        )  # fmt: skip
        present = np.ones((rows.size, 1), dtype=np.float32)
        in_play = np.tile(np.isin(ROLES, of["labels"]), (rows.size, 1))
        answers = ask(
            trained, see(trained, patches), told, in_play=in_play, state=state_of(known, present), present=present
        )
        logs.append(answers.log_posterior)
    return log_softmax(np.mean(logs, axis=0), axis=1).argmax(axis=1)


def one_scan(weights: Path | None, number: int) -> dict | None:
    """Simulate a scan with and without jitter, and ask about it in all ways."""
    torch.set_num_threads(1)
    catalogue, prior, real = read_catalogue(), ImagingPrior(), Realism()
    rng = np.random.default_rng([20_261_122, number])
    compound = catalogue.compounds[rng.integers(len(catalogue.compounds))]
    condition = catalogue.conditions[rng.integers(len(catalogue.conditions))]
    low, high = DOSES[number % 2]
    dose = float(low * (high / low) ** rng.random())
    pixel_A = float(rng.uniform(*PIXEL_A))
    source_A = float(rng.uniform(*prior.source_sigma_A))
    material, own = host(compound.host), labels(compound)
    specimen = relaxed(
        monolayer(
            material,
            width_A=SIZE_PX * pixel_A,
            height_A=SIZE_PX * pixel_A,
            dopants=(compound.dopant,),
            fractions={label: FRACTION for label in own if label not in ("M", "X2")},
            rotation_deg=float(rng.uniform(0, 360)),
            margin_A=20.0,
            rng=rng,
        ),
        float(rng.uniform(*real.relaxation_A)),
    )
    faults = ScanFaults(
        drift_x_px=float(rng.uniform(*real.drift_px)),
        drift_y_px=float(rng.uniform(*real.drift_px)),
        row_jitter_A=float(rng.uniform(*real.row_jitter_A)),
        flyback_A=float(rng.uniform(*real.flyback_A)),
        flyback_recovery_px=float(rng.uniform(5, 40)),
        dwell_travel=float(rng.uniform(*real.dwell_travel)),
        haze=float(rng.uniform(*real.haze)),
        haze_period_A=float(rng.uniform(20, 100)),
        pulse_spread=float(rng.uniform(*real.pulse_spread)),
        read_noise_e=float(rng.uniform(*real.read_noise_e)),
        seed=number,
    )
    found = {
        "case": f"{compound.name}, {condition.name}",
        "dose": dose,
        "pixel_A": pixel_A,
        "jitter_A": faults.row_jitter_A,
    }
    conditions = Conditions(
        host=compound.host,
        dopant=compound.dopant,
        energy_kev=condition.energy_kev,
        convergence_mrad=condition.convergence_mrad,
        collection_mrad=(condition.collection_mrad,),
    )
    of = {"conditions": conditions, "pixel_A": pixel_A, "dose": dose, "labels": own}
    options = hypotheses(material, (compound.dopant,), impurities=())
    for how, made in (("shaken", faults), ("steady", replace(faults, row_jitter_A=0.0))):
        scan = simulate_scan(
            specimen,
            condition.probe,
            collection_mrad=(condition.collection_mrad,),
            pixel_size_nm=pixel_A / 10,
            source_sigma_nm=source_A / 10,
            dose_e_per_A2=dose,
            rng=np.random.default_rng(number),
            faults=made,
        )
        try:
            lattice = find_lattice(scan.frames, file=found["case"])
        except InputError:
            return None
        reflections = measure_reflections(scan.frames, lattice)
        told = scan.context.updated(Context(host=compound.host, dopants=(compound.dopant,), origin="user"))
        solved = [
            solve(
                scan.frames, lattice, reflections, metal_first=first, context=told, material=material,
                options=options, prior=Prior(),
            )
            for first in (True, False)
        ]  # fmt: skip
        solution = max((way for way in solved if way is not None), key=lambda way: way.log_evidence)
        rows = solution.judged[solution.reported]
        height, width = scan.frames.shape[1:]
        x, y = seen_px(
            made, specimen.x_A / pixel_A, specimen.y_A / pixel_A, height=height, width=width, pixel_A=pixel_A
        )
        seen = np.isfinite(x) & np.isfinite(y)
        away, near = cKDTree(np.stack([x[seen], y[seen]], axis=1)).query(
            np.stack([solution.x_px[rows], solution.y_px[rows]], axis=1)
        )
        truth = np.array([ROLES.index(label) for label in specimen.label[seen][near]])
        fair = away * pixel_A < 0.7
        back = steadied(scan.frames, lattice, defects=defect_light(solution, options, scan.frames.shape))
        ways = ("put back", "as scanned") if how == "shaken" else ("no jitter, put back", "no jitter")
        for way, frames in zip(ways, (back.frames, scan.frames), strict=True):
            said = asked(weights, solution, frames, of, lattice.a_px)
            found[way] = [truth[fair].tolist(), said[fair].tolist()]
        if how == "steady":
            continue
        roles = np.array([ROLES.index(option.label) for option in options])
        judged = roles[solution.decision.posterior[solution.reported].argmax(axis=1)]
        found["physics"] = [truth[fair].tolist(), judged[fair].tolist()]
        path = probe_path(
            ScanFaults(row_jitter_A=made.row_jitter_A, seed=number), height=height, width=width, pixel_A=pixel_A
        )
        true = np.stack([path.row_x_px, path.row_y_px], axis=1)
        # The lattice's phase follows what is slow.
        fast = true - gaussian_filter1d(true, 2 * lattice.a_px, axis=0)
        left = fast - back.slip_px
        inner = np.s_[12:-12]
        found |= {"before_A": float(fast[inner].std() * pixel_A), "after_A": float(left[inner].std() * pixel_A)}
    return found


def recalls(pairs: list[list[list[int]]]) -> float:
    """Return the mean of the labels' recalls."""
    truth, said = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
    return float(np.mean([(said[truth == role] == role).mean() for role in np.unique(truth)]))


def balanced(scans: list[dict]) -> list[str]:
    """Return the mean of recalls in every way, and how far from the first way; errors by drawing scans again."""
    rng = np.random.default_rng(0)
    plain = np.array([recalls([f[way] for f in scans]) for way in WAYS])
    again = np.array(
        [
            [recalls([scans[n][way] for n in drawn]) for way in WAYS]
            for drawn in rng.integers(0, len(scans), (200, len(scans)))
        ]
    )
    apart = (again - again[:, :1]).std(axis=0)
    return [f"{plain[0]:.2%} ± {again[:, 0].std():.2%}"] + [
        f"{p:.2%} ({p - plain[0]:+.2%} ± {sd:.2%})" for p, sd in zip(plain[1:], apart[1:], strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--scans", type=int, default=36, help="scans in each range of doses")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        found = [f for f in pool.map(partial(one_scan, options.weights), range(2 * options.scans)) if f is not None]
    print(f"{len(found)} of {2 * options.scans} scans show a lattice\n")
    print(
        "| dose / e/Å² | scans | sites | slips before / Å | after / Å | "
        + " | ".join(f"accuracy, {way}" for way in WAYS)
        + " |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for low, high in DOSES:
        here = [f for f in found if low <= f["dose"] < high]
        before, after = (np.sqrt(np.mean([f[name] ** 2 for f in here])) for name in ("before_A", "after_A"))
        scores = " | ".join(balanced(here))
        sites = sum(len(f["put back"][0]) for f in here)
        print(f"| {low:.0e} – {high:.0e} | {len(here)} | {sites} | {before:.4f} | {after:.4f} | {scores} |")
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
