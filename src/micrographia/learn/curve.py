"""How a training went: losses, and what was measured now and then, in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor


class Curve:
    """Losses, as means over stretches of steps, and what was measured on images held back, in a CSV file.

    Parameters
    ----------
    path : Path
        The file.
    done : int
        Steps that were made before; later rows of the file are forgotten.
    losses : sequence of str
        Names of the losses there may be.
    measured : str
        What is measured now and then, with its unit.
    """

    def __init__(self, path: Path, done: int, *, losses: Sequence[str], measured: str) -> None:
        self.path = path
        self.names = tuple(losses)
        self.measured = measured
        self.rows: list[dict[str, str]] = []
        self.looked: dict[int, float] = {}
        if done and path.is_file():
            with path.open(encoding="utf-8") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= done]
            self.looked = {int(r["step"]): float(r[self.measured]) for r in self.rows if r[self.measured]}
        self._losses: list[dict[str, Tensor]] = []

    def add(self, losses: dict[str, Tensor]) -> None:
        """Add a step."""
        self._losses.append({name: loss.detach() for name, loss in losses.items()})

    def close_row(self, step: int) -> None:
        """End a stretch."""
        row = {"step": str(step)}
        for name in self.names:
            values = [float(losses[name]) for losses in self._losses if name in losses]
            row[name] = f"{sum(values) / len(values):.5f}" if values else ""
        row[self.measured] = f"{self.looked[step]:.5f}" if step in self.looked else ""
        self.rows.append(row)
        self._losses = []

    def line(self) -> str:
        """Return the last row in words."""
        if not self.rows:
            return ""
        return ", ".join(f"{name} {value}" for name, value in self.rows[-1].items() if value and name != "step")

    def write(self) -> None:
        """Write the file, beside and then in place of the last."""
        beside = self.path.with_suffix(".part")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ("step", *self.names, self.measured))
            writer.writeheader()
            writer.writerows(self.rows)
        beside.replace(self.path)
