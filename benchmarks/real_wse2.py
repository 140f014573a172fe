"""Sites and vacancies on real pairs of scans of Ti-doped WSe2, against semi-automatic labels and simple peers.

Host and dopant are given, 80 keV is recorded in the files, detector angles are not given. For scale, a locally
normalised intensity threshold at the labelled positions, chosen with hindsight to be best, is scored beside it, and so
are two plain peak finders. Labels end about 9 px from the edge, so ours are scored within the labels' bounding box.

Run:  MICROGRAPHIA_SAMPLES=../shared/data python benchmarks/real_wse2.py [--json FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from skimage.feature import blob_log, peak_local_max

from micrographia.atoms import compare_sites, find_defects
from micrographia.atoms.compare import read_labelled_sites
from micrographia.context import Context
from micrographia.read import read_channels

TOLERANCE_PX = 2.0


def hindsight_f1(frame: np.ndarray, xy: np.ndarray, is_vacancy: np.ndarray) -> float:
    """Best F1 of a threshold on smoothed intensity at given positions, over the median of its neighbourhood."""
    value = map_coordinates(gaussian_filter(frame.astype(float), 1.3), xy[:, ::-1].T, order=1)
    near = cKDTree(xy).query(xy, k=31)[1]
    truth = is_vacancy[np.argsort(value / np.median(value[near], axis=1))]
    hits = np.cumsum(truth)
    return float(np.max(2 * hits / (np.arange(truth.size) + 1 + truth.sum())))


def found_by(peaks: np.ndarray, xy: np.ndarray, is_vacancy: np.ndarray) -> tuple[float, float, float]:
    """Fractions of labelled sites and of vacancies with a peak within tolerance, and of peaks without a site."""
    low, high = xy.min(axis=0) - 0.5, xy.max(axis=0) + 0.5
    peaks = peaks[((peaks >= low) & (peaks <= high)).all(axis=1)]
    near = cKDTree(peaks).query(xy)[0] <= TOLERANCE_PX
    spurious = cKDTree(xy).query(peaks)[0] > TOLERANCE_PX
    return float(near.mean()), float(near[is_vacancy].mean()), float(spurious.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    root = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")) / "stem-wse2-ti"
    rows = []
    print(
        "| field | method | sites found | vacancies found | spurious | V_X precision | V_X recall | V_X "
        "F1 |\n|---|---|---|---|---|---|---|---|"
    )
    for field in sorted(p for p in root.iterdir() if p.is_dir()):
        scan = read_channels([field / "adf1.dm4", field / "adf2.dm4"])
        told = scan.context.updated(Context(host="WSe2", dopants=("Ti",), origin="user"))
        findings = find_defects(replace(scan, context=told))
        reference = read_labelled_sites(field / "sites.csv")
        with (field / "sites.csv").open() as file:
            table = list(csv.DictReader(file))
        xy = np.array([[float(r["x_px"]), float(r["y_px"])] for r in table])
        labels = np.array([r["label"] for r in table])
        vacancy = labels == "V_X"
        ours = found_by(np.stack([findings.sites.x_px, findings.sites.y_px], axis=1), xy, vacancy)
        score = next(
            s for s in compare_sites(findings.sites, reference, tolerance_px=TOLERANCE_PX).scores if s.label == "V_X"
        )
        near = cKDTree(np.stack([findings.sites.x_px, findings.sites.y_px], axis=1)).query(xy)[1]
        on_metal = float(np.mean((findings.sites.sublattice[near] == "M") == np.isin(labels, ["M", "D_M"])))
        all_spurious = float(
            np.mean(cKDTree(xy).query(np.stack([findings.sites.x_px, findings.sites.y_px], axis=1))[0] > TOLERANCE_PX)
        )
        print(
            f"| {field.name} | micrographia, both channels | {ours[0]:.4f} | {ours[1]:.3f} | {ours[2]:.4f} "
            f"| {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} |"
        )
        rows.append(
            {
                "field": field.name,
                "found": ours[0],
                "vacancies_found": ours[1],
                "spurious": ours[2],
                "spurious_edges_too": all_spurious,
                "f1": score.f1,
                "on_metal": on_metal,
            }
        )
        pair = np.isin(labels, ["X2", "V_X"])
        for k, name in enumerate(("adf1", "adf2")):
            print(
                f"| {field.name} | threshold with hindsight at the labels, {name} | – | – | – | – | – "
                f"| {hindsight_f1(scan.frames[k], xy[pair], vacancy[pair]):.3f} |"
            )
        image = gaussian_filter(
            scan.frames.astype(float) / scan.frames.mean(axis=(1, 2), keepdims=True), (0, 0.7, 0.7)
        ).sum(axis=0)
        flat = image - gaussian_filter(image, 12)
        flat = (flat - flat.min()) / np.ptp(flat)
        peers = {
            "peak_local_max, channels added": peak_local_max(flat, min_distance=2)[:, ::-1],
            "blob_log, channels added": blob_log(flat, min_sigma=1, max_sigma=2.5, num_sigma=4, threshold=0.02)[
                :, 1::-1
            ],
        }
        for name, peaks in peers.items():
            f = found_by(peaks.astype(float), xy, vacancy)
            print(f"| {field.name} | {name} | {f[0]:.4f} | {f[1]:.3f} | {f[2]:.4f} | – | – | – |")
        print(
            f"\n{field.name}: sublattices right {on_metal:.4f}; spurious with the unlabelled edge counted "
            f"{all_spurious:.4f}; "
            + "; ".join(f"{m.name} {m.mean:.0f} ± {m.standard_deviation:.0f} {m.unit}" for m in findings.marginals)
            + f"; header pixel size {100 * (findings.lattice.header_excess or 0):+.1f} % from the lattice's\n"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
