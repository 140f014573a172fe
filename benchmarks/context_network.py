"""The context network on the catalogue's 576 cases, fresh seeds, beside the Bayes oracle on the same patches.

Accuracy by dose; entropy with and without context; what each part of the context is worth, and what it is worth to a
control that was trained on other sites' contexts; what was held out of the training; conformal sets.

The oracle knows everything but the label: source size, how far each line slipped, haze, the neighbours and their
defects, the sublattice. The network is told the context alone, and finds sites as badly as a lattice fit does. What
the oracle is told beyond that, the network must see for itself, so the oracle's figures are out of reach by as much as
that is worth. Patches are those of scans whose lines were put back, as `defects` does (scan_lines.py measures what is
left then); `--lines as-scanned` leaves every slip in, `--lines steady` has none.

Run:  OPENBLAS_NUM_THREADS=1 python benchmarks/context_network.py --library LIB [--weights FILE] [--groups 576]
      [--lines put-back] [--control DIR] [--json FILE]
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

from micrographia.atoms.network.trained import TrainedNetwork, p_values, read_network
from micrographia.learn.context.calibrate import KNOWN, Asked, ask_simulated, calibrate, calibration_error
from micrographia.learn.context.sites import HeldOut, realism_of
from micrographia.learn.context.train import STEADIED, WEIGHTS, TrainSettings, train_context
from micrographia.simulate.datasets.source import beam_fractions
from micrographia.simulate.patches.library import read_library, role_tables
from micrographia.simulate.patches.oracle import Hypothetical, entropy_nats, label_posterior
from micrographia.simulate.patches.prior import Imaging
from micrographia.simulate.patches.recipe import PatchRecipe, Realism, compound_of
from micrographia.simulate.patches.render import SCENE
from micrographia.simulate.specimens.catalogue import labels, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES

SEED = 20_261_122
DECADES = ((1e4, 1e5), (1e5, 1e6), (1e6, 1e7), (1e7, 1e8))


LINES = {"put-back": STEADIED, "as-scanned": Realism(), "steady": replace(Realism(), row_jitter_A=(0.0, 0.0))}


def shuffled_control(folder: Path, library: Path, steps: int) -> TrainedNetwork:
    """Return a network of the same recipe, each of whose sites was told another one's context."""
    if not (folder / WEIGHTS).is_file():
        catalogue, settings = read_catalogue(), TrainSettings(steps=steps)
        raw = train_context(catalogue, library, folder, settings=settings, held_out=HeldOut(), shuffled=True)
        source = PatchRecipe(catalogue=catalogue, library=library, seed=1_000_000, channels=2, realism=STEADIED)
        calibrate(raw, source, folder / WEIGHTS, groups=160, shuffled=True)
    return read_network(folder / WEIGHTS)


def decade(low: float, high: float) -> str:
    return f"{low:.0e} – {high:.0e}".replace("e+0", "e")


def oracle_group(source: PatchRecipe, group: int) -> np.ndarray:
    """Return the oracle's posteriors of one group's patches, (patch, role)."""
    library = read_library(source.library)
    block = source.groups(group, 1)
    index, compound = block.index, compound_of(source, group)
    condition = next(c for c in source.catalogue.conditions if c.name == index["condition_0"][0])
    tables = role_tables(
        library,
        compound,
        Imaging(
            probe=condition.probe,
            collection_mrad=(condition.collection_mrad,),
            source_sigma_A=float(index["source_sigma_A"][0]),
        ),
    )
    image = beam_fractions(block.levels, index)
    known = Hypothetical(tables=tables, labels=labels(compound))
    found = []
    for n in range(source.group_size):
        scene = np.zeros(1, dtype=SCENE)
        for name in SCENE.names:
            scene[name] = ROLES.index(index["label"][n]) if name == "role" else index[name][n]
        electrons = image[n] * index["electrons_per_px"][n]
        found.append(label_posterior(electrons, scene[0], [known], true_a_A=tables.a_A, sublattice_known=True))
    return np.array(found)


