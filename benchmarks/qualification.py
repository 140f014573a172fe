"""Few-shot qualification beside its peers: which tiles meet a criterion, from 1 to 32 references of either side.

Four tasks are cut from the shared micrographs and split by specimen: references are tiles of some specimens, samples
are all tiles of the others, 20 draws of both. Every method sees the same embeddings of the same references.

Run:  python benchmarks/qualification.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from skimage.draw import polygon2mask
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.choose import load_embedder
from micrographia.embed.encoder import Encoder
from micrographia.qualify.calibrated import PValues, calibrate, p_values
from micrographia.qualify.doubt import rejected_share
from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.similarity.net import net_similarity, unit
from micrographia.qualify.similarity.patches import LEAST_ACCEPTED, net_to_bank, patch_bank, pooled_patches
from micrographia.qualify.similarity.retrieval import nearest_references
from micrographia.qualify.verdict import judged
from micrographia.read import read
from objects import via_polygons

SHOTS = (1, 2, 4, 8, 16, 32)
DRAWS = 20
# Few samples are decided, so decisions need more draws; 60 samples of each are judged.
DECIDING_DRAWS = 40
MOST_SAMPLES = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A tile, the number that the criterion is about, and the specimen that it is of."""

    frame: np.ndarray
    value: float
    specimen: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Tiles that meet a criterion or do not, as embeddings."""

    accepted: np.ndarray
    specimens: np.ndarray
    wholes: np.ndarray
    patches: np.ndarray
    globals_: np.ndarray


def tiles_of(frame: np.ndarray, mask: np.ndarray, side: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for top in range(0, frame.shape[0] - side + 1, side):
        for left in range(0, frame.shape[1] - side + 1, side):
            box = slice(top, top + side), slice(left, left + side)
            yield frame[box], mask[box]


def frame_of(file: Path) -> np.ndarray:
    return read(file, info_bar=False).frames[0]


def ebc(data: Path) -> list[Tile]:
    """Tiles of 128 px that are mostly oxide: with a crack of 30 px or more, or without any."""
    found = []
    for file in sorted((data / "sem-ebc/images").iterdir()):
        for tile, mask in tiles_of(frame_of(file), frame_of(data / "sem-ebc/masks" / file.name), 128):
            crack = float((mask == 2).sum())
            if (mask == 0).mean() <= 0.5 and not 0 < crack < 30:
                found.append(Tile(frame=tile, value=-float(crack > 0), specimen=file.name.split("_")[0].split("-")[0]))
    return found


def superalloy(data: Path) -> list[Tile]:
    """Tiles of 128 px by their area fraction of precipitates, the more the better."""
    return [
        Tile(frame=tile, value=float((mask > 0).mean()), specimen=file.name.split("_")[0])
        for file in sorted((data / "sem-superalloy/images").iterdir())
        for tile, mask in tiles_of(frame_of(file), frame_of(data / "sem-superalloy/masks" / file.name), 128)
    ]


def powder(data: Path) -> list[Tile]:
    """Tiles of 256 px by their area fraction of satellites, the less the better."""
    found = []
    for name, drawn in via_polygons(data / "sem-powder/satellites_training.json").items():
        frame = frame_of(data / "sem-powder/images" / name)
        mask = np.zeros(frame.shape, dtype=bool)
        for outline in drawn:
            mask |= polygon2mask(frame.shape, np.asarray(outline)[:, ::-1])
        found += [Tile(frame=t, value=-float(m.mean()), specimen=name[:3]) for t, m in tiles_of(frame, mask, 256)]
    return found


def melt_pools(data: Path) -> list[Tile]:
    """Tiles of 256 px by how deep the melt pools centred in them are for their width, the flatter the better."""
    coco = json.loads((data / "optical-meltpool/annotations.json").read_text())
    files = {file.name: file for file in (data / "optical-meltpool").rglob("*.png")}
    found = []
    for image in coco["images"]:
        boxes = [a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"]]
        frame = frame_of(files[image["file_name"]])
        for top in (0, 256):
            for left in (0, 256):
                ratios = [
                    h / w
                    for x, y, w, h in boxes
                    if 0 <= x + w / 2 - left < 256 and 0 <= y + h / 2 - top < 256
                    # A pool that the image cuts off has no known shape.
                    if min(x, y) > 1 and x + w < 510 and y + h < 510
                ]
                if ratios:
                    tile = frame[top : top + 256, left : left + 256]
                    found.append(
                        Tile(frame=tile, value=-float(np.mean(ratios)), specimen=image["file_name"].split("_")[0])
                    )
    return found


TASKS: dict[str, Callable[[Path], list[Tile]]] = {
    "EBC: no crack in oxide": ebc,
    "superalloy: precipitates": superalloy,
    "powder: satellites": powder,
    "melt pools: depth to width": melt_pools,
}


def task_of(tiles: list[Tile], encoder: Encoder) -> Task:
    """Embed tiles; those between the 40th and the 60th percentile of the value are left out."""
    value = np.array([t.value for t in tiles])
    low, high = (-0.5, -0.5) if set(value) == {0.0, -1.0} else np.quantile(value, [0.4, 0.6])
    tiles = [t for t in tiles if t.value < low or t.value > high]
    found = list(cached_embeddings(encoder, [t.frame for t in tiles]))
    return Task(
        accepted=np.array([t.value > high for t in tiles]),
        specimens=np.unique([t.specimen for t in tiles], return_inverse=True)[1],
        wholes=np.stack([e.whole for e in found]).astype(np.float64),
        patches=np.stack([pooled_patches(e.patches).reshape(64, -1) for e in found]),
        globals_=np.array([global_numbers(t.frame) for t in tiles]),
    )


def global_numbers(frame: np.ndarray) -> list[float]:
    rows, columns = np.gradient(frame)
    ends = np.quantile(frame, [0.01, 0.05, 0.5, 0.95, 0.99])
    return [frame.mean(), frame.std(), np.hypot(rows, columns).mean(), frame.std() / frame.mean(), *ends]


def draws(task: Task, shots: int, *, count: int = DRAWS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return rows of references, of half of the specimens, and of samples, all tiles of the other half."""
    names, made = np.unique(task.specimens), 0
    for seed in range(500):
        rng = np.random.default_rng([seed, shots])
        pool = np.isin(task.specimens, rng.permutation(names)[: max(2, (len(names) + 1) // 2)])
        sides = [np.flatnonzero(pool & (task.accepted == side)) for side in (True, False)]
        samples = np.flatnonzero(~pool)
        tested = np.bincount(task.accepted[samples], minlength=2)
        if min(map(len, sides)) >= shots and tested.min() >= 4:
            yield np.concatenate([rng.choice(side, shots, replace=False) for side in sides]), samples
            made += 1
        if made == count:
            return


def mixed(task: Task, shots: int, *, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return references and samples drawn from all specimens alike: exchangeable, as the p-values assume."""
    for seed in range(count):
        order = np.random.default_rng([seed, shots]).permutation(len(task.accepted))
        sides = [order[task.accepted[order] == side] for side in (True, False)]
        if min(map(len, sides)) >= shots + 4:
            yield np.concatenate([s[:shots] for s in sides]), np.concatenate([s[shots:] for s in sides])


def known_of(task: Task, rows: np.ndarray, *, specimens: bool) -> Known:
    return Known(
        ids=tuple(map(str, rows)),
        accepted=task.accepted[rows],
        specimens=task.specimens[rows] if specimens else np.arange(len(rows)),
        images=(task.wholes[rows],),
        nets=(),
        banks=(patch_bank(task.patches[rows]),) if task.accepted[rows].sum() >= LEAST_ACCEPTED else (),
    )


def seen_of(task: Task, rows: np.ndarray) -> Seen:
    return Seen(images=(task.wholes[rows],), nets=(), patches=(task.patches[rows],))


def ours(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    known = known_of(task, r, specimens=False)
    seen = seen_of(task, q) if known.banks else Seen(images=(task.wholes[q],), nets=())
    return calibrate(known).frozen.score(seen)


def ours_by_wholes(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    known = replace(known_of(task, r, specimens=False), banks=())
    return calibrate(known).frozen.score(Seen(images=(task.wholes[q],), nets=()))


def ours_by_patches(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    return net_to_bank(patch_bank(task.patches[r]), task.accepted[r], task.patches[q])


def plain_net(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    on = task.accepted[r]
    return net_similarity(task.wholes[q], task.wholes[r][on], task.wholes[r][~on])


def logistic(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    scale = StandardScaler().fit(task.wholes[r])
    model = LogisticRegression(max_iter=2000).fit(scale.transform(task.wholes[r]), task.accepted[r])
    return np.asarray(model.decision_function(scale.transform(task.wholes[q])))


def to_normal(task: Task, r: np.ndarray, q: np.ndarray, *, cosine: bool) -> np.ndarray:
    """Distance of each patch of each sample to the nearest patch of an accepted reference, (sample, patch)."""
    normal = task.patches[r][task.accepted[r]].reshape(-1, task.patches.shape[2])
    samples = task.patches[q].reshape(-1, task.patches.shape[2])
    if cosine:
        near = 1 - (unit(samples) @ unit(normal).T).max(axis=1)
    else:
        squares = (normal**2).sum(axis=1) - 2 * samples @ normal.T
        near = np.sqrt(np.maximum(squares.min(axis=1) + (samples**2).sum(axis=1), 0))
    return near.reshape(len(q), -1)


def patchcore(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    """As PatchCore scores images: by the patch farthest from the memory of normal ones (arXiv 2106.08265)."""
    return -to_normal(task, r, q, cosine=False).max(axis=1)


def anomaly_dino(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    """As AnomalyDINO does: cosine to the nearest normal patch, mean of the farthest 1 % (arXiv 2405.14529)."""
    far = np.sort(to_normal(task, r, q, cosine=True), axis=1)
    return -far[:, -max(1, far.shape[1] // 100) :].mean(axis=1)


def win_clip(task: Task, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    """As WinCLIP+ scores by normal references: windows of several sizes, harmonic mean (arXiv 2303.14814)."""
    inverse = 0.0
    for size in (1, 2, 4):
        windows = task.patches.reshape(len(task.patches), 8 // size, size, 8 // size, size, -1).mean(axis=(2, 4))
        windows = windows.reshape(len(windows), -1, windows.shape[-1])
        normal = unit(windows[r][task.accepted[r]].reshape(-1, windows.shape[2]))
        near = (1 - (unit(windows[q].reshape(-1, windows.shape[2])) @ normal.T).max(axis=1)) / 2
        spread = np.repeat(np.repeat(near.reshape(len(q), 8 // size, 8 // size), size, axis=1), size, axis=2)
        inverse = inverse + 1 / np.maximum(spread, 1e-6)
    return -(3 / inverse).reshape(len(q), -1).max(axis=1)


METHODS = {
    "ours": ours,
    "ours, whole images only": ours_by_wholes,
    "ours, patches only": ours_by_patches,
    "net cosine": plain_net,
    "logistic regression": logistic,
    "PatchCore": patchcore,
    "AnomalyDINO": anomaly_dino,
    "WinCLIP": win_clip,
}


def aurocs(task: Task) -> None:
    print("| method | " + " | ".join(map(str, SHOTS)) + " |\n|" + "---|" * (len(SHOTS) + 1))
    got: dict[str, dict[int, np.ndarray]] = {}
    for name, method in METHODS.items():
        got[name] = {
            shots: np.array([roc_auc_score(task.accepted[q], method(task, r, q)) for r, q in draws(task, shots)])
            for shots in SHOTS
        }
        cells = [f"{a.mean():.3f} ± {a.std():.3f}" if len(a) else "–" for a in got[name].values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"| ours less the best peer | {' | '.join(ahead(got, shots) for shots in SHOTS)} |", flush=True)
    best = max(abs(roc_auc_score(task.accepted, column) - 0.5) + 0.5 for column in task.globals_.T)
    print(f"\nBest single global number, chosen with all labels known: {best:.3f}.\n")


def ahead(got: dict[str, dict[int, np.ndarray]], shots: int) -> str:
    """Return how far ours is ahead of the peer with the best mean, draw by draw, with its 95 % interval."""
    if not len(got["ours"][shots]):
        return "–"
    best = max((name for name in got if not name.startswith("ours")), key=lambda name: got[name][shots].mean())
    difference = got["ours"][shots] - got[best][shots]
    half = 2.09 * difference.std(ddof=1) / len(difference) ** 0.5  # Student's t, 19 degrees of freedom
    return f"{difference.mean():+.3f} ± {half:.3f} ({best})"


def retrieval(task: Task) -> None:
    print("| references | nearest is of the right side | most of the nearest five |\n|---|---|---|")
    for shots in SHOTS:
        first, five = [], []
        for r, q in draws(task, shots):
            known = known_of(task, r, specimens=False)
            for k in q:
                seen = Seen(images=(task.wholes[[k]],), nets=())
                near = [n.polarity == "accept" for n in nearest_references(seen, known, ("",), top=5)][:5]
                first.append(near[0] == task.accepted[k])
                five.append((np.mean(near) > 0.5) == task.accepted[k])
        if first:
            print(f"| {shots} | {np.mean(first):.3f} | {np.mean(five):.3f} |", flush=True)
    print()


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Samples of one draw: which are acceptable, p-values, and the share of rejected by ours and by the peer."""

    accepted: np.ndarray
    p: list[PValues]
    rejected: np.ndarray
    logistic: np.ndarray


def judged_draw(task: Task, r: np.ndarray, q: np.ndarray, *, by_specimen: bool) -> Judged:
    calibrated = calibrate(known_of(task, r, specimens=by_specimen))
    on, off = calibrated.accepted_scores, calibrated.rejected_scores
    scores = calibrated.frozen.score(seen_of(task, q))
    return Judged(
        accepted=task.accepted[q],
        p=[p_values(seen_of(task, q[k : k + 1]), calibrated) for k in range(len(q))],
        rejected=np.array([rejected_share(float(s), on, off, specimens=calibrated.specimens) for s in scores]),
        logistic=1 / (1 + np.exp(logistic(task, r, q))),
    )


def decisions(task: Task) -> None:
    """Print coverage and decisions; samples of a draw share its references, so errors are those over draws."""
    print(
        "| references and samples | references | alpha | coverage | decided | wrong of these | logistic regression, "
        "where it is as sure: decided | wrong of these | wherever: wrong |\n|" + "---|" * 9
    )
    for way, drawn, by_specimen in (("of all specimens alike", mixed, False), ("of different specimens", draws, True)):
        for shots, alphas in ((16, (0.1, 0.2)), (32, (0.05, 0.1, 0.2))):
            some = []
            for r, q in drawn(task, shots, count=DECIDING_DRAWS):
                samples = np.random.default_rng(shots).permutation(q)[:MOST_SAMPLES]
                some.append(judged_draw(task, r, samples, by_specimen=by_specimen))
            for alpha in alphas if some else ():
                print(f"| {way} | {shots} | {alpha} | {' | '.join(decision_cells(some, alpha))} |", flush=True)
    print()


def decision_cells(some: list[Judged], alpha: float) -> list[str]:
    covered, ours_, theirs, always = [], [], [], []
    for draw in some:
        true = [p.accept if on else p.reject for p, on in zip(draw.p, draw.accepted, strict=True)]
        covered.append(np.mean(np.array(true) > alpha))
        verdicts = [
            judged(p, rejected=float(share), missing=(0, 0), alpha=alpha)[0]
            for p, share in zip(draw.p, draw.rejected, strict=True)
        ]
        ours_.append(tally(np.array(verdicts) == "accept", np.array(verdicts) == "reject", draw.accepted))
        theirs.append(tally(draw.logistic <= alpha, draw.logistic >= 1 - alpha, draw.accepted))
        always.append(np.mean((draw.logistic < 0.5) != draw.accepted))
    coverage = f"{np.mean(covered):.3f} ± {np.std(covered, ddof=1) / len(covered) ** 0.5:.3f}"
    return [coverage, *shares(np.array(ours_)), *shares(np.array(theirs)), f"{np.mean(always):.3f}"]


def tally(accept: np.ndarray, reject: np.ndarray, accepted: np.ndarray) -> tuple[int, int, int]:
    """Return how many samples were decided, how many of them wrongly, and how many there are."""
    return int((accept | reject).sum()), int((accept & ~accepted).sum() + (reject & accepted).sum()), len(accepted)


def shares(counts: np.ndarray) -> tuple[str, str]:
    """Return the share decided, and the share of these that is wrong with its standard error over draws."""
    decided, wrong, total = counts.T
    if not decided.sum():
        return "0%", "none decided"
    share = wrong.sum() / decided.sum()
    error = np.sqrt(((wrong - share * decided) ** 2).sum()) / decided.sum()
    return f"{decided.sum() / total.sum():.1%}", f"{share:.3f} ± {error:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--tasks", nargs="*", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--encoder", default="efficientnet-lite0")
    given = parser.parse_args()
    encoder = load_embedder(given.encoder)
    for name in given.tasks:
        task = task_of(TASKS[name](given.data), encoder)
        count = np.bincount(task.accepted, minlength=2)
        print(f"## {name}\n\n{count[1]} tiles to accept, {count[0]} to reject, {task.specimens.max() + 1} specimens.\n")
        aurocs(task)
        retrieval(task)
        decisions(task)


if __name__ == "__main__":
    main()
