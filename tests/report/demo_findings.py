"""A made-up scan of WSe2 with known defects, and what a perfect analysis would say about it."""

from __future__ import annotations

import dataclasses

import numpy as np

from micrographia.context import Context
from micrographia.findings import (
    DefectFindings,
    Evidence,
    Finding,
    Information,
    LatticeCheck,
    Marginal,
    Opinions,
    SiteTable,
)
from micrographia.micrograph import Micrograph, Provenance

LABELS = ("M", "V_M", "D_M", "X2", "V_X", "V_X2", "M_X2")
LATTICE_NM = 0.3282
# Peak intensity of each label in each of two channels.
PEAKS = {
    "M": (1.0, 0.9),
    "V_M": (0.02, 0.02),
    "D_M": (0.22, 0.35),
    "X2": (0.55, 0.6),
    "V_X": (0.3, 0.35),
    "V_X2": (0.02, 0.02),
    "M_X2": (1.0, 0.9),
}


def _positions(size: int, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = int(size / spacing * 1.3) + 3
    column, row = np.meshgrid(np.arange(-count, count), np.arange(-count, count))
    xy = np.stack([(column + row / 2).ravel(), (row * np.sqrt(3) / 2).ravel()], axis=1) * spacing
    angle = np.deg2rad(7.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    metal, chalcogen = xy @ turn.T, (xy + np.array([0, spacing / np.sqrt(3)])) @ turn.T
    points = np.concatenate([metal, chalcogen])
    sublattice = np.repeat(["M", "X"], len(metal))
    keep = ((points > 3) & (points < size - 4)).all(axis=1)
    points, sublattice = points[keep], sublattice[keep]
    order = np.lexsort((points[:, 0], np.rint(points[:, 1])))
    return points[order, 0], points[order, 1], sublattice[order]


def _render(size: int, x: np.ndarray, y: np.ndarray, label: np.ndarray, channel: int, sigma: float) -> np.ndarray:
    image = np.full((size, size), 0.12)
    reach = int(4 * sigma)
    for x0, y0, name in zip(x, y, label, strict=True):
        rows = np.arange(max(0, int(y0) - reach), min(size, int(y0) + reach + 1))
        cols = np.arange(max(0, int(x0) - reach), min(size, int(x0) + reach + 1))
        blob = np.outer(np.exp(-0.5 * ((rows - y0) / sigma) ** 2), np.exp(-0.5 * ((cols - x0) / sigma) ** 2))
        image[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] += PEAKS[str(name)][channel] * blob
    return image


def make_findings(
    *,
    size: int = 128,
    channels: int = 2,
    pixel_size_nm: float | None = 0.0371,
    defects: bool = True,
    file: str = "field02/adf1.dm4",
    seed: int = 7,
) -> DefectFindings:
    rng = np.random.default_rng(seed)
    spacing = LATTICE_NM / 0.0371
    sigma = 0.21 * spacing
    x, y, sublattice = _positions(size, spacing)
    label = np.where(sublattice == "M", "M", "X2").astype("<U4")
    if defects:
        metals, chalcogens = np.flatnonzero(sublattice == "M"), np.flatnonzero(sublattice == "X")
        label[rng.choice(chalcogens, max(4, len(chalcogens) // 27), replace=False)] = "V_X"
        label[rng.choice(metals, max(2, len(metals) // 600), replace=False)] = "D_M"
        label[rng.choice(chalcogens, 2, replace=False)] = "V_X2"
    model = np.stack([_render(size, x, y, label, c, sigma) for c in range(channels)])
    counts = rng.poisson(model * 420) / 420
    data = counts.astype(np.float32)

    posterior = np.zeros((len(x), len(LABELS)))
    for k, name in enumerate(label):
        own = [LABELS.index(v) for v in LABELS if (v in ("M", "V_M", "D_M")) == (sublattice[k] == "M")]
        logit = np.array([9.0 * (LABELS[v] == name) for v in own]) + rng.normal(0, 1.9, len(own))
        if name in ("M", "X2"):
            logit[[LABELS[v] == name for v in own]] += 3 if defects else 12
        posterior[k, own] = np.exp(logit) / np.exp(logit).sum()
    sites = SiteTable(
        x_px=x + rng.normal(0, 0.05, len(x)),
        y_px=y + rng.normal(0, 0.05, len(x)),
        sublattice=sublattice,
        labels=LABELS,
        posterior=posterior,
        residual=rng.gamma(60, 1 / 60, len(x)),
    )
    area = None if pixel_size_nm is None else (size * pixel_size_nm) ** 2
    findings = tuple(_finding(sites, name, area) for name in LABELS)
    doubtful = tuple(int(v) for v in np.argsort(-sites.entropy_nats)[:24])
    examples = [int(s) for name in LABELS for s in np.flatnonzero(sites.label == name)[:8] if name not in ("M", "X2")]
    chosen = sorted({*doubtful, *examples})
    context = Context(
        technique="STEM",
        host="WSe2",
        dopants=("Ti",),
        energy_kev=80.0,
        collection_mrad=((65.0, 190.0), None)[:channels],
        dwell_us=8.0,
        notes=("The header's magnification, 0, was not believed.",),
        origins={
            "technique": "file",
            "host": "user",
            "dopants": "user",
            "energy_kev": "file",
            "collection_mrad": "user",
            "dwell_us": "file",
        },
    )
    grid = np.linspace(18, 36, 13)
    weights = np.exp(-0.5 * ((grid - 26.4) / 2.6) ** 2)
    inner = np.linspace(50, 120, 8)
    vague = np.exp(-0.5 * ((inner - 70) / 60) ** 2)
    return DefectFindings(
        micrograph=Micrograph(
            frames=data,
            pixel_size_nm=pixel_size_nm,
            context=context,
            provenance=Provenance(file=file, sha256="ab" * 32, reader="rosettasciio 0.14", software="0.1.0"),
        ),
        sites=sites,
        findings=findings,
        evidence=tuple(_evidence(sites, s, data, model, x, y, label, sigma, size) for s in chosen),
        least_certain=doubtful,
        model=model.astype(np.float32),
        marginals=(
            Marginal(name="convergence_mrad", unit="mrad", values=tuple(grid), weights=tuple(weights / weights.sum())),
            Marginal(name="collection_mrad[1]", unit="mrad", values=tuple(inner), weights=tuple(vague / vague.sum())),
        )
        if channels > 1
        else (),
        lattice=LatticeCheck(
            spacings_px=(8.846, 8.851, 8.902),
            spacings_sd_px=(0.004, 0.004, 0.005),
            directions_deg=(-7.0, 53.1, 112.8),
            distortion_rms_px=0.31,
            host_lattice_constant_nm=LATTICE_NM,
            pixel_size_nm=0.03706,
            pixel_size_sd_nm=0.00016,
            header_pixel_size_nm=None if pixel_size_nm is None else 0.0383,
        ),
        method="physics",
        settings={
            "window_px": 19,
            "hypotheses": ["D_M:Ti" if v == "D_M" else v for v in LABELS],
            "prior_defect_fraction": 0.01,
            "sweeps": 3,
        },
        remarks=(
            "The convergence semi-angle is not in the file; the answer is averaged over 18 to 36 mrad.",
            "The pixel size in the header is 3.3 % larger than the lattice of WSe2 allows; the lattice's is used.",
        )
        if defects
        else (),
    )


INFORMATION = (
    Information(name="convergence_mrad", entropy_nats=0.523, reduction_nats=0.311, reduction_sd_nats=0.024),
    Information(name="collection_mrad[1]", entropy_nats=0.523, reduction_nats=0.108, reduction_sd_nats=0.031),
    Information(name="dose_e_per_A2", entropy_nats=0.523, reduction_nats=-0.004, reduction_sd_nats=0.012),
)


def with_opinions(
    findings: DefectFindings,
    *,
    differ: int = 5,
    unfamiliar: int = 2,
    information: tuple[Information, ...] = INFORMATION,
) -> DefectFindings:
    """Let the network say what the sites hold, and physics the same but at some sites the second best label.

    The sites where they differ are the most doubtful ones. The first has an empty label set; the evidence of the
    second shows the network's label last; that of the third was never made.
    """
    network = findings.sites.posterior
    rows = [int(s) for s in np.argsort(-findings.sites.entropy_nats, kind="stable")[:differ]]
    physics = network.copy()
    for row in rows:
        first, second = np.argsort(-network[row], kind="stable")[:2]
        physics[row, [first, second]] = network[row, [second, first]]
    label_set = network >= 0.05
    familiarity = np.linspace(0.02, 1.0, len(network))
    familiarity[:unfamiliar] = 0.001
    if rows:
        label_set[rows[0]] = False
    evidence = []
    for item in findings.evidence:
        if rows[2:] and item.site == rows[2]:
            continue
        turned = rows[1:] and item.site == rows[1]
        evidence.append(
            dataclasses.replace(item, hypotheses=item.hypotheses[::-1], rendered=item.rendered[::-1])
            if turned
            else item
        )
    return dataclasses.replace(
        findings,
        method="network",
        evidence=tuple(evidence),
        opinions=Opinions(
            physics=physics,
            network=network,
            label_set=label_set,
            coverage=0.95,
            familiarity=familiarity,
            least_familiarity=0.01,
            disagreements=tuple(rows),
            information=information,
        ),
    )


def _finding(sites: SiteTable, name: str, area: float | None) -> Finding:
    p = sites.posterior[:, LABELS.index(name)]
    expected = float(p.sum())
    spread = 1.96 * np.sqrt(expected + (p * (1 - p)).sum())
    bounds = (max(0.0, expected - spread), expected + spread + 1.5)
    return Finding(
        label=name,
        count=int((sites.label == name).sum()),
        expected_count=expected,
        count_interval=bounds,
        density_per_nm2=None if area is None else expected / area,
        density_interval_per_nm2=None if area is None else (bounds[0] / area, bounds[1] / area),
    )


def _evidence(
    sites: SiteTable,
    site: int,
    data: np.ndarray,
    model: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    label: np.ndarray,
    sigma: float,
    size: int,
) -> Evidence:
    half = 12
    left = int(np.clip(round(x[site]) - half, 0, size - 2 * half - 1))
    top = int(np.clip(round(y[site]) - half, 0, size - 2 * half - 1))
    window = (slice(None), slice(top, top + 2 * half + 1), slice(left, left + 2 * half + 1))
    ranked = np.argsort(-sites.posterior[site])[:3]
    names = tuple(LABELS[k] for k in ranked if sites.posterior[site, k] > 0)
    rows, cols = np.mgrid[top : top + 2 * half + 1, left : left + 2 * half + 1]
    blob = np.exp(-0.5 * (((rows - y[site]) ** 2 + (cols - x[site]) ** 2) / sigma**2))
    rendered = np.stack(
        [
            np.stack(
                [model[c][window[1:]] + (PEAKS[name][c] - PEAKS[str(label[site])][c]) * blob for c in range(len(data))]
            )
            for name in names
        ]
    )
    return Evidence(site=site, left_px=left, top_px=top, data=data[window], hypotheses=names, rendered=rendered)