def figures(p: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Accuracy with its standard error, mean entropy, and expected calibration error."""
    right = p.argmax(axis=1) == label
    accuracy = float(right.mean())
    return {
        "patches": len(label),
        "accuracy": accuracy,
        "sd": float(np.sqrt(max(accuracy * (1 - accuracy), 1 / len(label)) / len(label))),
        "entropy": float(entropy_nats(p).mean()),
        "ece": calibration_error(p, label),
    }


def of(asked: Asked) -> np.ndarray:
    return np.exp(asked.answers.log_posterior.astype(float))


def dose_masks(asked: Asked) -> dict[str, np.ndarray]:
    dose = asked.index["dose_e_per_A2"]
    return {decade(*d): (dose >= d[0]) & (dose < d[1]) for d in DECADES} | {">= 1e6": dose >= 1e6, "all": dose > 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--groups", type=int, default=576, help="groups of 64 patches; 576 are every case once")
    parser.add_argument("--oracle-groups", type=int, default=576)
    parser.add_argument("--turns", type=int, default=6, help="ways of laying each site that are averaged over")
    parser.add_argument("--lines", choices=sorted(LINES), default="put-back", help="what jitter the patches have")
    parser.add_argument("--control", type=Path, help="folder of the control; it is trained there if need be, 15 min")
    parser.add_argument("--control-steps", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.workers)
    trained, catalogue = read_network(options.weights), read_catalogue()
    source = PatchRecipe(catalogue=catalogue, library=options.library, seed=SEED, realism=LINES[options.lines])
    ask = partial(ask_simulated, trained, source, groups=options.groups, turns=options.turns)
    found: dict = {}

    asked = {known: ask(known=known) for known in KNOWN}
    exact = ask(known="all", misfit=False)
    print("## Accuracy by dose\n")
    print("| dose / e/Å² | patches | network, all told | sites placed exactly | ECE | Bayes oracle | network there |")
    print("|---|---|---|---|---|---|---|")
    count = min(options.oracle_groups, options.groups)
    with ProcessPoolExecutor(options.workers) as pool:
        oracle = np.concatenate(list(pool.map(partial(oracle_group, source), range(count), chunksize=4)))
    found["accuracy"] = {}
    first = slice(0, len(oracle))
    for name, mask in dose_masks(asked["all"]).items():
        ours = figures(of(asked["all"])[mask], asked["all"].label[mask])
        placed = figures(of(exact)[mask], exact.label[mask])
        there = mask[first]
        best = figures(oracle[there], asked["all"].label[first][there])
        same = figures(of(asked["all"])[first][there], asked["all"].label[first][there])
        found["accuracy"][name] = {"network": ours, "exact": placed, "oracle": best, "same": same}
        print(
            f"| {name} | {ours['patches']} | {ours['accuracy']:.2%} ± {ours['sd']:.2%} | {placed['accuracy']:.2%} "
            f"| {ours['ece']:.4f} | {best['accuracy']:.2%} ± {best['sd']:.2%} | {same['accuracy']:.2%} |"
        )

    print("\n## Entropy: 1 - mean H[label | image, context] / mean H[label | image]\n")
    print("| dose / e/Å² | image only / nats | all told / nats | reduction | oracle / nats |\n|---|---|---|---|---|")
    found["entropy"] = {}
    for name, mask in dose_masks(asked["all"]).items():
        blind, ours = (entropy_nats(of(asked[k])[mask]).mean() for k in ("image only", "all"))
        best = entropy_nats(oracle[mask[first]]).mean()
        found["entropy"][name] = {"image": float(blind), "all": float(ours), "oracle": float(best)}
        print(f"| {name} | {blind:.4f} | {ours:.4f} | {1 - ours / blind:.1%} | {best:.4f} |")

    print("\n## What each part of the context is worth\n")
    print("| told | accuracy, all doses | accuracy, >= 1e6 | entropy / nats, >= 1e6 | ECE |\n|---|---|---|---|---|")
    found["ablation"] = {}
    for known, answers in asked.items():
        masks = dose_masks(answers)
        whole, high = (figures(of(answers)[masks[n]], answers.label[masks[n]]) for n in ("all", ">= 1e6"))
        found["ablation"][known] = {"all": whole, "high": high}
        print(
            f"| {known} | {whole['accuracy']:.2%} | {high['accuracy']:.2%} | {high['entropy']:.4f} "
            f"| {whole['ece']:.4f} |"
        )

    if options.control:
        control = shuffled_control(options.control, options.library, options.control_steps)
        print(f"\n## A control that was trained on other sites' contexts, {options.control_steps} steps\n")
        print("| told, of another site | accuracy, all doses | accuracy, >= 1e6 | entropy / nats, >= 1e6 |")
        print("|---|---|---|---|")
        found["control"] = {}
        for known in KNOWN:
            answers = ask_simulated(control, source, groups=options.groups, turns=1, known=known, shuffled=True)
            masks = dose_masks(answers)
            whole, high = (figures(of(answers)[masks[n]], answers.label[masks[n]]) for n in ("all", ">= 1e6"))
            found["control"][known] = {"all": whole, "high": high}
            print(
                f"| {known} | {whole['accuracy']:.2%} ± {whole['sd']:.2%} | {high['accuracy']:.2%} ± {high['sd']:.2%} "
                f"| {high['entropy']:.4f} |"
            )

    print("\n## What was held out of the training, all told\n")
    print("| cases | dose / e/Å² | patches | accuracy |\n|---|---|---|---|")
    out = HeldOut()
    names = {c.name for c in out.compounds(catalogue)}
    of_case = [compound_of(source, g).name in names for g in range(options.groups)]
    compound = np.repeat(of_case, source.group_size)
    condition = np.repeat(
        [source.groups(g, 1).index["condition_0"][0] == out.condition for g in range(options.groups)], source.group_size
    )
    found["held_out"] = {}
    for kind, mask in {
        "trained on": ~compound & ~condition,
        "compound held out": compound & ~condition,
        "condition held out": ~compound & condition,
        "both": compound & condition,
    }.items():
        for name, dosed in dose_masks(asked["all"]).items():
            if name in (">= 1e6", "all"):
                part = mask & dosed
                f = figures(of(asked["all"])[part], asked["all"].label[part])
                found["held_out"][f"{kind}, {name}"] = f
                print(f"| {kind} | {name} | {f['patches']} | {f['accuracy']:.2%} ± {f['sd']:.2%} |")

    print("\n## Where the brightness is not known, defects that differ from their simulation\n")
    print("| told | accuracy, all doses | accuracy, >= 1e6 | entropy / nats, >= 1e6 | ECE |\n|---|---|---|---|---|")
    real = replace(source, realism=realism_of(source.realism, calibrated=False))
    for known in ("image only", "uncalibrated"):
        answers = ask_simulated(trained, real, groups=options.groups, turns=options.turns, known=known)
        masks = dose_masks(answers)
        whole, high = (figures(of(answers)[masks[n]], answers.label[masks[n]]) for n in ("all", ">= 1e6"))
        found["ablation"][f"{known}, real brightness"] = {"all": whole, "high": high}
        print(
            f"| {known} | {whole['accuracy']:.2%} | {high['accuracy']:.2%} | {high['entropy']:.4f} "
            f"| {whole['ece']:.4f} |"
        )

    print("\n## Conformal label sets\n")
    print("| told | level | coverage | mean size | empty | one label |\n|---|---|---|---|---|---|")
    for known in ("all", "uncalibrated", "image only"):
        # One way of laying each site; defects as in the calibration: other than simulated where nobody knows them.
        real = replace(source, realism=realism_of(source.realism, calibrated=known == "all"))
        answers = ask_simulated(trained, real, groups=options.groups, known=known)
        p = p_values(trained, answers.answers.log_posterior, answers.state)
        for level in (0.9, 0.95, 0.99):
            sets = p > 1 - level
            size = sets.sum(axis=1)
            held = sets[np.arange(len(size)), answers.label].mean()
            print(
                f"| {known} | {level:.0%} | {held:.2%} | {size.mean():.3f} | {(size == 0).mean():.2%} "
                f"| {(size == 1).mean():.2%} |"
            )
    print("\n## By label, all told, >= 1e6\n\n| label | recall | sites |\n|---|---|---|")
    mask = dose_masks(asked["all"])[">= 1e6"]
    for n, role in enumerate(ROLES):
        rows = mask & (asked["all"].label == n)
        print(f"| {role} | {(of(asked['all'])[rows].argmax(axis=1) == n).mean():.2%} | {rows.sum()} |")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
