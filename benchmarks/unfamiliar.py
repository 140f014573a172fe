"""TMD sites against graphene, nanoparticles and pictures that are no STEM scans, by familiarity.

Every stranger is laid by its own lattice (pictures without one, at random) and shown with the context of one of the
TMD sites, as somebody who takes it for one would. AUROC of the familiarity score, for each kind.

Run:  OPENBLAS_NUM_THREADS=1 MICROGRAPHIA_SAMPLES=../shared/data python benchmarks/unfamiliar.py --library LIB
      [--weights FILE]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import rankdata

from micrographia.atoms.defects import LEAST_FAMILIARITY
from micrographia.atoms.network.canonical import canonical_patches
from micrographia.atoms.network.descriptors import KNOWABLE, Conditions, describe
from micrographia.atoms.network.trained import ask, read_network, see, state_of
from micrographia.learn.context.calibrate import ask_simulated
from micrographia.learn.context.train import STEADIED
from micrographia.simulate.columns.column import Column, Probe
from micrographia.simulate.patches.recipe import PatchRecipe
from micrographia.simulate.scans.scan import simulate_scan
from micrographia.simulate.specimens.catalogue import Compound, labels, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES
from micrographia.simulate.specimens.specimen import Specimen

SEED = 7
SITES_A_SCAN = 40


def lattice_points(vectors: np.ndarray, basis: np.ndarray, reach_A: float, angle: float) -> np.ndarray:
    n = int(np.ceil(2 * reach_A / np.linalg.norm(vectors, axis=1).min())) + 2
    cells = np.stack(np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1)), axis=-1).reshape(-1, 2)
    points = ((cells[:, None] + basis[None]) @ vectors).reshape(-1, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return points @ turn


def graphene(rng: np.random.Generator, size_A: float) -> tuple[Specimen, float]:
    vectors = 2.46 * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    angle = rng.uniform(0, 2 * np.pi)
    xy = lattice_points(vectors, np.array([[1 / 3, 1 / 3], [2 / 3, 2 / 3]]), size_A, angle) + size_A / 2
    return specimen(xy, np.zeros(len(xy), dtype=int), (Column(atoms=(("C", 0.0),)),), size_A), 2.46


def nanoparticle(rng: np.random.Generator, size_A: float) -> tuple[Specimen, float]:
    """Return an fcc particle, a cap of up to eight atoms a column, along [001] or [110]."""
    element, a = [("Au", 4.08), ("Pt", 3.92), ("Pd", 3.89)][rng.integers(3)]
    if rng.random() < 0.5:
        vectors, basis, nearest, step = np.array([[a / 2, 0.0], [0.0, a / 2]]), np.zeros((1, 2)), a / 2, a
    else:
        vectors, basis = np.array([[a, 0.0], [0.0, a / np.sqrt(2)]]), np.array([[0.0, 0.0], [0.5, 0.5]])
        nearest, step = np.hypot(a / 2, a / np.sqrt(8)), a / np.sqrt(2)
    xy = lattice_points(vectors, basis, size_A, rng.uniform(0, 2 * np.pi)) + size_A / 2
    radius = rng.uniform(0.6, 1.0) * size_A
    from_centre = np.hypot(*(xy - size_A / 2).T)
    thick = np.clip(np.round(8 * np.sqrt(np.maximum(1 - (from_centre / radius) ** 2, 0))), 0, 8).astype(int)
    columns = tuple(Column(atoms=tuple((element, k * step) for k in range(n))) for n in range(1, 9))
    return specimen(xy[thick > 0], thick[thick > 0] - 1, columns, size_A), nearest * np.sqrt(3)


def specimen(xy: np.ndarray, kind: np.ndarray, columns: tuple[Column, ...], size_A: float) -> Specimen:
    near = ((xy > -12) & (xy < size_A + 12)).all(axis=1)
    return Specimen(
        x_A=xy[near, 0], y_A=xy[near, 1], columns=columns, kind=kind[near], label=np.full(near.sum(), ""),
        width_A=size_A, height_A=size_A,
    )  # fmt: skip


def strangers(kind: str, scans: int, conditions: tuple[Conditions, ...], rng: np.random.Generator):
    """Yield frames, site positions, arms, lattice constant [px], pixel size [Å] and dose of each scan."""
    for n in range(scans):
        condition = conditions[n % len(conditions)]
        pixel_A, dose = rng.uniform(0.08, 0.4), 10 ** rng.uniform(4, 8)
        size_A = min(96 * pixel_A, 24.0)
        made, a_A = (graphene if kind == "graphene" else nanoparticle)(rng, size_A)
        scan = simulate_scan(
            made,
            Probe(energy_kev=condition.energy_kev, convergence_mrad=condition.convergence_mrad),
            collection_mrad=condition.collection_mrad,
            pixel_size_nm=pixel_A / 10,
            source_sigma_nm=rng.uniform(0.015, 0.05),
            dose_e_per_A2=dose,
            rng=rng,
        )
        inside = np.hypot(made.x_A - size_A / 2, made.y_A - size_A / 2) < size_A / 3
        chosen = rng.permutation(np.nonzero(inside)[0])[:SITES_A_SCAN]
        xy = np.stack([made.x_A, made.y_A], axis=1)
        away = xy[None] - xy[chosen][:, None]
        length = np.hypot(*np.moveaxis(away, -1, 0))
        length[length < 0.1] = np.inf
        towards = away[np.arange(len(chosen)), length.argmin(axis=1)]
        arm = towards / np.linalg.norm(towards, axis=1, keepdims=True) * a_A / np.sqrt(3) / pixel_A
        yield condition, scan.frames, xy[chosen] / pixel_A, arm, a_A / pixel_A, pixel_A, dose


def pictures(root: Path, scans: int, conditions: tuple[Conditions, ...], rng: np.random.Generator):
    """Yield the same of images that are no STEM scans, at random places and scales."""
    files = sorted(
        p
        for folder in (
            "sem-ebc",
            "sem-powder",
            "sem-uhcs-spheroidite",
            "tem-loops",
            "sem-nffa",
            "tem-ti-insitu",
            "optical-meltpool",
        )
        for p in (root / folder).rglob("*")
        if p.suffix.lower() in (".png", ".tif", ".tiff", ".jpg", ".jpeg") and "mask" not in str(p).lower()
    )
    for n in range(scans):
        image = np.asarray(Image.open(files[rng.integers(len(files))]).convert("F"), dtype=np.float32)
        a_px = rng.uniform(8, 30)
        low, high = 2 * a_px, np.array(image.shape[::-1]) - 2 * a_px
        xy = rng.uniform(low, high, (SITES_A_SCAN, 2))
        angle = rng.uniform(0, 2 * np.pi, SITES_A_SCAN)
        arm = a_px / np.sqrt(3) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        yield conditions[n % len(conditions)], image[None], xy, arm, a_px, 3.3 / a_px, 1e6


def distances(trained, scenes, known: np.ndarray) -> np.ndarray:
    found = []
    for condition, frames, xy, arm, a_px, pixel_A, dose in scenes:
        count = len(xy)
        if not count:
            continue
        patches = canonical_patches(
            np.ascontiguousarray(frames[None]),
            np.zeros(count, dtype=np.int64),
            xy[:, 0],
            xy[:, 1],
            arm,
            arm[:, ::-1] * [-1, 1],
        )
        knows = np.tile(known, (count, 1))
        told = describe(
            (condition,), np.zeros(count, dtype=np.int64), covered=patches.covered, mean=patches.mean,
            spread=patches.spread, known=knows, pixel_per_a=np.full(count, 1 / a_px),
            pixel_A=np.full(count, pixel_A), dose_e_per_A2=np.full(count, dose),
        )  # fmt: skip
        play = np.isin(ROLES, labels(Compound(host=condition.host, dopant=condition.dopant)))
        present = np.ones((count, 1), dtype=np.float32)
        found.append(
            ask(
                trained, see(trained, patches), told, in_play=np.tile(play, (count, 1)),
                state=state_of(knows, present), present=present,
            ).distance
        )  # fmt: skip
    return np.concatenate(found)


def auroc(familiar: np.ndarray, strange: np.ndarray) -> float:
    """Probability that a stranger is farther away than a familiar site."""
    ranks = rankdata(np.concatenate([strange, familiar]))[: len(strange)]
    return float((ranks.sum() - len(strange) * (len(strange) + 1) / 2) / len(strange) / len(familiar))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--scans", type=int, default=144)
    options = parser.parse_args()
    torch.set_num_threads(2)
    trained, catalogue = read_network(options.weights), read_catalogue()
    root = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data"))
    source = PatchRecipe(catalogue=catalogue, library=options.library, seed=SEED, realism=STEADIED)
    rng = np.random.default_rng(SEED)
    conditions = tuple(
        Conditions(
            host=case.compound.host, dopant=case.compound.dopant, energy_kev=case.condition.energy_kev,
            convergence_mrad=case.condition.convergence_mrad, collection_mrad=(case.condition.collection_mrad,),
        )
        for case in rng.permutation(np.array(catalogue.cases, dtype=object))[: options.scans]
    )  # fmt: skip
    print("| strangers | known | sites | AUROC | flagged at 1 in 400 |\n|---|---|---|---|---|")
    for state in ("uncalibrated", "all"):
        familiar = ask_simulated(trained, source, groups=96, known=state)
        known = np.array([name not in ("pixel", "dose", "brightness") or state == "all" for name in KNOWABLE])
        limit = np.interp(
            1 - LEAST_FAMILIARITY, np.linspace(0, 1, trained.distances.shape[1]), trained.distances[familiar.state[0]]
        )
        for kind in ("graphene", "nanoparticles", "not STEM"):
            if kind == "not STEM":
                if state == "all" or not root.is_dir():  # no fraction of the beam there
                    continue
                scenes = pictures(root, options.scans, conditions, rng)
            else:
                scenes = strangers(kind, options.scans, conditions, rng)
            strange = distances(trained, scenes, known)
            print(
                f"| {kind} | {state} | {len(strange)} | {auroc(familiar.answers.distance, strange):.4f} "
                f"| {(strange > limit).mean():.1%} |", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
