"""Both methods on the real WSe2 scans, with more and less of the context, and with wrong context.

The labels are semi-automatic. Sites are matched within 2 px, inside the labels' bounding box. V_X of the labels is "a
Se column with a vacancy", one or two: *dark* counts V_X2 as V_X, as thresholds do.

Run:  MICROGRAPHIA_SAMPLES=../shared/data python benchmarks/context_real.py [--report DIR] [--disputes FILE]
      [--only WORD]
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from micrographia.atoms import PhysicsSettings, compare_sites, find_defects
from micrographia.atoms.compare import LabelledSites, read_labelled_sites
from micrographia.context import Context
from micrographia.findings import DefectFindings, SiteTable
from micrographia.micrograph import Micrograph
from micrographia.read import read, read_channels
from micrographia.report.defects import write_defects

TOLERANCE_PX = 2.0
HIGH, LOW = (78.0, 190.0), (34.0, 62.0)
"""About what the scans themselves say of the two detectors, mrad."""


def scans(root: Path) -> dict[str, tuple[Micrograph, Path]]:
    found = {}
    for field in ("field02", "field25"):
        folder = root / "stem-wse2-ti" / field
        scan = read_channels([folder / "adf1.dm4", folder / "adf2.dm4"])
        told = scan.context.updated(Context(host="WSe2", dopants=("Ti",), origin="user"))
        found[field] = (replace(scan, context=told), folder / "sites.csv")
    folder = root / "stem-wse2-cr" / "field15"
    # An array says nothing of itself: what is known goes beside a copy of it.
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(folder / "image.npy", place)
        (Path(place) / "image.yaml").write_text("{technique: STEM, host: WSe2, dopants: [Cr]}", encoding="utf-8")
        found["Cr field15"] = (read(Path(place) / "image.npy"), folder / "sites.csv")
    return found


def without(scan: Micrograph, *names: str) -> Micrograph:
    origins = {k: v for k, v in scan.context.origins.items() if k not in names}
    return replace(scan, context=replace(scan.context, **dict.fromkeys(names), origins=origins))


def knowing(scan: Micrograph, **values: object) -> Micrograph:
    return replace(scan, context=scan.context.updated(Context(**values, origin="user")))


def channel(scan: Micrograph, k: int) -> Micrograph:
    context = scan.context
    return replace(
        scan, frames=scan.frames[k : k + 1], context=replace(context, detectors=None, origins={
            n: o for n, o in context.origins.items() if n != "detectors"})
    )  # fmt: skip


def variants(name: str, scan: Micrograph) -> dict[str, tuple[Micrograph, PhysicsSettings]]:
    plain = PhysicsSettings()
    if name.startswith("Cr"):
        return {
            "host, dopant": (scan, plain),
            "host, dopant, 80 keV": (knowing(scan, energy_kev=80.0), plain),
            "host, dopant, no impurities": (scan, PhysicsSettings(impurities=())),
        }
    return {
        "as recorded: 80 keV, no angles": (scan, plain),
        "no impurities thought of": (scan, PhysicsSettings(impurities=())),
        "energy withheld": (without(scan, "energy_kev"), plain),
        "angles given": (knowing(scan, collection_mrad=(HIGH, LOW)), plain),
        "wrong angles given": (knowing(scan, collection_mrad=(LOW, HIGH)), plain),
        "adf1 alone": (channel(scan, 0), plain),
        "adf2 alone": (channel(scan, 1), plain),
    }


def boxed(sites: SiteTable, xy: np.ndarray) -> SiteTable:
    low, high = xy.min(axis=0) - 0.5, xy.max(axis=0) + 0.5
    here = np.stack([sites.x_px, sites.y_px], axis=1)
    keep = ((here >= low) & (here <= high)).all(axis=1)
    return replace(
        sites, x_px=sites.x_px[keep], y_px=sites.y_px[keep], sublattice=sites.sublattice[keep],
        posterior=sites.posterior[keep], residual=sites.residual[keep],
    )  # fmt: skip


def shown(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"


def dark(sites: SiteTable) -> SiteTable:
    """Return the sites with V_X2 taken for V_X: the labels know no empty column."""
    pair = np.isin(sites.labels, ["V_X", "V_X2"])
    merged = sites.posterior.copy()
    merged[:, sites.labels.index("V_X")] = sites.posterior[:, pair].sum(axis=1)
    merged[:, sites.labels.index("V_X2")] = 0
    return replace(sites, posterior=merged)


def in_words(name: str, kind: str, found: DefectFindings, stages: list[tuple[str, float]]) -> str:
    """Say what the table does not show: disputes, flags, label sets, worth of knowing more, speed, remarks."""
    opinions = found.opinions
    odds = found.settings["network"]["sublattice_log_odds_nats"]
    worth = "; ".join(
        f"{i.name} worth {i.reduction_nats:.4f} ± {i.reduction_sd_nats:.4f} of {i.entropy_nats:.4f} nats"
        for i in opinions.information
    )
    took_s = {stage: end - start for (stage, start), (_, end) in pairwise(stages)}
    speed = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in took_s.items())
    remarks = [r for r in found.remarks if any(word in r for word in ("conflict", "fits", "settled", "lays"))]
    return (
        f"- {name}, {kind}: {len(opinions.disagreements)} of {len(found.sites)} sites in dispute; "
        f"{opinions.unfamiliar.mean():.2%} unfamiliar; {(opinions.label_set.sum(axis=1) == 1).mean():.1%} with one "
        f"label in their set; the network's odds for the sublattices {odds:+.0f} nats; {worth}; "
        f"{speed}: network {len(found.sites) / took_s['network']:.0f} sites/s" + "".join(f"\n  - {r}" for r in remarks)
    )


def disputes(name: str, found: DefectFindings, reference: LabelledSites) -> list[tuple[object, ...]]:
    """Return the sites whose label is not that of the reference, by either method."""
    opinions = found.opinions
    own = {"physics": opinions.physics, "network": opinions.network}
    tables = {m: replace(found.sites, posterior=p / p.sum(axis=1, keepdims=True)) for m, p in own.items()}
    rows = []
    for row, label_row in compare_sites(found.sites, reference, tolerance_px=TOLERANCE_PX).pairs:
        label = str(reference.label[label_row])
        said = {m: (str(t.label[row]), float(t.posterior[row].max())) for m, t in tables.items()}
        if any(s != label for s, _ in said.values()):
            place = (round(float(found.sites.x_px[row]), 1), round(float(found.sites.y_px[row]), 1))
            rows.append(
                (name, *place, label, *(x if isinstance(x, str) else f"{x:.3f}" for s in said.values() for x in s))
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, help="write the reports of the first variant of each scan here")
    parser.add_argument("--disputes", type=Path, help="write the sites whose labels are disputed there, CSV")
    parser.add_argument("--only", default="", help="part of 'scan | variant'")
    options = parser.parse_args()
    root = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data"))
    print(
        "| scan | context | method | accuracy | kappa | V_X P | R | F1 | dark P | R | F1 | M/X2 right | seconds |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    notes, disputed = [], []
    for name, (scan, path) in scans(root).items():
        reference = read_labelled_sites(path)
        with path.open() as file:
            table = list(csv.DictReader(file))
        xy = np.array([[float(r["x_px"]), float(r["y_px"])] for r in table])
        metal = np.isin([r["label"] for r in table], ["M", "D_M"])
        for n, (kind, (told, settings)) in enumerate(variants(name, scan).items()):
            if options.only not in f"{name} | {kind}":
                continue
            start = time.perf_counter()
            stages: list[tuple[str, float]] = []
            found = find_defects(
                told,
                method="network",
                settings=settings,
                progress=lambda stage, stages=stages: stages.append((stage, time.perf_counter())),
            )
            seconds = time.perf_counter() - start
            stages.append(("end", start + seconds))
            opinions = found.opinions
            near = cKDTree(np.stack([found.sites.x_px, found.sites.y_px], axis=1)).query(xy)[1]
            is_metal = np.isin(found.sites.labels, ["M", "D_M", "V_M"])
            for method, posterior in (("physics", opinions.physics), ("network", opinions.network)):
                own = replace(found.sites, posterior=posterior / posterior.sum(axis=1, keepdims=True))
                compared, merged = (
                    compare_sites(boxed(s, xy), reference, tolerance_px=TOLERANCE_PX) for s in (own, dark(own))
                )
                vacancy = [next((s for s in c.scores if s.label == "V_X"), None) for c in (compared, merged)]
                scores = " | ".join(
                    shown(value) for s in vacancy for value in (s and s.precision, s and s.recall, s and s.f1)
                )
                right = np.trace(compared.confusion) / compared.confusion.sum()
                side = is_metal[posterior.argmax(axis=1)][near] == metal
                print(
                    f"| {name} | {kind} | {method} | {right:.4f} | {compared.kappa or 0:.4f} "
                    f"| {scores} | {side.mean():.4f} | {seconds:.1f} |",
                    flush=True,
                )
            notes.append(in_words(name, kind, found, stages))
            if n == 0:
                disputed += disputes(name, found, reference)
            if options.report and n == 0:
                write_defects(found, options.report / name.replace(" ", "-"))
    print("\n" + "\n".join(notes))
    if options.disputes:
        with options.disputes.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("scan", "x_px", "y_px", "label", "physics", "p_physics", "network", "p_network"))
            writer.writerows(disputed)


if __name__ == "__main__":
    main()
