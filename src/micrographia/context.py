"""What is known about how a micrograph was made, and who said so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from micrographia.errors import ContextError

Origin = Literal["file", "user", "info bar", "inferred", "assumed"]
ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)

Angles = tuple[float, float]

# Accepted ranges, inclusive. They exclude what no electron microscope does, not what is unusual.
_RANGES: Final[Mapping[str, tuple[float, float, str]]] = MappingProxyType(
    {
        "energy_kev": (0.05, 3000.0, "keV"),
        "convergence_mrad": (0.01, 200.0, "mrad"),
        "camera_length_mm": (0.1, 1e5, "mm"),
        "probe_current_pa": (1e-4, 1e9, "pA"),
        "dose_e_per_A2": (1e-4, 1e12, "e/Å²"),
        "dwell_us": (1e-4, 1e8, "µs"),
        "working_distance_mm": (1e-3, 1e3, "mm"),
        "magnification": (0.1, 1e9, "×"),
        "tilt_deg": (-180.0, 180.0, "°"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Context:
    """Context of a micrograph. Unknown is None; every known field has an origin.

    Parameters
    ----------
    technique : str, optional
        ``"STEM"``, ``"TEM"``, ``"SEM"``, ``"diffraction"``, ``"light"`` ...
    host : str, optional
        Chemical formula of the material, e.g. ``"WSe2"``.
    dopants : tuple of str, optional
        Chemical symbols. An empty tuple says that there are none; None says that nobody told.
    energy_kev : float, optional
        Beam energy [keV], 0.05 to 3000.
    convergence_mrad : float, optional
        Convergence semi-angle of the probe [mrad].
    collection_mrad : tuple of ((float, float) or None), optional
        Inner and outer collection semi-angle of each channel [mrad], ``0 <= inner < outer``.
    detectors : tuple of (str or None), optional
        Detector name of each channel.
    camera_length_mm : float, optional
        Camera length as the microscope reports it [mm].
    probe_current_pa : float, optional
        Probe current [pA].
    dose_e_per_A2 : float, optional
        Electron dose [e/Å²].
    dwell_us : float, optional
        Dwell time for one pixel [µs].
    working_distance_mm : float, optional
        Working distance of a scanning electron microscope [mm].
    magnification : float, optional
        Magnification as the microscope reports it.
    tilt_deg : float, optional
        Tilt of the stage [°].
    date : str, optional
        Acquisition date and, where known, time, ISO 8601.
    sample : str, optional
        Free-form note on the sample.
    notes : tuple of str
        Doubts: which recorded values were not believed, and why.
    origins : mapping of str to Origin
        Where each known field comes from. Exactly the known fields must be named.
    origin : Origin, optional
        Shorthand for ``origins`` where all known fields come from one place. Not kept.

    Raises
    ------
    ContextError
        A value is out of its range, or a known field has no origin.

    Examples
    --------
    >>> context = Context(host="WSe2", energy_kev=80.0, origin="user")
    >>> context.origins["energy_kev"], context.convergence_mrad
    ('user', None)
    """

    technique: str | None = None
    host: str | None = None
    dopants: tuple[str, ...] | None = None
    energy_kev: float | None = None
    convergence_mrad: float | None = None
    collection_mrad: tuple[Angles | None, ...] | None = None
    detectors: tuple[str | None, ...] | None = None
    camera_length_mm: float | None = None
    probe_current_pa: float | None = None
    dose_e_per_A2: float | None = None  # noqa: N815 - the unit's own spelling
    dwell_us: float | None = None
    working_distance_mm: float | None = None
    magnification: float | None = None
    tilt_deg: float | None = None
    date: str | None = None
    sample: str | None = None
    notes: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    origin: InitVar[Origin | None] = None

    def __post_init__(self, origin: Origin | None) -> None:
        origins = self.origins if origin is None else dict.fromkeys(self.known(), origin)
        object.__setattr__(self, "origins", MappingProxyType(dict(origins)))
        for name, (low, high, unit) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise ContextError(
                    f"{name} is {value:g} {unit}; accepted is {low:g} to {high:g} {unit}, or leave it out if unknown"
                )
        for angles in self.collection_mrad or ():
            if angles is not None and not (0 <= angles[0] < angles[1] <= 1600):
                raise ContextError(
                    f"collection angles are {angles[0]:g} to {angles[1]:g} mrad; "
                    "accepted is 0 <= inner < outer <= 1600 mrad, given as INNER OUTER"
                )
        known = set(self.known())
        if known != set(self.origins):
            stray = ", ".join(sorted(known ^ set(self.origins)))
            raise ContextError(f"each known field needs an origin, and only those: check {stray}")
        if bad := set(self.origins.values()) - set(ORIGINS):
            raise ContextError(f"origin is {sorted(bad)[0]!r}; accepted is one of {', '.join(ORIGINS)}")

    def known(self) -> dict[str, Any]:
        """Return the known fields and their values, in the order of definition."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("notes", "origins") and getattr(self, f.name) is not None
        }

    def updated(self, other: Context) -> Context:
        """Return this context with the known fields of ``other`` laid over it; notes add up.

        Examples
        --------
        >>> told = Context(energy_kev=60.0, origin="user")
        >>> Context(energy_kev=80.0, sample="S1", origin="file").updated(told).energy_kev
        60.0
        """
        changes = other.known()
        notes = self.notes + tuple(n for n in other.notes if n not in self.notes)
        return replace(self, **changes, notes=notes, origins={**self.origins, **other.origins})
