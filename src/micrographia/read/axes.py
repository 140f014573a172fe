"""From a parsed signal to images: which axes are an image's, how large a pixel is, what is a stack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from micrographia.context import Context
from micrographia.read.entry import Kind, Recorded
from micrographia.read.parse import Signal
from micrographia.read.plausible import number

_NM: Final[Mapping[str, float]] = {
    "pm": 1e-3,
    "å": 0.1,
    "a": 0.1,
    "angstrom": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "µm": 1e3,
    "um": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "meter": 1e9,
    "meters": 1e9,
}
_SQUARE_WITHIN = 0.01


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the axes of an image say.

    Parameters
    ----------
    pixel_size_nm : float, optional
        Edge of a square pixel [nm].
    reciprocal : bool
        The axes are spatial frequencies or angles: a diffraction pattern.
    notes : tuple of str
        Why a recorded size is not used.
    """

    pixel_size_nm: float | None
    reciprocal: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One image's pixels within a signal: its name, kind, and the two axes.

    Parameters
    ----------
    name, kind : str
        As in `micrographia.read.entry.ImageEntry`.
    pixels : array (height, width)
        Intensities.
    calibration : Calibration
        What its axes say.
    notes : tuple of str
        What was done to the pixels.
    """

    name: str
    kind: Kind
    pixels: np.ndarray
    calibration: Calibration
    notes: tuple[str, ...] = ()


def nanometres(unit: Any) -> float | None:
    """Return how many nanometres a unit of length is, or None for anything else.

    Examples
    --------
    >>> nanometres("µm"), nanometres("A"), nanometres("px"), nanometres(None)
    (1000.0, 0.1, None, None)
    """
    if not isinstance(unit, str):
        return None
    return _NM.get(unit.strip().replace("\N{GREEK SMALL LETTER MU}", "µ").lower())


def is_reciprocal(unit: Any) -> bool:
    """Tell whether a unit is one of spatial frequency or angle.

    Examples
    --------
    >>> is_reciprocal("1/nm"), is_reciprocal("mrad"), is_reciprocal("nm")
    (True, True, False)
    """
    if not isinstance(unit, str):
        return False
    plain = unit.replace(" ", "").lower()
    return plain.startswith("1/") or plain.endswith(("^-1", "-1", "mrad")) or plain in ("rad", "deg")


def calibrate(y: Mapping[str, Any], x: Mapping[str, Any]) -> Calibration:
    """Return the pixel size of an image from its two axes.

    Parameters
    ----------
    y, x : mapping
        Axes as RosettaSciIO gives them: ``scale`` and ``units``.

    Returns
    -------
    Calibration
        Without a pixel size where the axes have no unit of length, where they are reciprocal, or where the
        pixels are more than 1 % from square.

    Examples
    --------
    >>> axis = {"scale": 0.25, "units": "Å"}
    >>> calibrate(axis, axis).pixel_size_nm
    0.025
    """
    if is_reciprocal(x.get("units")) or is_reciprocal(y.get("units")):
        scale = number(x.get("scale"))
        step = f" of {scale:.4g} {x.get('units')}" if scale is not None else ""
        return Calibration(
            pixel_size_nm=None,
            reciprocal=True,
            notes=(f"pixels{step} are reciprocal: a diffraction pattern, without a pixel size in nm",),
        )
    sizes = []
    for axis in (y, x):
        scale, factor = number(axis.get("scale")), nanometres(axis.get("units"))
        sizes.append(None if scale is None or factor is None else float(f"{abs(scale) * factor:.12g}"))
    height, width = sizes
    if height is None or width is None:
        return Calibration(pixel_size_nm=None, reciprocal=False)
    if not (height > 0 and width > 0 and math.isfinite(height * width)):
        note = f"pixel size is recorded as {width:g} nm: not believed, left unknown"
        return Calibration(pixel_size_nm=None, reciprocal=False, notes=(note,))
    if abs(height - width) > _SQUARE_WITHIN * min(height, width):
        note = f"pixels are recorded as {width:.5g} nm wide and {height:.5g} nm high: not square, size left unknown"
        return Calibration(pixel_size_nm=None, reciprocal=False, notes=(note,))
    size = width if height == width else float(f"{(height + width) / 2:.12g}")
    return Calibration(pixel_size_nm=size, reciprocal=False)


def luminance(pixels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Collapse colour to one intensity, with a note unless the channels are equal.

    Parameters
    ----------
    pixels : array (..., height, width), or with named fields R, G, B and perhaps A
        Colour as RosettaSciIO gives it.

    Returns
    -------
    pixels : array (..., height, width)
        Unchanged where there is no colour; else ITU-R BT.601 luminance, float64, or one of equal channels.
    notes : tuple of str
        What was done.
    """
    if pixels.dtype.names is None:
        return pixels, ()
    red, green, blue = (pixels[name] for name in ("R", "G", "B"))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red, ()
    return 0.299 * red + 0.587 * green + 0.114 * blue, ("colour image: its luminance is used as the intensity",)


def _is_image_axis(axis: Mapping[str, Any]) -> bool:
    unit, name = str(axis.get("units") or ""), str(axis.get("name") or "").lower()
    return unit not in ("eV", "keV", "s", "Hz") and "energy" not in name and axis.get("navigate") is not True


def planes(signal: Signal, *, name: str) -> tuple[Plane, ...]:
    """Return the images of a signal: itself, the frames of a stack, or nothing where it is no image.

    Parameters
    ----------
    signal : mapping
        As RosettaSciIO gives it.
    name : str
        Name of the signal; frames of a stack append their number.

    Returns
    -------
    tuple of Plane
        Empty for spectra, profiles and complex-valued data.
    """
    data, axes = signal["data"], list(signal["axes"])
    if not isinstance(data, np.ndarray) or data.ndim < 2 or data.size == 0 or len(axes) != data.ndim:
        return ()
    if not (_is_image_axis(axes[-1]) and _is_image_axis(axes[-2])):
        return ()
    pixels, notes = luminance(data)
    if pixels.dtype.kind not in "uifb":
        return ()
    calibration = calibrate(axes[-2], axes[-1])
    leading = [k for k, size in enumerate(pixels.shape[:-2]) if size > 1]
    if not leading:
        plane = pixels.reshape(pixels.shape[-2:])
        return (Plane(name=name, kind="image", pixels=plane, calibration=calibration, notes=notes),)
    stack = pixels.reshape(-1, *pixels.shape[-2:])
    return tuple(
        Plane(name=f"{name} frame {k}".strip(), kind="frame", pixels=frame, calibration=calibration, notes=notes)
        for k, frame in enumerate(stack)
    )


def title(signal: Signal, default: str) -> str:
    """Return the title of a signal, or a default where it has none."""
    general = signal["metadata"].get("General", {})
    found = general.get("title")
    return found.strip() if isinstance(found, str) and found.strip() else default


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names in which repeated ones carry their count.

    Examples
    --------
    >>> unique_names(["HAADF", "BF", "HAADF"])
    ['HAADF', 'BF', 'HAADF (2)']
    """
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def recorded(found: Sequence[tuple[Plane, Context, Mapping[str, Any]]]) -> tuple[Recorded, ...]:
    """Return the images that a loader found: planes, the context of each, and the vendor's metadata."""
    names = unique_names([plane.name or "image" for plane, _, _ in found])
    return tuple(
        Recorded(
            name=name,
            kind=plane.kind,
            pixels=plane.pixels,
            pixel_size_nm=plane.calibration.pixel_size_nm,
            context=context,
            raw_metadata=tags,
        )
        for name, (plane, context, tags) in zip(names, found, strict=True)
    )
