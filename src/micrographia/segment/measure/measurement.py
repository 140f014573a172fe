"""What a measurement is, and the unit that it is given in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number that a laboratory reports, with all that is needed to trust it.

    Parameters
    ----------
    name : str
        What was measured, e.g. ``"area fraction"``.
    of : str
        Name of the class, or of the objects, that it was measured on.
    value : float, optional
        Its value; None where it was looked for and cannot be told, for which ``note`` gives the reason.
    unit : str
        Unit of ``value``, ``low`` and ``high``: as `Scale` gives it, ``"%"``, ``"°"``, or empty.
    low, high : float, optional
        Ends of the 95 % confidence interval; None where nothing can be said of it.
    count : int
        Number of fields, objects, lines or points that it rests on.
    counted : str
        What ``count`` counts, in the plural, e.g. ``"fields"``.
    method : str
        How it was measured, in a sentence.
    clause : str
        Standard and clause that describe the method, e.g. ``"ASTM E562"``; empty where there is none.
    note : str
        What a reader must know before relying on it; empty where there is nothing.

    Raises
    ------
    InputError
        A number is not finite, the interval does not hold the value, or a missing value comes without a reason.

    Examples
    --------
    >>> found = Measurement(name="area fraction", of="oxide", value=22.1, unit="%", low=20.0, high=24.2, count=8,
    ...                     counted="fields", method="Pixels of the class over all pixels.", clause="ASTM E1245")
    >>> found.half_width
    2.1
    """

    name: str
    of: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    count: int
    counted: str
    method: str
    clause: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        numbers = [v for v in (self.value, self.low, self.high) if v is not None]
        if not all(math.isfinite(v) for v in numbers):
            raise InputError(f"{self.name} of {self.of} is {numbers}; accepted are finite numbers, or None")
        if self.value is None and not self.note:
            raise InputError(f"{self.name} of {self.of} has no value and no note; say why it cannot be told")
        if (self.low is None) != (self.high is None) or (self.value is None and self.low is not None):
            raise InputError(f"{self.name} of {self.of} has half an interval; accepted is both ends, or neither")
        if self.value is not None and self.low is not None and self.high is not None:
            slack = 1e-9 * max(abs(self.low), abs(self.high), 1e-12)
            if not self.low - slack <= self.value <= self.high + slack:
                raise InputError(f"{self.name} of {self.of} is {self.value}, outside of {self.low} to {self.high}")

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval, in ``unit``; None without an interval."""
        return None if self.low is None or self.high is None else round((self.high - self.low) / 2, 12)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Turns pixels into micrometres where the pixel size is known, and leaves them where it is not.

    Parameters
    ----------
    pixel_size_nm : float, optional
        Edge of a square pixel [nm], positive. None when unknown.

    Raises
    ------
    InputError
        The pixel size is not positive.

    Examples
    --------
    >>> Scale(pixel_size_nm=250.0).length(8.0), Scale(pixel_size_nm=None).length(8.0)
    ((2.0, 'µm'), (8.0, 'px'))
    """

    pixel_size_nm: float | None

    def __post_init__(self) -> None:
        if self.pixel_size_nm is not None and not (self.pixel_size_nm > 0 and math.isfinite(self.pixel_size_nm)):
            raise InputError(f"pixel size is {self.pixel_size_nm} nm; accepted is a positive number, or None")

    @property
    def known(self) -> bool:
        """Whether the pixel size is known."""
        return self.pixel_size_nm is not None

    @property
    def um_per_px(self) -> float:
        """Edge of a pixel [µm]; 1 where it is unknown, so that lengths stay in pixels."""
        return 1.0 if self.pixel_size_nm is None else self.pixel_size_nm / 1e3

    @property
    def length_unit(self) -> str:
        """Unit of a length: ``"µm"`` or ``"px"``."""
        return "µm" if self.known else "px"

    @property
    def area_unit(self) -> str:
        """Unit of an area: ``"µm²"`` or ``"px²"``."""
        return f"{self.length_unit}²"

    @property
    def density_unit(self) -> str:
        """Unit of a number per area: ``"1/mm²"`` or ``"1/px²"``."""
        return "1/mm²" if self.known else "1/px²"

    def length(self, length_px: float) -> tuple[float, str]:
        """Return a length and its unit."""
        return length_px * self.um_per_px, self.length_unit

    def area(self, area_px: float) -> tuple[float, str]:
        """Return an area and its unit."""
        return area_px * self.um_per_px**2, self.area_unit

    def density(self, per_px2: float) -> tuple[float, str]:
        """Return a number per area and its unit."""
        return (per_px2 / self.um_per_px**2 * 1e6 if self.known else per_px2), self.density_unit
