"""The context as a reader sees it: titles, units, and one row a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from micrographia.context import Context
from micrographia.micrograph import Micrograph

FIELDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "technique": ("Technique", ""),
        "host": ("Host", ""),
        "dopants": ("Dopants considered", ""),
        "energy_kev": ("Beam energy", "keV"),
        "convergence_mrad": ("Convergence semi-angle", "mrad"),
        "collection_mrad": ("Collection semi-angles", "mrad"),
        "detectors": ("Detector", ""),
        "camera_length_mm": ("Camera length", "mm"),
        "probe_current_pa": ("Probe current", "pA"),
        "dose_e_per_A2": ("Dose", "e/Å²"),
        "dwell_us": ("Dwell time", "µs"),
        "working_distance_mm": ("Working distance", "mm"),
        "magnification": ("Magnification", "×"),
        "tilt_deg": ("Tilt", "°"),
        "date": ("Date", ""),
        "sample": ("Sample", ""),
    }
)
"""Title and unit of each field of a context."""

DECISIVE: Final = ("host", "dopants", "energy_kev", "convergence_mrad", "collection_mrad", "dose_e_per_A2")
"""Fields whose absence matters to a decision about atomic sites."""

_PER_CHANNEL: Final = ("collection_mrad", "detectors")


@dataclass(frozen=True, kw_only=True)
class ContextRow:
    """One value of the context: ``name`` as a `Marginal` would call it, and None for what is unknown."""

    name: str
    title: str
    value: str | None
    unit: str
    origin: str | None


def context_rows(micrograph: Micrograph, *, always: Collection[str] = DECISIVE) -> tuple[ContextRow, ...]:
    """Return the pixel size and the context, one row a value, in the order of definition.

    Parameters
    ----------
    micrograph : Micrograph
        Whose context.
    always : collection of str
        Fields that have a row even when they are unknown.
    """
    context, size = micrograph.context, micrograph.pixel_size_nm
    rows = [
        ContextRow(
            name="pixel_size_nm",
            title="Pixel size",
            value=None if size is None else f"{size:.4g}",
            unit="nm",
            origin=None if size is None else micrograph.pixel_size_origin,
        )
    ]
    for name in FIELDS:
        if name in _PER_CHANNEL:
            rows += _channel_rows(context, name, len(micrograph.frames), always)
        elif getattr(context, name) is not None or name in always:
            rows.append(_row(context, name, getattr(context, name)))
    return tuple(rows)


def field_title(name: str) -> tuple[str, str]:
    """Return title and unit of a field, of one channel of it, or of a quantity that is no field.

    Examples
    --------
    >>> field_title("collection_mrad[1]")  # counted from 0 in data and from 1 for people
    ('Collection semi-angles, channel 2', 'mrad')
    """
    stem, _, channel = name.partition("[")
    title, unit = FIELDS.get(stem, (stem.replace("_", " ").capitalize(), ""))
    return (f"{title}, channel {int(channel.rstrip(']')) + 1}" if channel else title), unit


def _row(context: Context, name: str, value: object, *, channel: str = "") -> ContextRow:
    title, unit = field_title(name + channel)
    return ContextRow(
        name=name + channel,
        title=title,
        value=None if value is None else _text(value),
        unit=unit,
        origin=None if value is None else context.origins.get(name),
    )


def _channel_rows(context: Context, name: str, channels: int, always: Collection[str]) -> list[ContextRow]:
    values = getattr(context, name)
    if values is None and name not in always:
        return []
    entries = values or (None,) * channels
    return [
        _row(context, name, value, channel=f"[{k}]" if channels > 1 else "")
        for k, value in enumerate(entries)
        if value is not None or name in always
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value):
        return f"{value[0]:g}–{value[1]:g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
