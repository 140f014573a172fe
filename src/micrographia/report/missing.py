"""What a micrograph does not say about itself, why that matters, and how to say it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from micrographia.micrograph import Micrograph

# Atoms of a monolayer are some 0.2 nm apart, and two pixels must lie between them.
_ATOMIC_PIXEL_NM: Final = 0.1

_WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pixel_size_nm": "Lengths are in pixels; give --pixel-size-nm.",
        "technique": "How the image was made decides what may be measured on it; say it in a context file, "
        "technique: STEM, TEM or SEM, with --context.",
        "host": "Atomic sites were not classified; if this is an atomic-resolution scan of a monolayer, name it, "
        "for example --host WSe2.",
        "dopants": "Substituents of a certain element are looked for only when it is named; give --dopant.",
        "convergence_mrad": "The size of the probe, and with it the sharpness to expect, cannot be computed; "
        "give --convergence-mrad.",
        "collection_mrad": "How brightness depends on the element cannot be computed; "
        "give --collection-mrad INNER OUTER.",
        "dose_e_per_A2": "Noise cannot be compared with counting statistics; give --dose.",
        "working_distance_mm": "Depth of field cannot be judged; say it in a context file, with --context.",
    }
)
_ENERGY: Final[Mapping[str | None, str]] = MappingProxyType(
    {
        "SEM": "How deep the signal comes from cannot be judged; give --energy-kev.",
        "TEM": "The wavelength is not known, so neither is the resolution to expect; give --energy-kev.",
        "STEM": "The wavelength is not known, so neither is the probe; give --energy-kev.",
        None: "Wavelength and depth of the signal are not known; give --energy-kev.",
    }
)
_FIELDS: Final[Mapping[str | None, tuple[str, ...]]] = MappingProxyType(
    {
        "SEM": ("energy_kev", "working_distance_mm"),
        "TEM": ("energy_kev", "dose_e_per_A2"),
        "STEM": ("energy_kev", "convergence_mrad", "collection_mrad", "dose_e_per_A2"),
        "diffraction": ("energy_kev",),
        "light": (),
        None: ("technique", "energy_kev"),
    }
)


def missing_context(micrograph: Micrograph) -> dict[str, str]:
    """Return each unknown field that would matter to this kind of micrograph, with why, and how to give it.

    Parameters
    ----------
    micrograph : Micrograph
        What was read.

    Returns
    -------
    dict of str to str
        By field of the context, or ``pixel_size_nm``; a sentence each.

    Examples
    --------
    >>> import numpy as np
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> scan = Micrograph(frames=np.ones((1, 8, 8), dtype=np.float32), pixel_size_nm=2.9,
    ...                   context=Context(technique="SEM", energy_kev=5.0, origin="file"), provenance=source)
    >>> list(missing_context(scan))
    ['working_distance_mm']
    """
    context, size = micrograph.context, micrograph.pixel_size_nm
    technique = context.technique if context.technique in _FIELDS else None
    wanted = list(_FIELDS[technique])
    if technique in (None, "STEM") and (size is None or size <= _ATOMIC_PIXEL_NM):
        wanted = ["host", *(["dopants"] if context.host else []), *wanted]
    if context.technique is not None:
        wanted = [name for name in wanted if name != "technique"]
    found = {"pixel_size_nm": _WHY["pixel_size_nm"]} if size is None and technique != "diffraction" else {}
    for name in wanted:
        value = getattr(context, name)
        if value is None or (name == "collection_mrad" and None in value):
            found[name] = _ENERGY[technique] if name == "energy_kev" else _WHY[name]
    return found
