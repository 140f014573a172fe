"""Both methods' opinions on disk: ``opinions.csv`` and ``opinions.parquet``, beside the site table."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from micrographia.findings import Opinions


def column_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of the table on disk, in order.

    Examples
    --------
    >>> column_names(("X2",))
    ('row', 'label_physics', 'label_network', 'p_physics_X2', 'p_network_X2', 'label_set', 'familiarity')
    """
    posteriors = (f"p_{method}_{label}" for method in ("physics", "network") for label in labels)
    return ("row", "label_physics", "label_network", *posteriors, "label_set", "familiarity")


def label_sets(labels: tuple[str, ...], opinions: Opinions) -> tuple[tuple[str, ...], ...]:
    """Return the labels in each site's set, in the order of ``labels``; an empty set stays empty."""
    return tuple(
        tuple(label for label, held in zip(labels, row, strict=True) if held) for row in opinions.label_set.tolist()
    )


def write_opinions(labels: tuple[str, ...], opinions: Opinions, csv_path: Path, parquet_path: Path) -> None:
    """Write both opinions as CSV, nine significant digits for probabilities, and as Parquet, exactly.

    Parameters
    ----------
    labels : tuple of str
        Labels in play: the columns of the posteriors.
    opinions : Opinions
        What to write; row k is row k of the site table.
    csv_path, parquet_path : Path
        Files to write. The labels of a set are joined by ``|``.
    """
    physics = [labels[k] for k in opinions.physics.argmax(axis=1)]
    network = [labels[k] for k in opinions.network.argmax(axis=1)]
    sets = ["|".join(held) for held in label_sets(labels, opinions)]
    with csv_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column_names(labels))
        for row in range(len(sets)):
            writer.writerow(
                (
                    row,
                    physics[row],
                    network[row],
                    *(f"{p:.9g}" for p in opinions.physics[row]),
                    *(f"{p:.9g}" for p in opinions.network[row]),
                    sets[row],
                    f"{opinions.familiarity[row]:.9g}",
                )
            )
    values = (
        pa.array(range(len(sets)), pa.int64()),
        pa.array(physics, pa.string()),
        pa.array(network, pa.string()),
        *(pa.array(column, pa.float64()) for column in opinions.physics.T),
        *(pa.array(column, pa.float64()) for column in opinions.network.T),
        pa.array(sets, pa.string()),
        pa.array(opinions.familiarity, pa.float64()),
    )
    pq.write_table(pa.table(dict(zip(column_names(labels), values, strict=True))), parquet_path)
