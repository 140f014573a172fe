"""Peers on the real scans: Atomap's Gaussian fits, motif-learn's Zernike features, our physics (and network), timed.

All are held against the semi-automatic labels of three scans of doped WSe2, within the labels' bounding box, a found
column and a label being one where they lie within 2 px. The peers are told what we are not: the better channel, lattice
orientation, sublattice or position of the labelled columns where a row says so, and thresholds and settings that are
chosen with hindsight. The Cr image is denoised and has one channel and no pixel size.

- Atomap: columns are refined by centre of mass and then a 2-D Gaussian, each sublattice by itself, on ``adf2`` smoothed
  by 1 px (Cr: its one channel as it is), within half the distance to the neighbours: the best of six settings tried on
  field02. Which column is metal is given. A threshold on the best of amplitude, amplitude times width and integral, raw
  or over the median of 31 neighbours, parts X2 from V_X. A second row has the intensities that Atomap takes in discs.
- motif-learn: Zernike moments of patches, all channels side by side. Its own clustering: principal components and a
  Gaussian mixture, each cluster named by the labels. Supervised: logistic regression or nearest neighbours, trained on
  the labels of the other field (for Cr: of both fields, one channel), settings chosen by cross-validation there.
- Ours: host and dopant given, angles not; the kernels it needs are computed before the clock starts.

Seconds are those of the processor, all threads added: what one thread takes on an idle machine. Wall time is kept in
the JSON file, where results are also kept so that a later run only does what is missing.

Run:  pip install -c constraints.txt atomap motif-learn
      OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 MICROGRAPHIA_SAMPLES=../shared/data \
          python benchmarks/peers_real.py --json peers_real.json [--only WORD]
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from atomap import api as atomap
from hyperspy.signals import Signal2D
from mtflearn import ZPs
from mtflearn.clustering import gmm_lbs
from mtflearn.features import KeyPoints, local_max, pca
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from micrographia.atoms import compare_sites, find_defects
from micrographia.atoms.compare import Labelled, LabelledSites, read_labelled_sites
from micrographia.context import Context
from micrographia.micrograph import Micrograph, Provenance
from micrographia.read import read_channels

TOLERANCE_PX = 2.0
LEAST_EXAMPLES = 20
"""Labels with fewer examples than this in the training field are not learnt."""
DISC_RADII_PX = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A labelled scan, and the facts that peers are told: lattice constant [px] and direction from M to X."""

    name: str
    micrograph: Micrograph
    reference: LabelledSites
    a_px: float
    bond_deg: float

    @property
    def xy(self) -> np.ndarray:
        """Positions of the labelled columns, (site, xy) [px]."""
        return np.stack([self.reference.x_px, self.reference.y_px], axis=1)

    @property
    def chalcogen(self) -> np.ndarray:
        """Which labelled columns are of the chalcogen sublattice."""
        return np.isin(self.reference.label, ["X2", "V_X"])

    def summed(self) -> np.ndarray:
        """Return the channels added at equal mean, slightly smoothed: columns of both sublattices show in it."""
        frames = self.micrograph.frames.astype(float)
        return gaussian_filter((frames / frames.mean(axis=(1, 2), keepdims=True)).sum(axis=0), 1.0)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one scan. Ratios as in `compare_sites`; ``sites`` is what was decided in the time."""

    matched: float
    accuracy: float
    kappa: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    sites: int
    cpu_s: float
    wall_s: float
    note: str = ""


@dataclass(frozen=True)
class Clock:
    """Time when something began: processor and wall [s]."""

    cpu_s: float
    wall_s: float

    @classmethod
    def start(cls) -> Clock:
        """Return the time now."""
        return cls(time.process_time(), time.perf_counter())

    def read(self) -> dict[str, float]:
        """Return what has gone by since."""
        return {"cpu_s": time.process_time() - self.cpu_s, "wall_s": time.perf_counter() - self.wall_s}


def row(found: Labelled, scan: Scan, *, sites: int, took: dict[str, float], note: str = "") -> Row:
    """Score sites within the labels' bounding box, half a pixel wider as labels are whole pixels."""
    low, high = scan.xy.min(axis=0) - 0.5, scan.xy.max(axis=0) + 0.5
    xy = np.stack([found.x_px, found.y_px], axis=1)
    keep = ((xy >= low) & (xy <= high)).all(axis=1)
    inside = LabelledSites(x_px=xy[keep, 0], y_px=xy[keep, 1], label=found.label[keep])
    result = compare_sites(inside, scan.reference, tolerance_px=TOLERANCE_PX)
    score = next(s for s in result.scores if s.label == "V_X")
    return Row(
        matched=len(result.pairs) / len(scan.reference),
        accuracy=float(np.trace(result.confusion) / result.confusion.sum()),
        kappa=result.kappa,
        precision=score.precision,
        recall=score.recall,
        f1=score.f1,
        sites=sites,
        note=note,
        **took,
    )


