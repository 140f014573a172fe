"""The continuous prior over imaging conditions: what a training set sees beyond the catalogue's few points."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.column import MAX_ANGLE_MRAD, Probe
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.specimens.catalogue import ENERGY_KEV, Condition, check_dark_field

Range = tuple[float, float]
BEYOND_BEAM_MRAD: Final = 220.0
"""How far from the direct beam's edge detectors may reach [mrad]: there the kernels of a library end."""


@dataclass(frozen=True, kw_only=True)
class ImagingPrior:
    """Ranges of imaging conditions, (low, high), each with its distribution.

    Parameters
    ----------
    energy_kev : (float, float)
        Beam energy [keV], log-uniform: as often from 30 to 95 as from 95 to 300.
    convergence_mrad : (float, float)
        Convergence semi-angle [mrad], uniform.
    inner_mrad : (float, float)
        Inner collection semi-angle [mrad], uniform from the low end, or ``beam_margin_mrad`` outside the direct
        beam where that is more, to the high end.
    largest_outer_mrad : float
        The outer collection semi-angle [mrad] is uniform from ``detector_width_mrad`` above the inner one to this, or
        to 220 mrad outside the direct beam where that is less: so far kernels are kept.
    beam_margin_mrad, detector_width_mrad : float
        Least distance of the detector from the direct beam, and least width of the detector [mrad].
    source_sigma_A : (float, float)
        Standard deviation of the Gaussian source image along one axis [Å], uniform; 2.355 of it is the full width.
    defocus_rad, cs_rad : (float, float)
        Phase at the aperture's edge of defocus, ``pi defocus alpha^2 / lambda``, and of spherical aberration,
        ``pi Cs alpha^4 / (2 lambda)`` [rad]; uniform. Both at their ends and adding up are a quarter of a wave, pi / 2.
    dose_e_per_A2 : (float, float)
        Dose [e/Å²], log-uniform.
    pixel_A : (float, float)
        Pixel size [Å], uniform.
    rotation_deg : (float, float)
        Angle between a close-packed direction and the x axis [°], uniform.

    Raises
    ------
    ContextError
        A range that is reversed, not finite, past what the simulator takes, or that leaves no room for a detector.
    """

    energy_kev: Range = (30.0, 300.0)
    convergence_mrad: Range = (15.0, 40.0)
    inner_mrad: Range = (20.0, 120.0)
    largest_outer_mrad: float = 250.0
    beam_margin_mrad: float = 2.0
    detector_width_mrad: float = 15.0
    source_sigma_A: Range = (0.15, 0.5)
    defocus_rad: Range = (-np.pi / 4, np.pi / 4)
    cs_rad: Range = (-np.pi / 4, np.pi / 4)
    dose_e_per_A2: Range = (1e4, 1e8)
    pixel_A: Range = (0.08, 0.4)
    rotation_deg: Range = (0.0, 360.0)

    def __post_init__(self) -> None:
        lowest = {
            "energy_kev": ENERGY_KEV[0],
            "convergence_mrad": 1.0,
            "inner_mrad": 0.0,
            "source_sigma_A": 0.0,
            "dose_e_per_A2": 1e-4,
            "pixel_A": 0.01,
        }
        highest = {"energy_kev": ENERGY_KEV[1], "source_sigma_A": 3.0, "dose_e_per_A2": 1e12, "pixel_A": 10.0}
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, tuple):
                continue
            low, high = value
            least, most = lowest.get(field.name, -np.inf), highest.get(field.name, np.inf)
            if not (least <= low <= high <= most and np.isfinite([low, high]).all()):
                raise ContextError(
                    f"the prior's range of {field.name} is {low:g} to {high:g}; "
                    f"accepted is low <= high, both finite and from {least:g} to {most:g}"
                )
        if not (self.beam_margin_mrad > 0 and self.detector_width_mrad > 0):
            raise ContextError(
                f"the prior's beam margin is {self.beam_margin_mrad:g} mrad and its least detector width "
                f"{self.detector_width_mrad:g} mrad; accepted are positive numbers"
            )
        if not self.inner_mrad[1] >= self.convergence_mrad[1] + self.beam_margin_mrad:
            raise ContextError(
                f"the prior's inner angles end at {self.inner_mrad[1]:g} mrad, within {self.beam_margin_mrad:g} mrad "
                f"of the widest beam, {self.convergence_mrad[1]:g} mrad; accepted is a larger inner angle"
            )
        if not self.inner_mrad[1] + self.detector_width_mrad <= self.largest_outer_mrad <= MAX_ANGLE_MRAD:
            raise ContextError(
                f"the prior's largest outer angle is {self.largest_outer_mrad:g} mrad; accepted is from "
                f"{self.inner_mrad[1] + self.detector_width_mrad:g} (largest inner angle and least width) "
                f"to {MAX_ANGLE_MRAD:g} mrad"
            )


