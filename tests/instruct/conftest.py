"""Images with cues that the tests set, so that truth is known."""

from collections.abc import Callable

import numpy as np
import pytest

from micrographia.cues.cue import Cue
from micrographia.cues.kinds import CUE_KINDS
from micrographia.instruct.subject import Subject

# Value, standard uncertainty, direction.
ORDERED = {
    **{
        "spacing": (3.61, 0.05, 35.0),
        "regularity": (24.8, 1.2),
        "edges": (41.0, 0.8),
        "orientation entropy": (4.9, 0.05),
    },
    **{
        "anisotropy": (0.52, 0.03, 109.0),
        "contrast": (33.2, 0.7),
        "noise": (12.0, 0.6),
        "signal to noise": (14.0, 0.7),
    },
    **{
        "sharpness": (60.0, 2.0),
        "dominant scale": (12.9, 0.7),
        "particles": (17.0, 1.0),
        "particle diameter": (25.1, 1.5),
    },
    **{
        "particle coverage": (12.0, 0.6),
        "pores": (0.0, 0.0),
        "pore diameter": (None, None),
        "pore coverage": (0.0, 0.2),
    },
    **{"fibres": (0.0, 0.0), "fibre width": (None, None), "fibre coverage": (0.0, 0.5), "layers": (3.0, 0.0)},
    **{"layering": (0.6, 0.04), "cracks": (0.0, 0.1), "crack width": (None, None), "lattice defects": (4.0, 0.5)},
    **{"phase contrast": (0.65, 0.02), "dark share": (33.0, 1.5)},
}
CRACKED = ORDERED | {
    **{"regularity": (5.0, 0.5), "edges": (22.5, 0.6), "signal to noise": (4.0, 0.3), "particles": (40.0, 2.0)},
    **{"pores": (31.0, 2.0), "pore diameter": (8.0, 0.5), "pore coverage": (6.0, 0.4), "cracks": (3.0, 0.2)},
    **{"crack width": (7.2, 0.4), "contrast": (33.9, 0.7)},
}


def subject_with(
    values: dict[str, tuple[float | None, ...]], sha256: str, *, pixel_size_nm: float | None = 0.5
) -> Subject:
    cues = []
    for name, (value, sd, *direction) in values.items():
        kind = CUE_KINDS[name]
        unit = "nm" if kind.is_length and pixel_size_nm else kind.unit
        cues.append(
            Cue(
                name=name,
                value=value,
                uncertainty=sd,
                unit=unit,
                sentence="",
                direction_deg=direction[0] if direction else None,
                direction_sd_deg=1.0 if direction else None,
            )
        )
    frame = np.zeros((4, 4), np.float32)
    return Subject(sha256=sha256, frame=frame, pixel_size_nm=pixel_size_nm, cues=tuple(cues))


@pytest.fixture(scope="session")
def make_subject() -> Callable[..., Subject]:
    return subject_with


@pytest.fixture(scope="session")
def ordered() -> Subject:
    """Regular, with particles, without pores and cracks."""
    return subject_with(ORDERED, "a" * 64)


@pytest.fixture(scope="session")
def cracked() -> Subject:
    """Less regular, with pores and cracks; in contrast too close to call."""
    return subject_with(CRACKED, "b" * 64)


@pytest.fixture(scope="session")
def many() -> list[Subject]:
    """Forty images of all sorts."""
    rng = np.random.default_rng(7)
    found = []
    for k in range(40):
        values: dict[str, tuple[float | None, ...]] = {}
        for name, (value, _, *direction) in CRACKED.items():
            if CUE_KINDS[name].present and CUE_KINDS[name].unit == "":
                values[name] = (float(rng.choice([0, 0, 2, 6, 15, 40])), 0.0)
                continue
            if name == "cracks" and rng.random() < 0.4:
                values[name] = (0.0, 0.1)
                continue
            new = float((value or 1.0) * rng.choice([0.3, 0.6, 1.0, 1.02, 1.8]))
            new = min(new, 0.97) if CUE_KINDS[name].unit == "" and (value or 0) < 1 else new
            values[name] = (new, 0.02 * new, *(float(rng.uniform(0, 180)) for _ in direction))
        found.append(subject_with(values, f"{k:064x}", pixel_size_nm=0.5 if k % 3 else None))
    return found