# --- the scans -------------------------------------------------------------------------------------------------------


def read_scans(root: Path) -> list[Scan]:
    ti = [_scan(p, read_channels([p / "adf1.dm4", p / "adf2.dm4"]), "Ti") for p in sorted(root.glob("stem-wse2-ti/*"))]
    folder = root / "stem-wse2-cr" / "field15"
    cr = Micrograph(
        frames=np.load(folder / "image.npy").astype(np.float32)[None],
        pixel_size_nm=None,
        context=Context(technique="STEM", origin="user"),
        provenance=Provenance(file="Cr field15", sha256=None, reader="numpy", software=""),
    )
    return [*ti, _scan(folder, cr, "Cr")]


def _scan(folder: Path, micrograph: Micrograph, dopant: str) -> Scan:
    told = micrograph.context.updated(Context(host="WSe2", dopants=(dopant,), origin="user"))
    reference = read_labelled_sites(folder / "sites.csv")
    xy = np.stack([reference.x_px, reference.y_px], axis=1)
    chalcogen = np.isin(reference.label, ["X2", "V_X"])
    near = KDTree(xy[chalcogen]).query(xy[~chalcogen], k=3)[1]
    bonds = xy[chalcogen][near] - xy[~chalcogen][:, None]
    # At the edge of the field a third neighbour is missing and a farther one comes instead.
    bonds = bonds[np.hypot(*bonds.transpose(2, 0, 1)).max(axis=1) < 1.5 * np.median(np.hypot(*bonds.T))]
    turn = np.exp(3j * np.arctan2(bonds[..., 1], bonds[..., 0])).mean()
    return Scan(
        name=f"{dopant} {folder.name}",
        micrograph=replace(micrograph, context=told),
        reference=reference,
        a_px=float(np.sqrt(3 * np.mean(bonds**2) * 2)),
        bond_deg=float(np.rad2deg(np.angle(turn)) / 3),
    )


# --- Atomap ----------------------------------------------------------------------------------------------------------


def atomap_row(scan: Scan, *, own_peaks: bool, gaussian: bool, fits: dict[str, dict]) -> Row:
    """Refine columns from the labels' positions, or from Atomap's own peaks, and threshold the chalcogen ones."""
    key = f"{scan.name}, columns {'its own' if own_peaks else 'given'}"
    if key not in fits:
        fits[key] = atomap_fits(scan, own_peaks=own_peaks)
    kept = fits[key]
    start, metal = np.array(kept["start"]), np.array(kept["metal"])
    x, y, amplitude, sigma_x, sigma_y, brightest, *discs = np.array(kept["columns"]).T
    fitted = np.stack([x, y], axis=1)
    chalcogen = fitted if own_peaks else start
    distance, near = KDTree(scan.xy).query(chalcogen)
    truth = (scan.reference.label[near] == "V_X") & (distance <= TOLERANCE_PX)
    quantities = {"maximum": brightest} | {f"in {r} px": v for r, v in zip(DISC_RADII_PX, discs, strict=True)}
    if gaussian:
        quantities = {
            "amplitude": amplitude,
            "amplitude × width": amplitude * (sigma_x + sigma_y) / 2,
            "integral": 2 * np.pi * amplitude * sigma_x * sigma_y,
        }
    what, is_vacancy = with_hindsight(quantities, start, truth)
    xy = np.concatenate([metal, chalcogen])
    label = np.concatenate([np.repeat("M", len(metal)), np.where(is_vacancy, "V_X", "X2")])
    moved = np.hypot(*(fitted - start).T) > TOLERANCE_PX
    note = f"{what}; {np.sum(amplitude == 0)} fits failed, {moved.sum()} moved > 2 px"
    found = LabelledSites(x_px=xy[:, 0], y_px=xy[:, 1], label=label)
    took = kept["took with discs" if not gaussian else "took"]
    return row(found, scan, sites=len(xy), took=took, note=note)


