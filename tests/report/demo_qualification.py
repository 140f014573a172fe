"""A library of intact and cracked pictures, and verdicts on three samples, made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from micrographia.findings import Nearest, Part, Qualification, Verdict, WhereEvidence
from micrographia.qualify import library as lib
from micrographia.qualify.criteria import Criterion
from micrographia.read import read

CRACKS = Criterion(
    id="cracks",
    title="No cracks in the oxide",
    accept_texts=("an intact oxide layer",),
    reject_texts=("an oxide layer with cracks across it", "a network of cracks"),
    note="ASTM C633",
)
PORES = Criterion(id="pores", title="Few <pores>", accept_texts=("dense",), reject_texts=())
ENCODERS = {"efficientnet-lite0": "0a1b2c3d4e5f6071", "minilm": "a9b8c7d6e5f40312"}
SETTINGS = {"alpha": 0.05, "encoders": ["efficientnet-lite0"], "texts": "minilm", "where": True}


def draw(path, seed, *, lines=False, side=256):
    """Write a picture of smooth noise, with dark lines across it or without."""
    rng = np.random.default_rng(seed)
    frame = 128 + 300 * gaussian_filter(rng.normal(size=(side, side)), side / 40) + rng.normal(size=(side, side)) * 4
    if lines:
        for start in rng.uniform(0.1, 0.9, 3) * side:
            walk = np.clip(start + np.cumsum(rng.normal(size=side)), 1, side - 2).astype(int)
            for k in (-1, 0, 1):
                frame[np.arange(side), walk + k] -= 70
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8)).save(path)
    return path


def make_library(folder):
    """Create a library with three references of each kind on cracks; R6 has a region; one accepted on pores."""
    folder = Path(folder)
    made = lib.create_library(folder / "library", [CRACKS, PORES], actor="Ann")
    intact = [draw(folder / "refs" / f"intact-{k}.png", k) for k in range(3)]
    cracked = [draw(folder / "refs" / f"cracked-{k}.png", 10 + k, lines=True) for k in range(3)]
    lib.add_references(made, "cracks", "accept", intact, actor="Ann", expert="B. Expert", specimen="A7", text="sound")
    lib.add_references(made, "cracks", "reject", cracked[:2], actor="Ann", expert="B. Expert")
    mask = np.zeros((256, 256), dtype=np.uint8)
    mask[40:200, 60:220] = 1
    Image.fromarray(mask).save(folder / "refs" / "mask.png")
    lib.add_references(made, "cracks", "reject", cracked[2:], actor="Ann", mask=folder / "refs" / "mask.png")
    lib.add_references(made, "pores", "accept", intact[:1], actor="Ann")
    return made


def _where(frame):
    """Darkness of tiles of 64 px, every 32 px, as a score."""
    dark = gaussian_filter(frame, 3) - gaussian_filter(frame, 12)
    rows = (frame.shape[0] - 64) // 32 + 1
    cells = [[dark[r * 32 : r * 32 + 64, c * 32 : c * 32 + 64].min() for c in range(rows)] for r in range(rows)]
    score = np.array(cells)
    return WhereEvidence(score=(score - score.mean()) / 5 - 0.5, tile_px=64, step_px=32)


def _cracks(decision, micrograph):
    numbers = {
        "accept": (1.62, 0.75, 0.042, 0.83),
        "reject": (-2.204, 0.025, 0.55, 0.4),
        "abstain": (0.1, 0.3, 0.2, 0.5),
    }
    score, p_accept, p_reject, p_familiar = numbers[decision]
    first, second = ("accept", "reject") if score > 0 else ("reject", "accept")
    ids = {"accept": ("R2", "R1"), "reject": ("R6", "R4")}
    near = (
        Nearest(reference=ids[first][0], polarity=first, similarity=0.8123, encoder="efficientnet-lite0"),
        Nearest(reference=ids[first][1], polarity=first, similarity=0.61, encoder="efficientnet-lite0"),
        Nearest(reference=ids[second][0], polarity=second, similarity=-0.134, encoder="efficientnet-lite0"),
    )
    return Verdict(
        criterion="cracks",
        title=CRACKS.title,
        verdict=decision,
        reason="ambiguous" if decision == "abstain" else "decided",
        explanation=f"Explained: {decision} (p = {p_accept}).",
        score=score,
        p_accept=p_accept,
        p_reject=p_reject,
        p_familiar=p_familiar,
        rejected_share={"accept": 0.031, "reject": 0.985, "abstain": 0.44}[decision],
        missing=(0, 0),
        counts=(39, 39),
        parts=(
            Part(encoder="efficientnet-lite0", modality="image", net=score / 9, z=1.1 * score, weight=0.5),
            Part(encoder="efficientnet-lite0", modality="patches", net=score / 9 - 0.6, z=1.1 * score, weight=0.2),
            Part(encoder="minilm", modality="text", net=score / 30, z=0.9 * score, weight=0.3),
        ),
        references=near,
        where=_where(micrograph.frames[0]),
        unlike=np.eye(8, dtype=bool),
        remarks=("Accepted and rejected texts hardly differ.",) if decision == "abstain" else (),
    )


def _pores():
    near = Nearest(reference="R7", polarity="accept", similarity=0.3, encoder="efficientnet-lite0")
    return Verdict(
        criterion="pores",
        title=PORES.title,
        verdict="abstain",
        reason="insufficient references",
        explanation="Too few references: 18 more to accept and 19 more to reject are needed.",
        score=None,
        p_accept=None,
        p_reject=None,
        p_familiar=None,
        rejected_share=None,
        missing=(18, 19),
        counts=(1, 0),
        parts=(Part(encoder="efficientnet-lite0", modality="image", net=0.02, z=None, weight=1.0),),
        references=(near,),
    )


def qualification(library, path, decision):
    """Return verdicts on a picture: as told on cracks; on pores an abstention, left out if accepted."""
    micrograph = replace(read(path), pixel_size_nm=25.0, pixel_size_origin="user")
    verdicts = (_cracks(decision, micrograph),) if decision == "accept" else (_cracks(decision, micrograph), _pores())
    return Qualification(
        micrograph=micrograph,
        verdicts=verdicts,
        disposition=decision,
        library_id=library.id,
        library_version=lib.library_version(library),
        encoders=ENCODERS,
        settings=SETTINGS,
        remarks=("The contrast is inverted.",) if decision == "reject" else (),
    )
