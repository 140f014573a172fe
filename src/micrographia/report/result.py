"""``result.json`` of `defects`: the model that it follows, and the published schema."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeFloat, NonNegativeInt

from micrographia.findings import LABELS, SUBLATTICE, DefectFindings
from micrographia.report.records import (
    ContextResult,
    Part,
    ScanResult,
    context_result,
    read_schema,
    scan_result,
    schema_of,
    versions,
)
from micrographia.report.words import sublattice_sizes

Interval = tuple[NonNegativeFloat, NonNegativeFloat]
Three = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class LabelResult(Part):
    """How much there is of one label."""

    label: str
    meaning: str
    sublattice: Literal["M", "X"]
    count: NonNegativeInt = Field(description="Sites whose most probable label it is")
    expected_count: NonNegativeFloat = Field(description="Sum of its probability over all sites")
    count_interval_95: Interval
    density_per_nm2: NonNegativeFloat | None
    density_interval_95_per_nm2: Interval | None


class MarginalResult(Part):
    """What the data said about one unknown quantity."""

    name: str
    unit: str
    mean: FiniteFloat
    standard_deviation: NonNegativeFloat
    values: tuple[FiniteFloat, ...]
    weights: tuple[NonNegativeFloat, ...]


class LatticeResult(Part):
    """The lattice that was found, against the host's and the header's."""

    spacings_px: Three
    spacings_sd_px: Three
    directions_deg: Three
    distortion_rms_px: NonNegativeFloat
    host_lattice_constant_nm: FiniteFloat
    pixel_size_nm: FiniteFloat
    pixel_size_sd_nm: NonNegativeFloat
    header_pixel_size_nm: FiniteFloat | None
    header_excess: FiniteFloat | None = Field(description="Header's pixel size over the lattice's, minus 1")


class DefectsResult(Part):
    """What is at every atomic site of a scan: the summary beside sites.csv."""

    schema_: Literal["micrographia/defects/1"] = Field(alias="schema")
    scan: ScanResult
    method: str
    settings: dict[str, JsonValue]
    sites: dict[Literal["M", "X"], NonNegativeInt] = Field(description="Number of sites of each sublattice")
    labels: tuple[LabelResult, ...]
    least_certain: tuple[NonNegativeInt, ...] = Field(description="Rows of sites.csv, first row 0, most doubtful first")
    context: ContextResult
    marginals: tuple[MarginalResult, ...]
    lattice: LatticeResult
    remarks: tuple[str, ...]
    software: dict[str, str] = Field(description="Version of each package that the result rests on")


def defects_result(findings: DefectFindings) -> DefectsResult:
    """Return the summary of findings, ready to be written as JSON.

    Parameters
    ----------
    findings : DefectFindings
        What was found.

    Returns
    -------
    DefectsResult
        Counts, densities [nm^-2], context, marginals, lattice check, settings and versions.
    """
    lattice = findings.lattice
    return DefectsResult(
        schema="micrographia/defects/1",
        scan=scan_result(findings.micrograph),
        method=findings.method,
        settings=json.loads(json.dumps(dict(findings.settings))),
        sites={"M": sublattice_sizes(findings)["M"], "X": sublattice_sizes(findings)["X"]},
        labels=tuple(
            LabelResult(
                label=f.label,
                meaning=LABELS[f.label],
                sublattice="M" if SUBLATTICE[f.label] == "M" else "X",
                count=int(f.count),
                expected_count=f.expected_count,
                count_interval_95=f.count_interval,
                density_per_nm2=f.density_per_nm2,
                density_interval_95_per_nm2=f.density_interval_per_nm2,
            )
            for f in findings.findings
        ),
        least_certain=tuple(int(s) for s in findings.least_certain),
        context=context_result(findings.micrograph.context),
        marginals=tuple(
            MarginalResult(
                name=m.name,
                unit=m.unit,
                mean=m.mean,
                standard_deviation=m.standard_deviation,
                values=tuple(m.values),
                weights=tuple(m.weights),
            )
            for m in findings.marginals
        ),
        lattice=LatticeResult(
            spacings_px=lattice.spacings_px,
            spacings_sd_px=lattice.spacings_sd_px,
            directions_deg=lattice.directions_deg,
            distortion_rms_px=lattice.distortion_rms_px,
            host_lattice_constant_nm=lattice.host_lattice_constant_nm,
            pixel_size_nm=lattice.pixel_size_nm,
            pixel_size_sd_nm=lattice.pixel_size_sd_nm,
            header_pixel_size_nm=lattice.header_pixel_size_nm,
            header_excess=lattice.header_excess,
        ),
        remarks=findings.remarks,
        software=versions(),
    )


def generated_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``result.json``, made from the model."""
    return schema_of(DefectsResult, "micrographia/defects/1")


def published_schema() -> dict[str, Any]:
    """Return the JSON Schema that this version publishes.

    Examples
    --------
    >>> published_schema()["$id"]
    'micrographia/defects/1'
    """
    return read_schema("defects-1.json")
