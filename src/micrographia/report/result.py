"""``result.json`` of `defects`: the model that it follows, and the published schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeFloat, NonNegativeInt

from micrographia.findings import LABELS, SUBLATTICE, DefectFindings, Opinions
from micrographia.instruct.describing import Sentence
from micrographia.report.agreement import agreement, set_sizes
from micrographia.report.description_result import DescriptionResult, description_result
from micrographia.report.fields import field_title
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
Fraction = Annotated[float, Field(ge=0, le=1)]
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


class AgreementResult(Part):
    """How far both methods' most probable labels agree, over all sites."""

    fraction: Fraction | None = Field(description="Of sites with one label from both; null without sites")
    kappa: FiniteFloat | None = Field(description="Cohen's; null where both give one label to every site")


class SetSizesResult(Part):
    """Number of sites whose label set holds so many labels."""

    one: NonNegativeInt
    several: NonNegativeInt
    none: NonNegativeInt


class InformationResult(Part):
    """What it would be worth to know a quantity that nobody recorded."""

    name: str = Field(description="Field of the context, [k] for channel k, the first being 0")
    unit: str = Field(description="Of the quantity; empty where it has none")
    entropy_nats: NonNegativeFloat = Field(description="Mean entropy of the doubtful sites as it is")
    reduction_nats: FiniteFloat = Field(description="By how much it is expected to fall once the quantity is known")
    reduction_sd_nats: NonNegativeFloat = Field(description="Standard error of the reduction")


class OpinionsResult(Part):
    """Physics and network side by side: the summary beside opinions.csv."""

    coverage: Fraction = Field(description="Fraction of simulated sites whose label set holds the truth")
    agreement: AgreementResult
    disagreements: NonNegativeInt = Field(description="Sites whose most probable label differs between the methods")
    disagreement_rows: tuple[NonNegativeInt, ...] = Field(
        description="Rows of sites.csv, first row 0, most striking first"
    )
    set_sizes: SetSizesResult
    unfamiliar: NonNegativeInt = Field(description="Sites with a familiarity below least_familiarity")
    least_familiarity: Fraction
    information: tuple[InformationResult, ...] = Field(description="The most valuable first")


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
    opinions: OpinionsResult | None = Field(
        default=None, description="Left out of the file where only one method was asked"
    )
    description: DescriptionResult | None = Field(
        default=None, description="The first channel in words; left out of the file where it was not described"
    )


def defects_result(findings: DefectFindings, *, described: Sequence[Sentence] = ()) -> DefectsResult:
    """Return the summary of findings, ready to be written as JSON.

    Parameters
    ----------
    findings : DefectFindings
        What was found.
    described : sequence of Sentence
        The scan in words.

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
        opinions=None if findings.opinions is None else _opinions_result(findings.sites.labels, findings.opinions),
        description=description_result(described) if described else None,
    )


def _opinions_result(labels: tuple[str, ...], opinions: Opinions) -> OpinionsResult:
    compared = agreement(labels, opinions)
    one, several, none = set_sizes(opinions)
    return OpinionsResult(
        coverage=opinions.coverage,
        agreement=AgreementResult(fraction=compared.fraction, kappa=compared.kappa),
        disagreements=len(opinions.disagreements),
        disagreement_rows=tuple(int(row) for row in opinions.disagreements),
        set_sizes=SetSizesResult(one=one, several=several, none=none),
        unfamiliar=int(opinions.unfamiliar.sum()),
        least_familiarity=opinions.least_familiarity,
        information=tuple(
            InformationResult(
                name=i.name,
                unit=field_title(i.name)[1],
                entropy_nats=i.entropy_nats,
                reduction_nats=i.reduction_nats,
                reduction_sd_nats=i.reduction_sd_nats,
            )
            for i in opinions.information
        ),
    )


def result_json(result: DefectsResult) -> str:
    """Return the text of ``result.json``; without ``opinions`` and ``description`` where there are none."""
    left_out = {name for name in ("opinions", "description") if getattr(result, name) is None}
    return result.model_dump_json(indent=2, exclude=left_out) + "\n"


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
