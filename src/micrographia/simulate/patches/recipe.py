"""Patches without end: cases, defects and scan faults drawn at random, and rendered.

Patches come in groups of 64 that share material, probe, detectors and source; everything else differs from patch
to patch. A group depends on the recipe and its number alone, wherever and in whatever order it is made.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt16
from threadpoolctl import threadpool_limits

from micrographia.errors import ContextError, InputError
from micrographia.simulate.columns.kernels import relative_discrepancy
from micrographia.simulate.patches.library import (
    ALGORITHM,
    KernelLibrary,
    build_library,
    read_library,
    role_tables,
)
from micrographia.simulate.patches.prior import Imaging, ImagingPrior, Range, draw_exposures, draw_imaging
from micrographia.simulate.patches.render import SCENE, Tables, render
from micrographia.simulate.scans.scan import Progress
from micrographia.simulate.specimens.catalogue import Catalogue, Compound, Condition, labels
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES

GROUP: Final = 64
"""Patches that share material and optics."""
SMALLEST_PX, LARGEST_PX = 16, 256


@dataclass(frozen=True, kw_only=True)
class Realism:
    """Ranges, (low, high), of what a real specimen, scan and detector add; (0, 0) switches an effect off.

    Parameters
    ----------
    defect_fraction : (float, float)
        Fraction of the other sites that carry a defect; log-uniform, or 0 where the low end is.
    relaxation_A : (float, float)
        How far a defect pushes its nearest neighbours outwards [Å]; uniform, negative pulls them in.
    haze : (float, float)
        Contamination, as a fraction of the lattice's mean signal; uniform.
    drift_px : (float, float)
        Drift along each axis while one line is scanned [px]; uniform.
    row_jitter_A : (float, float)
        Standard deviation of each line's random shift along each axis [Å]; uniform.
    flyback_A : (float, float)
        Lag of the probe at the first column of the whole scan [Å]; uniform.
    dwell_travel : (float, float)
        Part of a pixel that the probe passes while it records it; uniform.
    pulse_spread : (float, float)
        Relative spread of the height of one electron's pulse in the detector; uniform.
    read_noise_e : (float, float)
        Noise of the amplifier in a pixel [electrons]; uniform.
    offset_px : (float, float)
        Distance of the central site from the middle pixel's centre along each axis [px]; uniform.
    discrepancy : (float, float)
        By how much real defects differ in brightness from simulated ones, in units of `relative_discrepancy`; uniform
        for each group, and normal for each label and channel of it.

    Raises
    ------
    ContextError
        A range that is reversed, not finite, or negative where that makes no sense.

    Examples
    --------
    >>> Realism(haze=(0.0, 0.0)).haze
    (0.0, 0.0)
    """

    defect_fraction: Range = (0.003, 0.1)
    relaxation_A: Range = (-0.1, 0.1)
    haze: Range = (0.0, 0.2)
    drift_px: Range = (-0.02, 0.02)
    row_jitter_A: Range = (0.0, 0.08)
    flyback_A: Range = (0.0, 1.0)
    dwell_travel: Range = (0.0, 1.0)
    pulse_spread: Range = (0.0, 0.5)
    read_noise_e: Range = (0.0, 0.5)
    offset_px: Range = (-0.5, 0.5)
    discrepancy: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        signed = ("relaxation_A", "drift_px", "offset_px")
        most = {"defect_fraction": 1.0, "dwell_travel": 1.0}
        for name, (low, high) in ((f.name, getattr(self, f.name)) for f in fields(self)):
            least, largest = (-np.inf if name in signed else 0.0), most.get(name, np.inf)
            if not (least <= low <= high <= largest and np.isfinite([low, high]).all()):
                raise ContextError(
                    f"the range of {name} is {low:g} to {high:g}; accepted is low <= high, both finite and from "
                    f"{least:g} to {largest:g}"
                )


IDEAL: Final = Realism(**{f.name: (0.0, 0.0) for f in fields(Realism)})
"""No effect at all: the central site is the only defect, and noise is of electrons alone."""

_SCAN_PX: Final = 512
_RECOVERY_PX: Final = (5.0, 40.0)
_HAZE_PERIOD_A: Final = (20.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Patches of one or several groups.

    Parameters
    ----------
    levels : uint16 array (patch, channel, height, width)
        Levels of the digitiser.
    clean : float array (patch, channel, height, width), optional
        Expected fraction of the beam.
    index : mapping of str to array (patch,)
        What is known of each patch: ``label``, ``host``, ``dopant``, context, the fields of `SCENE`, and for each
        channel ``fraction_per_level_0`` and ``zero_level_0``: the fraction of the beam is
        ``(levels - zero_level) * fraction_per_level``.
    """

    levels: UInt16[np.ndarray, "patch channel height width"]
    clean: Float32[np.ndarray, "patch channel height width"] | None
    index: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class PatchRecipe:
    """Everything that patches depend on.

    Parameters
    ----------
    catalogue : Catalogue
        Compounds; and conditions, unless imaging comes from the prior. Cases take turns: all occur equally often.
    library : Path
        Folder of a kernel library that covers them.
    seed : int
        0 or more.
    imaging : ImagingPrior
        Source size, dose, pixel size and rotation come from here; with ``continuous`` also energy, angles, aberrations.
    continuous : bool
        Whether the imaging conditions are drawn from the prior rather than from the catalogue.
    realism : Realism
        Ranges of everything that is not ideal.
    size_px : int
        Height and width of a patch [px], even, 16 to 256.
    channels : int
        Detectors of the same scan. From a catalogue: conditions that share a probe.
    clean : bool
        Whether to give the noise-free signal as well.
    every_label : bool
        Whether each scene is made once with each label that the compound has, rather than once with one of them: such
        patches differ in nothing but what is at the centre.

    Raises
    ------
    ContextError
        A value out of range, or no conditions that share a probe for that many channels.
    """

    catalogue: Catalogue
    library: Path
    seed: int = 0
    imaging: ImagingPrior = field(default_factory=ImagingPrior)
    continuous: bool = False
    realism: Realism = field(default_factory=Realism)
    size_px: int = 64
    channels: int = 1
    clean: bool = False
    every_label: bool = False

    def __post_init__(self) -> None:
        if not (SMALLEST_PX <= self.size_px <= LARGEST_PX and self.size_px % 2 == 0):
            raise ContextError(
                f"the patch size is {self.size_px} px; accepted is an even number from {SMALLEST_PX} to {LARGEST_PX}"
            )
        if self.seed < 0:
            raise ContextError(f"the seed is {self.seed}; accepted is a whole number from 0 on")
        if self.channels < 1:
            raise ContextError(f"the number of channels is {self.channels}; accepted is 1 or more")
        if not self.continuous and not _sessions(self.catalogue, self.channels):
            raise ContextError(f"no {self.channels} conditions of the catalogue share a probe; ask for fewer channels")

    @property
    def group_size(self) -> int:
        """Number of patches in a group."""
        return GROUP

    def settings(self) -> dict[str, Any]:
        """Return all that the patches depend on, as JSON has it."""
        return {
            "catalogue": asdict(self.catalogue),
            "continuous": self.continuous,
            "imaging": asdict(self.imaging),
            "realism": asdict(self.realism),
            "size_px": self.size_px,
            "channels": self.channels,
            "clean": self.clean,
            "every_label": self.every_label,
            "seed": self.seed,
            "kernels": ALGORITHM,
            "software": f"micrographia {version('micrographia')}",
        }

    def groups(self, first: int, count: int) -> Patches:
        """Return the patches of groups ``first`` to ``first + count - 1``: the same ones whenever it is asked.

        Parameters
        ----------
        first, count : int
            First group, from 0, and number of groups, 1 or more.

        Raises
        ------
        InputError
            Other numbers.
        """
        if first < 0 or count < 1:
            raise InputError(f"{count} groups from group {first} on were asked for; accepted is 1 or more, from 0 on")
        library = _read_once(self.library)
        shape = (count, GROUP, self.channels, self.size_px, self.size_px)
        levels, clean = np.empty(shape, dtype=np.uint16), np.empty(shape if self.clean else (1, *shape[1:]), np.float32)
        parts = []
        # Matrices this small only lose by threads.
        with threadpool_limits(limits=1, user_api="blas"):
            for n in range(count):
                parts.append(_render_group(self, library, first + n, levels[n], clean[n if self.clean else 0]))
        return Patches(
            levels=levels.reshape(-1, *shape[2:]),
            clean=clean.reshape(-1, *shape[2:]) if self.clean else None,
            index={name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        )


def recipe(
    catalogue: Catalogue,
    *,
    prior: bool = False,
    size_px: int = 64,
    seed: int = 0,
    channels: int = 1,
    clean: bool = False,
    library: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PatchRecipe:
    """Return a recipe with the default prior and realism, and make sure of the kernel library it needs.

    Parameters
    ----------
    catalogue, size_px, seed, channels, clean
        As for `PatchRecipe`.
    prior : bool
        Whether imaging conditions come from the continuous prior rather than from the catalogue.
    library : Path, optional
        Folder of the kernel library; by default one in the user's cache. It is computed where it is not complete.
    workers, progress
        As for `build_library`.
    """
    ranges = ImagingPrior()
    made = PatchRecipe(
        catalogue=catalogue,
        library=library or Path(),
        seed=seed,
        imaging=ranges,
        continuous=prior,
        size_px=size_px,
        channels=channels,
        clean=clean,
    )
    folder = build_library(catalogue, library, prior=ranges if prior else None, workers=workers, progress=progress)
    return replace(made, library=folder.resolve())


def recorded_electrons(
    scene: np.void, material: Tables, *, size_px: int
) -> Float64[np.ndarray, "channel height width"]:
    """Return one patch of a scene, in electrons.

    Parameters
    ----------
    scene : record of `SCENE`
        The patch.
    material : Tables
        From `role_tables`.
    size_px : int
        Height and width [px].
    """
    shape = (1, material.mean.size, size_px, size_px)
    clean, levels, scale = np.empty(shape, np.float32), np.empty(shape, np.uint16), np.empty((*shape[:2], 2))
    render(np.array([scene]), material, clean, levels, scale)
    per_level, zero = scale[0, :, 0, None, None], scale[0, :, 1, None, None]
    electrons: Float64[np.ndarray, "channel height width"] = (levels[0] - zero) * per_level
    return electrons


@lru_cache(maxsize=2)
def _read_once(folder: Path) -> KernelLibrary:
    return read_library(folder)


@lru_cache(maxsize=8)
def _sessions(catalogue: Catalogue, channels: int) -> tuple[tuple[Condition, ...], ...]:
    """Return the sets of conditions that one scan can have: of one probe, in the catalogue's order, each first once."""
    of_probe: dict[Any, list[Condition]] = {}
    for condition in catalogue.conditions:
        of_probe.setdefault(condition.probe, []).append(condition)
    return tuple(
        tuple(same[(n + c) % len(same)] for c in range(channels))
        for same in of_probe.values()
        if len(same) >= channels
        for n in range(len(same))
    )


@lru_cache(maxsize=8)
def _turns(seed: int, cases: int) -> Int64[np.ndarray, " case"]:
    turns: Int64[np.ndarray, " case"] = np.random.default_rng([seed, cases]).permutation(cases)
    return turns


def _case(made: PatchRecipe, group: int, rng: np.random.Generator) -> tuple[Compound, Imaging, tuple[str, ...]]:
    """Return compound, imaging and the conditions' names of a group: cases take turns in a shuffled order."""
    compound, session = _turn(made, group)
    if made.continuous:
        return compound, draw_imaging(made.imaging, rng, channels=made.channels), ("prior",) * made.channels
    conditions = _sessions(made.catalogue, made.channels)[session]
    imaging = Imaging(
        probe=conditions[0].probe,
        collection_mrad=tuple(c.collection_mrad for c in conditions),
        source_sigma_A=float(rng.uniform(*made.imaging.source_sigma_A)),
    )
    return compound, imaging, tuple(c.name for c in conditions)


def compound_of(made: PatchRecipe, group: int) -> Compound:
    """Return the compound of a group's patches.

    Parameters
    ----------
    made : PatchRecipe
        The recipe.
    group : int
        Number of the group, from 0.
    """
    return _turn(made, group)[0]


def _turn(made: PatchRecipe, group: int) -> tuple[Compound, int]:
    """Return the compound, and which of the catalogue's sessions, a group has."""
    compounds = made.catalogue.compounds
    sessions = 1 if made.continuous else len(_sessions(made.catalogue, made.channels))
    turn = _turns(made.seed, len(compounds) * sessions)
    compound, session = divmod(int(turn[group % turn.size]), sessions)
    return compounds[compound], session


def draw_scenes(
    made: PatchRecipe, compound: Compound, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what is particular to each of some patches.

    Parameters
    ----------
    made : PatchRecipe
        The ranges.
    compound : Compound
        Says which labels the central site may have; all are equally likely.
    rng : numpy Generator
        Draws.
    count : int
        Number of patches.

    Returns
    -------
    (array of `SCENE` (patch,), float array (patch,))
        The scenes, and the dose [e/Å²].
    """
    roles = [ROLES.index(label) for label in labels(compound)]
    if made.every_label:
        distinct = -(-count // len(roles))
        scenes, dose = draw_scenes(replace(made, every_label=False), compound, rng, distinct)
        which = np.repeat(np.arange(distinct), len(roles))[:count]
        scenes = scenes[which]
        # The last scene may lack some: in a new order for each.
        scenes["role"] = np.concatenate([rng.permutation(roles) for _ in range(distinct)])[:count]
        return scenes, dose[which]
    real = made.realism
    exposures = draw_exposures(made.imaging, rng, count)
    pixel_A = exposures.pixel_A
    scenes = np.zeros(count, dtype=SCENE)
    scenes["seed"] = rng.integers(0, 2**63, count, dtype=np.uint64)
    scenes["role"] = rng.choice(roles, count)
    scenes["pixel_A"] = pixel_A
    scenes["rotation_deg"] = exposures.rotation_deg
    scenes["electrons_per_px"] = exposures.dose_e_per_A2 * pixel_A**2
    low, high = real.defect_fraction
    scenes["defect_fraction"] = low * (high / low) ** rng.random(count) if low > 0 else rng.uniform(low, high, count)
    scenes["relaxation_A"] = rng.uniform(*real.relaxation_A, count)
    scenes["haze"] = rng.uniform(*real.haze, count)
    scenes["haze_period_px"] = rng.uniform(*_HAZE_PERIOD_A, count) / pixel_A
    for axis in ("x", "y"):
        scenes[f"drift_{axis}_px"] = rng.uniform(*real.drift_px, count)
        scenes[f"offset_{axis}_px"] = rng.uniform(*real.offset_px, count)
    scenes["row_jitter_px"] = rng.uniform(*real.row_jitter_A, count) / pixel_A
    scenes["flyback_px"] = rng.uniform(*real.flyback_A, count) / pixel_A
    scenes["flyback_recovery_px"] = rng.uniform(*_RECOVERY_PX, count)
    scenes["first_column_px"] = rng.integers(0, max(1, _SCAN_PX - made.size_px), count)
    scenes["dwell_travel"] = rng.uniform(*real.dwell_travel, count)
    scenes["pulse_spread"] = rng.uniform(*real.pulse_spread, count)
    scenes["read_noise_e"] = rng.uniform(*real.read_noise_e, count)
    return scenes, exposures.dose_e_per_A2


def _as_real(material: Tables, discrepancy: float, rng: np.random.Generator) -> Tables:
    """Return tables with defects of another brightness than simulated."""
    pristine = material.column[:, [ROLES.index(label) for label in PRISTINE], 0, 0]
    spread = discrepancy * relative_discrepancy(material.column[:, :, 0, 0] / pristine)
    factor = 1 + spread * rng.standard_normal(spread.shape)
    return material._replace(change=(material.change * factor[:, :, None, None]).astype(material.change.dtype))


def _render_group(
    made: PatchRecipe,
    library: KernelLibrary,
    group: int,
    levels: UInt16[np.ndarray, "patch channel height width"],
    clean: Float32[np.ndarray, "patch channel height width"],
) -> dict[str, np.ndarray]:
    """Fill one group's patches, and return its index."""
    rng = np.random.default_rng([made.seed, group])
    compound, imaging, conditions = _case(made, group, rng)
    scenes, dose = draw_scenes(made, compound, rng, GROUP)
    scale = np.empty((GROUP, made.channels, 2))
    material = role_tables(library, compound, imaging)
    if made.realism.discrepancy[1] > 0:
        material = _as_real(material, rng.uniform(*made.realism.discrepancy), rng)
    render(scenes, material, clean, levels, scale)
    probe = imaging.probe
    index: dict[str, Any] = {
        "label": np.array(ROLES)[scenes["role"]],
        "host": compound.host,
        "dopant": compound.dopant,
        "group": group,
        "energy_kev": probe.energy_kev,
        "convergence_mrad": probe.convergence_mrad,
        "defocus_A": probe.defocus_A,
        "cs_mm": probe.cs_mm,
        "source_sigma_A": imaging.source_sigma_A,
        "dose_e_per_A2": dose,
    }
    for channel, (inner_mrad, outer_mrad) in enumerate(imaging.collection_mrad):
        index |= {
            f"condition_{channel}": conditions[channel],
            f"inner_mrad_{channel}": inner_mrad,
            f"outer_mrad_{channel}": outer_mrad,
            f"fraction_per_level_{channel}": scale[:, channel, 0] / scenes["electrons_per_px"],
            f"zero_level_{channel}": scale[:, channel, 1],
        }
    index |= {name: scenes[name] for name in SCENE.names or () if name != "role"}
    return {name: np.broadcast_to(np.asarray(values), GROUP) for name, values in index.items()}