def atomap_fits(scan: Scan, *, own_peaks: bool) -> dict:
    """Refine both sublattices, one after the other; return what is needed of them and the time."""
    given = scan.xy
    began = Clock.start()
    metal = ~scan.chalcogen
    peaks = given
    if own_peaks:
        peaks = atomap.get_atom_positions(Signal2D(scan.summed()), separation=max(2, int(0.3 * scan.a_px)))
        metal = metal[KDTree(given).query(peaks)[1]]
    frame = scan.micrograph.frames[-1].astype(float)
    image = gaussian_filter(frame, 1.0) if len(scan.micrograph.frames) > 1 else frame
    sublattices = []
    for which in (metal, ~metal):
        sublattice = atomap.Sublattice(peaks[which].tolist(), image=image)
        sublattice.find_nearest_neighbors()
        sublattice.refine_atom_positions_using_center_of_mass(show_progressbar=False)
        sublattice.refine_atom_positions_using_2d_gaussian(percent_to_nn=0.5, show_progressbar=False)
        sublattices.append(sublattice)
    took = began.read()
    metals, chalcogens = sublattices
    chalcogens.get_atom_column_amplitude_max_intensity(percent_to_nn=0.2)
    discs = []
    for radius_px in DISC_RADII_PX:
        chalcogens.find_sublattice_intensity_from_masked_image(image, radius=radius_px)
        discs.append([a.intensity_mask for a in chalcogens.atom_list])
    columns = [
        (a.pixel_x, a.pixel_y, a.amplitude_gaussian, a.sigma_x, a.sigma_y, a.amplitude_max_intensity)
        for a in chalcogens.atom_list
    ]
    return {
        "took": took,
        "took with discs": began.read(),
        "start": peaks[~metal].tolist(),
        "metal": np.stack([metals.x_position, metals.y_position], axis=1).tolist()
        if own_peaks
        else given[metal].tolist(),
        "columns": np.concatenate([columns, np.array(discs).T], axis=1).round(4).tolist(),
    }


