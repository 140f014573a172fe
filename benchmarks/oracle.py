"""What physics allows: accuracy and entropy of the Bayes oracle over the 576 cases, by dose.

For each dose, patches of random cases are simulated and their exact posterior over the site's label is computed
in four states of knowledge:

- context known: compound, energy and detector are given;
- composition unknown: any of the 96 compounds, with the true energy and detector;
- context unknown: any of the 576 cases, brightness known (the dose and the detector's gain);
- image only: any of the 576 cases, and intensities in arbitrary units.

Known in all of them: where the sites are (but not which sublattice is the metal's), source size, scan distortions
and haze; the neighbours are pristine, and the detector counts electrons. Other materials are laid on the
same sites, so that the lattice constant tells nothing.

Run:  OPENBLAS_NUM_THREADS=1 python benchmarks/oracle.py [--known 1152] [--unknown 192] [--seed 1] [--workers 2]
      [--doses 1e4 1e5 1e6 1e7] [--library LIB]
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from micrographia.simulate.patches.library import build_library, read_library, role_tables
from micrographia.simulate.patches.oracle import Hypothetical, entropy_nats, label_posterior, log_likelihoods, posterior
from micrographia.simulate.patches.prior import Imaging, ImagingPrior
from micrographia.simulate.patches.recipe import IDEAL, PatchRecipe, draw_scenes, recorded_electrons
from micrographia.simulate.specimens.catalogue import labels, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES

REALISM = replace(
    IDEAL,
    offset_px=(-0.5, 0.5),
    row_jitter_A=(0.0, 0.08),
    drift_px=(-0.02, 0.02),
    flyback_A=(0.0, 1.0),
    dwell_travel=(0.0, 1.0),
    haze=(0.0, 0.2),
)
STATES = ("context known", "composition unknown", "context unknown", "image only")


def one_patch(job: tuple[Path, float, int, bool, int]) -> dict:
    """Return the oracle's answers for one patch, numbered ``n`` within its dose."""
    folder, dose, n, marginalise, seed = job
    catalogue, library = read_catalogue(), read_library(folder)
    rng = np.random.default_rng([seed, round(np.log10(dose) * 100), n])
    case = catalogue.cases[np.random.default_rng([seed, n // 576]).permutation(576)[n % 576]]
    imaging = ImagingPrior(dose_e_per_A2=(dose, dose))
    made = PatchRecipe(catalogue=catalogue, library=folder, imaging=imaging, realism=REALISM)
    source_sigma_A = float(rng.uniform(*imaging.source_sigma_A))

    def hypothetical(compound, condition) -> Hypothetical:
        optics = Imaging(
            probe=condition.probe, collection_mrad=(condition.collection_mrad,), source_sigma_A=source_sigma_A
        )
        return Hypothetical(tables=role_tables(library, compound, optics), labels=labels(compound))

    scene = draw_scenes(made, case.compound, rng, 1)[0][0]
    truth = hypothetical(case.compound, case.condition)
    electrons = recorded_electrons(scene, truth.tables, size_px=64)
    ask = {"true_a_A": truth.tables.a_A}
    found = {"context known": label_posterior(electrons, scene, [truth], **ask)}
    if marginalise:
        cases = [hypothetical(c.compound, c.condition) for c in catalogue.cases]
        fits = log_likelihoods(electrons, scene, cases, **ask)
        here = [k for k, c in enumerate(catalogue.cases) if c.condition == case.condition]
        found["composition unknown"] = posterior(fits[here], [cases[k] for k in here])
        found["context unknown"] = posterior(fits, cases)
        found["image only"] = posterior(log_likelihoods(electrons, scene, cases, dose_known=False, **ask), cases)
    role = int(scene["role"])
    return {
        "case": case.name,
        "label": ROLES[role],
        "states": {
            state: {
                "right": bool(p.argmax() == role),
                "entropy": float(entropy_nats(p)),
                "p_true": float(p[role]),
                "p_best": float(p.max()),
            }
            for state, p in found.items()
        },
    }


def interval(right: list[bool]) -> str:
    mean = float(np.mean(right))
    return f"{mean:.2%} ± {np.sqrt(max(mean * (1 - mean), 1 / len(right)) / len(right)):.2%}"


def reduction(rows: list[dict], state: str) -> str:
    """Return the reduction of the mean entropy against the image alone, with a 95 % interval by bootstrap."""
    here, blind = (np.array([r["states"][name]["entropy"] for r in rows]) for name in (state, "image only"))
    drawn = np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))
    low, high = np.quantile(1 - here[drawn].mean(axis=1) / blind[drawn].mean(axis=1), [0.025, 0.975])
    return f"{1 - here.mean() / blind.mean():.0%} ({low:.0%} to {high:.0%})"


def tables(answers: dict[float, list[dict]]) -> str:
    lines = [
        "| dose | state of knowledge | patches | accuracy | mean probability of its answer | entropy | reduction |",
        "|---|---|---|---|---|---|---|",
    ]
    for dose, rows in answers.items():
        marginalised = [r for r in rows if "image only" in r["states"]]
        for state in STATES:
            some = rows if state == "context known" else marginalised
            values = [r["states"][state] for r in some]
            lines.append(
                f"| {dose:.0e} e/Å² | {state} | {len(values)} | {interval([v['right'] for v in values])} "
                f"| {np.mean([v['p_best'] for v in values]):.2%} | {np.mean([v['entropy'] for v in values]):.4f} nats "
                f"| {reduction(marginalised, state) if state != STATES[-1] else ''} |"
            )
    lines += [
        "",
        "Context known, by label of the site:",
        "",
        "| label | " + " | ".join(f"{d:.0e}" for d in answers) + " |",
    ]
    lines.append("|---|" + "---|" * len(answers))
    for role in ROLES:
        cells = []
        for rows in answers.values():
            right = [r["states"]["context known"]["right"] for r in rows if r["label"] == role]
            cells.append(f"{np.mean(right):.1%} of {len(right)}" if right else "none")
        lines.append(f"| {role} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", type=int, default=1152, help="patches a dose with the context known")
    parser.add_argument("--unknown", type=int, default=192, help="of them also with the context marginalised")
    parser.add_argument("--doses", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--json", type=Path, help="keep every answer here, and go on from it")
    options = parser.parse_args()
    folder = build_library(read_catalogue(), options.library, workers=options.workers)
    answers = {}
    if options.json and options.json.is_file():
        answers = {float(dose): rows for dose, rows in json.loads(options.json.read_text()).items()}
    with ProcessPoolExecutor(options.workers) as pool:
        for dose in options.doses:
            if dose in answers:
                continue
            jobs = [(folder, dose, n, n < options.unknown, options.seed) for n in range(options.known)]
            answers[dose] = list(pool.map(one_patch, jobs, chunksize=4))
            print(f"{dose:.0e} e/Å² done", flush=True)
            if options.json:
                options.json.write_text(json.dumps({f"{d:g}": rows for d, rows in answers.items()}))
    print()
    print(tables(answers))


if __name__ == "__main__":
    main()
