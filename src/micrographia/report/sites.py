"""Site tables on disk: ``sites.csv`` and ``sites.parquet``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from micrographia.errors import ReadError
from micrographia.findings import SiteTable

_BEFORE: Final = ("x_px", "y_px", "sublattice", "label")
_AFTER: Final = ("entropy_nats", "residual")


def column_names(sites: SiteTable) -> tuple[str, ...]:
    """Return the columns of a site table on disk, in order."""
    return (*_BEFORE, *(f"p_{label}" for label in sites.labels), *_AFTER)


def write_sites(sites: SiteTable, csv_path: Path, parquet_path: Path) -> None:
    """Write a site table as CSV, nine significant digits for probabilities, and as Parquet, exactly.

    Parameters
    ----------
    sites : SiteTable
        What to write; rows keep their order.
    csv_path, parquet_path : Path
        Files to write.
    """
    label, entropy = sites.label, sites.entropy_nats + 0.0  # + 0.0 turns -0 into 0
    with csv_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column_names(sites))
        for row in range(len(sites)):
            writer.writerow(
                (
                    f"{sites.x_px[row]:.4f}",
                    f"{sites.y_px[row]:.4f}",
                    sites.sublattice[row],
                    label[row],
                    *(f"{p:.9g}" for p in sites.posterior[row]),
                    f"{entropy[row]:.6f}",
                    f"{sites.residual[row]:.4f}",
                )
            )
    columns = {
        "x_px": pa.array(sites.x_px, pa.float64()),
        "y_px": pa.array(sites.y_px, pa.float64()),
        "sublattice": pa.array(sites.sublattice.tolist(), pa.string()),
        "label": pa.array(label.tolist(), pa.string()),
        **{f"p_{name}": pa.array(sites.posterior[:, k], pa.float64()) for k, name in enumerate(sites.labels)},
        "entropy_nats": pa.array(entropy, pa.float64()),
        "residual": pa.array(sites.residual, pa.float64()),
    }
    pq.write_table(pa.table(columns), parquet_path)


def read_sites(path: Path) -> SiteTable:
    """Read a ``sites.csv`` that `write_sites` wrote.

    Parameters
    ----------
    path : Path
        The CSV file.

    Returns
    -------
    SiteTable
        The same posterior to better than 1e-6.

    Raises
    ------
    ReadError
        The file is missing, a column is missing, or a value is not a number.

    Examples
    --------
    >>> import tempfile
    >>> sites = SiteTable(x_px=np.array([3.0]), y_px=np.array([4.0]), sublattice=np.array(["M"]),
    ...                   labels=("M", "V_M"), posterior=np.array([[0.75, 0.25]]), residual=np.array([1.0]))
    >>> with tempfile.TemporaryDirectory() as home:
    ...     write_sites(sites, Path(home) / "sites.csv", Path(home) / "sites.parquet")
    ...     read_sites(Path(home) / "sites.csv").posterior
    array([[0.75, 0.25]])
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read the site table {path}: {error}") from error
    header = rows[0] if rows else []
    if missing := [name for name in (*_BEFORE, *_AFTER) if name not in header]:
        raise ReadError(f"{path} has no column {missing[0]}; accepted is a sites.csv that `micrographia defects` wrote")
    labels = tuple(name.removeprefix("p_") for name in header if name.startswith("p_"))
    column = {name: [row[k] for row in rows[1:]] for k, name in enumerate(header)}
    try:
        numbers = {
            name: np.array(column[name], dtype=float)
            for name in ("x_px", "y_px", "residual", *(f"p_{label}" for label in labels))
        }
    except ValueError as error:
        raise ReadError(f"{path} has a value that is not a number: {error}") from error
    posterior = np.stack([numbers[f"p_{label}"] for label in labels], axis=1)
    return SiteTable(
        x_px=numbers["x_px"],
        y_px=numbers["y_px"],
        sublattice=np.array(column["sublattice"], dtype=str),
        labels=labels,
        posterior=posterior,
        residual=numbers["residual"],
    )
