"""What the network is told about a scan: physical descriptors of its context, each of which may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Bool, Float, Float32

from micrographia.atoms.network.canonical import STEPS
from micrographia.atoms.network.scattering import cross_section_A2
from micrographia.context import Angles
from micrographia.simulate.specimens.hosts import CHALCOGENS, host

KNOWABLE: Final = ("host", "dopant", "energy", "detector", "pixel", "dose", "brightness")
"""What may be known or missing, each for itself.

``detector`` is the convergence and all collection angles; ``brightness``, that the signal is in fractions of the beam.
"""
SHARED: Final = 20
"""Numbers about the whole site."""
COVERED: Final = 12
"""Which of them says how much of the patch the scan covers: that fraction less 1."""
PER_CHANNEL: Final = 14
"""Numbers about one channel of it."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """A context in full: known, or supposed.

    Parameters
    ----------
    host, dopant : str
        Formula and chemical symbol.
    energy_kev, convergence_mrad : float
        Probe [keV, mrad].
    collection_mrad : tuple of (float, float)
        Detectors [mrad].
    """

    host: str
    dopant: str | None
    energy_kev: float
    convergence_mrad: float
    collection_mrad: tuple[Angles, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Descriptors:
    """What the network is told about sites.

    Parameters
    ----------
    shared : float array (site, 20)
        About all channels.
    channel : float array (site, channel, 14)
        About each channel.
    brightness : float array (site, channel, 2)
        Spread and mean of the patch in units of the expected mean signal, the latter less 1; 0 where unknown.
    """

    shared: Float32[np.ndarray, "site 20"]
    channel: Float32[np.ndarray, "site channel 14"]
    brightness: Float32[np.ndarray, "site channel 2"]


def describe(
    conditions: tuple[Conditions, ...],
    which: np.ndarray,
    *,
    covered: Float[np.ndarray, " site"],
    mean: Float[np.ndarray, "site channel"],
    spread: Float[np.ndarray, "site channel"],
    known: Bool[np.ndarray, "site 7"],
    pixel_per_a: Float[np.ndarray, " site"],
    pixel_A: Float[np.ndarray, " site"],
    dose_e_per_A2: Float[np.ndarray, " site"],
) -> Descriptors:
    """Describe sites to the network.

    Parameters
    ----------
    conditions : tuple of Conditions
        The contexts that occur, all of the same number of channels.
    which : int array (site,)
        Which of them each site has.
    covered, mean, spread : float array (site,), float array (site, channel)
        Of the sites' `CanonicalPatches`.
    known : bool array (site, 7)
        Which of `KNOWABLE` is known. What is not known may hold any number; it is not looked at.
    pixel_per_a : float array (site,)
        Pixel size in lattice constants; always known, for the lattice shows it.
    pixel_A, dose_e_per_A2 : float array (site,)
        Pixel size [Å] and dose [e/Å²].
    """
    sites, channels = mean.shape
    has = {name: known[:, n] for n, name in enumerate(KNOWABLE)}
    table = [_of(c) for c in conditions]
    of_shared = np.array([t[0] for t in table])[which]
    of_channel = np.array([t[1] for t in table])[which]
    cell_A2 = np.array([t[2] for t in table])[which]

    shared = np.zeros((sites, SHARED), dtype=np.float32)
    shared[:, 0:4] = of_shared[:, 0:4] * has["host"][:, None]
    shared[:, 4:7] = of_shared[:, 4:7] * has["dopant"][:, None]
    shared[:, 7] = of_shared[:, 7] * has["energy"]
    shared[:, 8] = of_shared[:, 8] * has["detector"]
    shared[:, 9] = np.where(has["pixel"], (np.log(np.where(has["pixel"], pixel_A / pixel_per_a, 1)) - 1.2) / 0.05, 0)
    shared[:, 10] = np.where(has["dose"], np.log10(np.where(has["dose"], dose_e_per_A2, 1)) - 6, 0)
    shared[:, 11] = np.log(pixel_per_a) + 2.6
    shared[:, COVERED] = covered - 1
    shared[:, 13:20] = known

    scene = has["host"] & has["energy"] & has["detector"]
    bright = has["brightness"][:, None]
    expected = of_channel[:, :, 8] / cell_A2[:, None]
    relative = np.stack([spread, mean - expected], axis=2) / expected[:, :, None]
    brightness = np.where((scene & has["brightness"])[:, None, None], relative, 0).astype(np.float32)

    channel = np.zeros((sites, channels, PER_CHANNEL), dtype=np.float32)
    channel[:, :, 0:2] = of_channel[:, :, 0:2] * has["detector"][:, None, None]
    channel[:, :, 2:6] = of_channel[:, :, 2:6] * scene[:, None, None]
    channel[:, :, 6:8] = of_channel[:, :, 6:8] * (scene & has["dopant"])[:, None, None]
    mean = np.maximum(mean, 1e-6)
    channel[:, :, 8] = np.where(bright, np.log(mean) + 3, 0)
    channel[:, :, 9] = np.where(bright, np.log(np.maximum(spread, 1e-6) / mean), 0)
    # How many electrons a canonical pixel has: what there is of noise.
    counted = (has["brightness"] & has["dose"] & has["host"])[:, None]
    area_A2 = cell_A2[:, None] * 2 / np.sqrt(3) / STEPS**2
    dose = np.where(has["dose"], dose_e_per_A2, 1)[:, None]
    channel[:, :, 10] = np.where(counted, (np.log10(mean * dose * area_A2) - 3), 0)
    channel[:, :, 11:13] = brightness
    channel[:, :, 13] = (scene & has["brightness"])[:, None]
    return Descriptors(shared=shared, channel=channel, brightness=brightness)


@lru_cache(maxsize=4096)
def _of(
    conditions: Conditions,
) -> tuple[Float[np.ndarray, " 9"], Float[np.ndarray, "channel 9"], float]:
    """Return the numbers that a context stands for, and the area of a unit cell [Å²]."""
    material, dopant = host(conditions.host), conditions.dopant
    metal, pair = (material.metal,), (material.chalcogen,) * 2
    on_chalcogen = dopant in CHALCOGENS
    columns = [metal, pair, pair[:1]]
    if dopant:
        columns += [(dopant, material.chalcogen) if on_chalcogen else (dopant,), (dopant,)]
    sections = cross_section_A2(
        tuple(columns),
        energy_kev=conditions.energy_kev,
        convergence_mrad=conditions.convergence_mrad,
        collection_mrad=conditions.collection_mrad,
    )
    m, x2, x = sections[:, :3].T
    d, alone = sections[:, 3:].T if dopant else (m, m)
    pristine, single = (x2, x) if on_chalcogen else (m, m)
    shared = np.array(
        [
            (atomic_numbers[material.metal] - 55) / 20,
            (atomic_numbers[material.chalcogen] - 30) / 15,
            (material.a_A - 3.35) / 0.15,
            (material.thickness_A - 3.3) / 0.2,
            (atomic_numbers[dopant] - 50) / 20 if dopant else 0.0,
            float(bool(dopant) and not on_chalcogen),
            float(on_chalcogen),
            np.log(conditions.energy_kev / 100),
        ]
    )
    inner, outer = np.array(conditions.collection_mrad).T
    # Between the pair that scatters as one and two that scatter for themselves.
    mean_signal = m + (x2 + 2 * x) / 2
    channel = np.stack(
        [
            np.log(inner / 60),
            np.log(outer / 150),
            np.log(m) + 4,
            np.log(2 * x / m),
            np.log(x2 / m),
            np.log(2 * x / x2),
            4 * np.log(d / pristine),
            4 * np.log(alone / single),
            mean_signal,
        ],
        axis=1,
    )
    return (
        np.concatenate([shared, [(conditions.convergence_mrad - 28) / 8]]),
        channel,
        np.sqrt(3) / 2 * material.a_A**2,
    )
