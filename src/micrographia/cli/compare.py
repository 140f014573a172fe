"""``micrographia compare``: two results held against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from micrographia.atoms.compare import LabelScore, SiteComparison, compare_sites, read_labelled_sites
from micrographia.cli.app import app
from micrographia.errors import InputError

compare = typer.Typer(help="Hold two results against each other.", no_args_is_help=True)
app.add_typer(compare, name="compare")


@compare.callback()
def _group() -> None:
    """Hold two results against each other."""


@compare.command()
def sites(
    tested: Annotated[Path, typer.Argument(metavar="A.csv", help="Table under test, with columns x_px, y_px, label.")],
    reference: Annotated[Path, typer.Argument(metavar="B.csv", help="Reference, with the same columns.")],
    tolerance_px: Annotated[float, typer.Option(help="Largest distance of a pair [px].")] = 2.0,
    within_reference: Annotated[
        bool,
        typer.Option(
            "--within-reference",
            help="Leave out sites of A outside the bounding box of B, for a reference with unlabelled margins.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Match two tables of sites one to one and compare their labels; B is the reference.

    Precision and recall count sites without a partner as wrong. Kappa and the confusion matrix are over matched sites.
    """
    a, b = read_labelled_sites(tested), read_labelled_sites(reference)
    outside = 0
    if within_reference:
        inside = a.within(b)
        outside = len(a) - len(inside)
        a = inside
    if not len(a):
        raise InputError(f"{tested} has no site inside the bounding box of {reference}; do they show the same scan?")
    result = compare_sites(a, b, tolerance_px=tolerance_px)
    if as_json:
        print(json.dumps(_as_json(result, tested, reference, outside, within_reference), indent=2, allow_nan=False))
    else:
        _show(result, outside)


def _as_json(
    result: SiteComparison, tested: Path, reference: Path, outside: int, within_reference: bool
) -> dict[str, Any]:
    return {
        "schema": "micrographia/compare-sites/1",
        "tested": str(tested),
        "reference": str(reference),
        "tolerance_px": result.tolerance_px,
        "within_reference": within_reference,
        "left_out": outside,
        "matched": len(result.pairs),
        "unmatched_tested": len(result.unmatched_a),
        "unmatched_reference": len(result.unmatched_b),
        "median_distance_px": float(np.median(result.distances_px)) if len(result.pairs) else None,
        "mean_offset_px": result.offset_px,
        "kappa": result.kappa,
        "labels": {
            s.label: {
                "tested": s.tested,
                "reference": s.reference,
                "found": s.found,
                "agreed": s.agreed,
                "precision": s.precision,
                "recall": s.recall,
                "f1": s.f1,
                "found_fraction": s.found_fraction,
            }
            for s in result.scores
        },
        "confusion": {
            row: {column: int(result.confusion[i, k]) for k, column in enumerate(result.labels)}
            for i, row in enumerate(result.labels)
        },
    }


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _score_row(score: LabelScore) -> tuple[str, ...]:
    counts = (str(score.tested), str(score.reference))
    return (score.label, *counts, *map(_ratio, (score.found_fraction, score.precision, score.recall, score.f1)))


def _show(result: SiteComparison, outside: int) -> None:
    console = Console(highlight=False)
    scores = Table(title="Labels", title_justify="left")
    for name in ("label", "A", "B", "found", "precision", "recall", "F1"):
        scores.add_column(name, justify="left" if name == "label" else "right")
    for score in result.scores:
        scores.add_row(*_score_row(score))
    confusion = Table(title="Matched sites: rows A, columns B", title_justify="left")
    confusion.add_column("A \\ B")
    for label in result.labels:
        confusion.add_column(label, justify="right")
    for label, row in zip(result.labels, result.confusion, strict=True):
        confusion.add_row(label, *(str(int(v)) for v in row))
    console.print(scores, confusion)
    left_out = f"; {outside} of A outside the reference left out" if outside else ""
    console.print(
        f"{len(result.pairs)} matched within {result.tolerance_px:g} px; without partner: "
        f"{len(result.unmatched_a)} of A, {len(result.unmatched_b)} of B{left_out}"
    )
    if result.offset_px is not None:
        x, y = result.offset_px
        console.print(f"median distance {np.median(result.distances_px):.2f} px, mean of A - B ({x:+.2f}, {y:+.2f}) px")
    console.print(f"Cohen's kappa {_ratio(result.kappa)}")
