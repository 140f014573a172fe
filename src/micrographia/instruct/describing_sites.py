"""A description of a scan whose atomic sites were decided: what the decision does not say, and nothing against it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.findings import DefectFindings, LatticeCheck
from micrographia.instruct.describing import Sentence, describe_subject, subject_of

TOLD: Final = ("spacing", "regularity", "contrast", "signal to noise", "noise")
"""What is told, in this order.

Edges, scales and objects of an image of atoms are the atoms, and how many cells differ is decided site by site.
"""
_FAMILIES: Final = {1: "{10}", 3: "{11}", 4: "{20}", 7: "{21}"}
"""Rows of a hexagonal lattice by h² + hk + k²."""
_LIKE: Final = 0.06


def describe_sites(findings: DefectFindings) -> tuple[Sentence, ...]:
    """Describe the first channel of a scan by its lattice and the quality of the image.

    Lengths are by the pixel size that the findings use, which is the one of the lattice unless the user gave one. Its
    uncertainty is part of theirs, and what was measured says what the recorded pixel size would make of them.

    Parameters
    ----------
    findings : DefectFindings
        What was found, with the scan.

    Raises
    ------
    InputError
        All pixels are equal, or the scan is smaller than 32 x 32 px.

    Examples
    --------
    >>> TOLD[0]
    'spacing'
    """
    subject = subject_of(findings.micrograph)
    cues = tuple(_held_against(cue, findings) if cue.name == "spacing" else cue for cue in subject.cues)
    return describe_subject(replace(subject, cues=cues), about=TOLD)


def _held_against(spacing: Cue, findings: DefectFindings) -> Cue:
    """Return the strongest repeat with the doubt of the pixel size, and in words what it is of the lattice."""
    size, lattice = findings.micrograph.pixel_size_nm, findings.lattice
    if spacing.value is None:
        return spacing
    words = [spacing.sentence, rows_words(spacing.value / (size if size else 1.0), lattice)]
    if size is None:
        return replace(spacing, sentence=" ".join(filter(None, words)))
    by_lattice = findings.micrograph.pixel_size_origin == "inferred"
    relative = lattice.pixel_size_sd_nm / lattice.pixel_size_nm if by_lattice else 0.0
    if by_lattice:
        words.append(
            f"In nm by the pixel size of the lattice, {lattice.pixel_size_nm:.5f} ± {lattice.pixel_size_sd_nm:.5f} nm, "
            "so it is no measurement of the lattice constant."
        )
        if lattice.header_pixel_size_nm is not None:
            words.append(f"The recorded pixel size would make it {_at(spacing, size, lattice.header_pixel_size_nm)}.")
    else:
        words.append(
            f"In nm by the pixel size given, {size:.5g} nm, whose own error is left out; that of the lattice would "
            f"make it {_at(spacing, size, lattice.pixel_size_nm)}."
        )
    return replace(
        spacing,
        uncertainty=math.hypot(spacing.uncertainty or 0.0, relative * spacing.value),
        sentence=" ".join(filter(None, words)),
    )


def rows_words(period_px: float, lattice: LatticeCheck) -> str:
    """Return which rows of the lattice repeat with a period [px]; empty where none do within 6 %.

    Examples
    --------
    >>> lattice = LatticeCheck(spacings_px=(8.6, 8.6, 8.6), spacings_sd_px=(0.01, 0.01, 0.01),
    ...                        directions_deg=(0.0, 60.0, 120.0), distortion_rms_px=0.1, host_lattice_constant_nm=0.332,
    ...                        pixel_size_nm=0.0386, pixel_size_sd_nm=0.0001, header_pixel_size_nm=None)
    >>> rows_words(7.42, lattice)
    'These are the {10} rows, which a lattice constant of 8.60 px puts 7.45 px apart.'
    >>> rows_words(20.0, lattice)
    ''
    """
    constant = sum(lattice.spacings_px) / 3
    for order, family in _FAMILIES.items():
        expected = constant * math.sqrt(3 / order) / 2
        if abs(period_px / expected - 1) < _LIKE:
            rows = f"These are the {family} rows"
            return f"{rows}, which a lattice constant of {constant:.2f} px puts {expected:.2f} px apart."
    return ""


def _at(spacing: Cue, size: float, other: float) -> str:
    return f"{(spacing.value or 0.0) / size * other:.4f} nm"