def with_hindsight(quantities: dict[str, np.ndarray], xy: np.ndarray, truth: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the quantity and the columns below the threshold that have the best F1 against the truth itself."""
    near = KDTree(xy).query(xy, k=31)[1]
    best = (-1.0, "", np.zeros(len(xy), dtype=bool))
    for name, value in quantities.items():
        for over, scale in (("", 1.0), (" over neighbours'", np.maximum(np.median(value[near], axis=1), 1e-30))):
            order = np.argsort(value / scale, kind="stable")
            hits = np.cumsum(truth[order])
            f1 = 2 * hits / (np.arange(len(xy)) + 1 + truth.sum())
            if f1.max() > best[0]:
                below = np.zeros(len(xy), dtype=bool)
                below[order[: f1.argmax() + 1]] = True
                best = (float(f1.max()), name + over, below)
    return best[1], best[2]


# --- motif-learn -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Features:
    """Settings of the Zernike features: diameter of a patch [lattice constants], greatest radial order, channels."""

    diameter_a: float
    order: int
    channels: tuple[int, ...]


GRID = ((1.0, 4), (1.5, 4), (1.5, 6), (2.0, 4), (2.0, 6), (2.0, 8))
"""Diameter [lattice constants] and greatest order, which motif-learn wants within half the patch's pixels."""


def zernike(scan: Scan, xy: np.ndarray, settings: Features) -> np.ndarray:
    """Zernike moments of the patches, turned so that bonds point the same way in all scans, at zero mean, unit sd."""
    size = 2 * int(settings.diameter_a * scan.a_px / 2) + 1
    transform = ZPs(n_max=settings.order, size=size)
    columns = []
    for k in settings.channels:
        frame = scan.micrograph.frames[k].astype(float)
        flat = frame - gaussian_filter(frame, 1.5 * scan.a_px)
        # Patches at the border reach outside, and KeyPoints would drop their columns.
        padded = np.pad(flat / flat.std(), size, mode="reflect")
        moments = transform.transform(KeyPoints(xy + size, padded, size).extract_patches())
        columns.append(moments.rotate(scan.bond_deg).to_real().data)
    return StandardScaler().fit_transform(np.concatenate(columns, axis=1))


def clustered_row(scan: Scan) -> Row:
    """Its own clustering; each cluster is then named by its commonest label, and the best setting kept."""
    best: Row | None = None
    channels = tuple(range(len(scan.micrograph.frames)))
    for diameter_a, order in GRID:
        for clusters in (3, 6, 9):
            began = Clock.start()
            features = zernike(scan, scan.xy, Features(diameter_a=diameter_a, order=order, channels=channels))
            cluster = gmm_lbs(pca(features, n_components=6), clusters)
            took = began.read()
            label = np.empty(len(cluster), dtype=object)
            for c in np.unique(cluster):
                names, counts = np.unique(scan.reference.label[cluster == c], return_counts=True)
                label[cluster == c] = names[counts.argmax()]
            found = LabelledSites(x_px=scan.xy[:, 0], y_px=scan.xy[:, 1], label=label.astype(str))
            note = f"{clusters} clusters, patch {diameter_a:g} a, order {order}"
            one = row(found, scan, sites=len(label), took=took, note=note)
            if best is None or (one.f1 or 0.0, one.accuracy) > (best.f1 or 0.0, best.accuracy):
                best = one
    if best is None:
        raise SystemExit("no setting of the clustering was tried")
    return best


def learnt_row(
    scan: Scan, teachers: list[Scan], *, own_peaks: bool, channel: int | None, make: Callable[[], ClassifierMixin]
) -> Row:
    """Train on the teachers' labels, choose the features there by cross-validation over quarters, and label a scan.

    With a ``channel``, that of the teachers is learnt and the scan's first is labelled.
    """
    every = tuple(range(len(scan.micrograph.frames)))
    truth = np.concatenate([t.reference.label for t in teachers])
    names, counts = np.unique(truth, return_counts=True)
    keep = np.isin(truth, names[counts >= LEAST_EXAMPLES])
    # Neighbouring patches overlap, so quarters of a field are left out together.
    quarter = np.concatenate(
        [10 * k + 2 * (t.xy[:, 0] > 256) + (t.xy[:, 1] > 256) for k, t in enumerate(teachers)]
    ).astype(int)
    began = Clock.start()
    chosen: tuple[float, Features, np.ndarray] | None = None
    for diameter_a, order in GRID:
        taught = Features(diameter_a=diameter_a, order=order, channels=every if channel is None else (channel,))
        x = np.concatenate([zernike(t, t.xy, taught) for t in teachers])
        guess = cross_val_predict(make(), x[keep], truth[keep], groups=quarter[keep], cv=GroupKFold(4))
        score = f1_score(truth[keep], guess, labels=["V_X"], average="macro")
        if chosen is None or score > chosen[0]:
            chosen = (float(score), taught, x)
    if chosen is None:
        raise SystemExit("no setting of the features was tried")
    score, settings, x = chosen
    model = make().fit(x[keep], truth[keep])
    training_s = began.read()["cpu_s"]
    began = Clock.start()
    xy = scan.xy
    if own_peaks:
        xy = local_max(scan.summed(), min_distance=0.3 * scan.a_px).astype(float)
    label = model.predict(zernike(scan, xy, replace(settings, channels=every)))
    took = began.read()
    note = (
        f"patch {settings.diameter_a:g} a, order {settings.order}, V_X F1 {score:.3f} where it learnt, "
        f"training {training_s:.0f} s"
    )
    found = LabelledSites(x_px=xy[:, 0], y_px=xy[:, 1], label=label)
    return row(found, scan, sites=len(label), took=took, note=note)


# --- ours ------------------------------------------------------------------------------------------------------------


def ours(scan: Scan, *, method: str) -> Row:
    """Run `find_defects`, once before the clock starts so that kernels and compiled code are there."""
    options = {"method": method} if "method" in inspect.signature(find_defects).parameters else {}
    find_defects(scan.micrograph, **options)
    began = Clock.start()
    findings = find_defects(scan.micrograph, **options)
    return row(findings.sites, scan, sites=len(findings.sites), took=began.read())


# --- all of it -------------------------------------------------------------------------------------------------------


def tasks(scans: list[Scan], fits: dict[str, dict]) -> list[tuple[Scan, str, Callable[[], Row]]]:
    """List scan, name and work of every row, quick ones first."""
    learners: dict[str, Callable[[], ClassifierMixin]] = {
        "logistic regression": lambda: LogisticRegression(max_iter=2000),
        "nearest neighbours": lambda: KNeighborsClassifier(7, weights="distance"),
    }
    pairs = [s for s in scans if len(s.micrograph.frames) == 2]
    methods = ["physics"] + (["network"] if "method" in inspect.signature(find_defects).parameters else [])
    work: list[tuple[Scan, str, Callable[[], Row]]] = []
    for s in scans:
        work += [(s, f"micrographia, {m}", partial(ours, s, method=m)) for m in methods]
    for s in scans:
        work.append((s, "motif-learn, its clustering, columns given", partial(clustered_row, s)))
        others = [t for t in pairs if t is not s]
        # The Cr image has one channel: each of the pairs' is tried as its teacher.
        for channel in (None,) if s in pairs else (0, 1):
            taught = "the other field" if channel is None else f"both Ti fields' adf{channel + 1}"
            for name, make in learners.items():
                for own in (False, True):
                    title = f"motif-learn + {name} taught by {taught}, columns {'its own' if own else 'given'}"
                    run = partial(learnt_row, s, others, own_peaks=own, channel=channel, make=make)
                    work.append((s, title, run))
    for own in (False, True):
        for s in scans:
            for gaussian, what in ((True, "Gaussian fits"), (False, "intensity in discs")):
                title = f"Atomap, {what} + threshold with hindsight, columns {'its own' if own else 'given'}"
                work.append((s, title, partial(atomap_row, s, own_peaks=own, gaussian=gaussian, fits=fits)))
    return work


def ratio(value: float | None) -> str:
    """Write a ratio, or a dash where it has no denominator."""
    return "–" if value is None else f"{value:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="results, kept and gone on from")
    parser.add_argument("--only", default="", help="do only rows whose scan or method has this word; print all")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="hyperspy|atomap|traits|mtflearn")
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {"rows": {}, "fits": {}}
    scans = read_scans(Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    work = tasks(scans, kept["fits"])
    for scan, name, run in work:
        key = f"{scan.name} | {name}"
        if key not in kept["rows"] and options.only in key:
            kept["rows"][key] = asdict(run())
            options.json.write_text(json.dumps(kept))
    print("| scan | method | matched | accuracy | kappa | V_X precision | recall | F1 | s | sites/s | |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for scan in scans:
        for _, name, _ in (w for w in work if w[0] is scan and f"{scan.name} | {w[1]}" in kept["rows"]):
            r = Row(**kept["rows"][f"{scan.name} | {name}"])
            cells = (
                *(ratio(v) for v in (r.matched, r.accuracy, r.kappa, r.precision, r.recall, r.f1)),
                f"{r.cpu_s:.1f}",
                f"{r.sites / r.cpu_s:,.0f}",
                r.note,
            )
            print(f"| {scan.name} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