@dataclass(frozen=True, kw_only=True)
class Imaging:
    """What scans taken in one session share: the probe, the detectors and the source.

    Parameters
    ----------
    probe : Probe
        Energy, convergence and round aberrations.
    collection_mrad : tuple of (float, float)
        Inner and outer collection semi-angle of each channel [mrad]; all dark field.
    source_sigma_A : float
        Standard deviation of the Gaussian source image along one axis [Å].

    Raises
    ------
    ContextError
        No channel, a detector within the direct beam or past 260 mrad, or a negative source size.
    """

    probe: Probe
    collection_mrad: tuple[Angles, ...]
    source_sigma_A: float

    def __post_init__(self) -> None:
        if not self.collection_mrad:
            raise ContextError("imaging needs a detector; give at least one pair of collection angles")
        for angles in self.collection_mrad:
            check_dark_field(self.probe.convergence_mrad, angles)
        if not 0 <= self.source_sigma_A < np.inf:
            raise ContextError(f"source size is {self.source_sigma_A:g} Å; accepted is 0 or more")


@dataclass(frozen=True, kw_only=True)
class Exposures:
    """What differs from scan to scan.

    Parameters
    ----------
    dose_e_per_A2 : float array (patch,)
        Dose [e/Å²].
    pixel_A : float array (patch,)
        Pixel size [Å].
    rotation_deg : float array (patch,)
        Angle between a close-packed direction and the x axis [°].
    """

    dose_e_per_A2: Float[np.ndarray, " patch"]
    pixel_A: Float[np.ndarray, " patch"]
    rotation_deg: Float[np.ndarray, " patch"]


def draw_imaging(prior: ImagingPrior, rng: np.random.Generator, *, channels: int) -> Imaging:
    """Draw a probe, detectors and a source from the prior.

    Parameters
    ----------
    prior : ImagingPrior
        The ranges.
    rng : numpy Generator
        Five numbers, and two for each channel, are taken from it.
    channels : int
        How many detectors see the scan, 1 or more; each is drawn for itself, and they may overlap.

    Raises
    ------
    ContextError
        Fewer than one channel.

    Examples
    --------
    >>> imaging = draw_imaging(ImagingPrior(), np.random.default_rng(1), channels=2)
    >>> print(f"{imaging.probe.energy_kev:.0f} keV", [f"{i:.0f}-{o:.0f}" for i, o in imaging.collection_mrad])
    97 keV ['74-222', '73-177']
    """
    if channels < 1:
        raise ContextError(f"the number of channels is {channels}; accepted is 1 or more")
    energy, convergence, source, defocus, cs = rng.random(5)
    energy_kev = _log_uniform(prior.energy_kev, energy)
    convergence_mrad = _uniform(prior.convergence_mrad, convergence)
    # Bounds that follow from each other are drawn one after the other: no draw is ever thrown away.
    nearest_mrad = max(prior.inner_mrad[0], convergence_mrad + prior.beam_margin_mrad)
    collection_mrad = []
    for inner, outer in rng.random((channels, 2)):
        inner_mrad = _uniform((nearest_mrad, prior.inner_mrad[1]), inner)
        farthest_mrad = min(prior.largest_outer_mrad, convergence_mrad + BEYOND_BEAM_MRAD)
        outer_mrad = _uniform((inner_mrad + prior.detector_width_mrad, farthest_mrad), outer)
        collection_mrad.append((inner_mrad, outer_mrad))
    wavelength, alpha = wavelength_A(energy_kev), 1e-3 * convergence_mrad
    return Imaging(
        probe=Probe(
            energy_kev=energy_kev,
            convergence_mrad=convergence_mrad,
            defocus_A=_uniform(prior.defocus_rad, defocus) * wavelength / (np.pi * alpha**2),
            cs_mm=1e-7 * _uniform(prior.cs_rad, cs) * 2 * wavelength / (np.pi * alpha**4),
        ),
        collection_mrad=tuple(collection_mrad),
        source_sigma_A=_uniform(prior.source_sigma_A, source),
    )


def draw_exposures(prior: ImagingPrior, rng: np.random.Generator, count: int) -> Exposures:
    """Draw dose, pixel size and rotation of some scans from the prior.

    Parameters
    ----------
    prior : ImagingPrior
        The ranges.
    rng : numpy Generator
        Three numbers a scan are taken from it.
    count : int
        How many scans, 0 or more.

    Examples
    --------
    >>> draw_exposures(ImagingPrior(), np.random.default_rng(1), 3).pixel_A.round(3).tolist()
    [0.384, 0.18, 0.215]
    """
    dose, pixel, rotation = rng.random((3, count))
    low, high = np.log(prior.dose_e_per_A2)
    return Exposures(
        dose_e_per_A2=np.exp(low + (high - low) * dose),
        pixel_A=prior.pixel_A[0] + (prior.pixel_A[1] - prior.pixel_A[0]) * pixel,
        rotation_deg=prior.rotation_deg[0] + (prior.rotation_deg[1] - prior.rotation_deg[0]) * rotation,
    )


def imaging_of(condition: Condition, *, source_sigma_A: float) -> Imaging:
    """Return a catalogue's condition with a source size.

    Parameters
    ----------
    condition : Condition
        Probe in focus, and one detector.
    source_sigma_A : float
        Standard deviation of the Gaussian source image along one axis [Å].
    """
    return Imaging(probe=condition.probe, collection_mrad=(condition.collection_mrad,), source_sigma_A=source_sigma_A)


def _uniform(between: Range, at: float) -> float:
    low, high = between
    return float(low + (high - low) * at)


def _log_uniform(between: Range, at: float) -> float:
    low, high = between
    return float(low * (high / low) ** at)
