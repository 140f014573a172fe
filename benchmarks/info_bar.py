"""What is read from the bars of the sem-nffa pictures, beside their descriptions and what the magnification makes.

The pictures are from microscopes of one make, on which magnification times width of the field is 372 mm: a second route
to the pixel size. A line is drawn in whole pixels: its length cannot be known better than to one of them.

Run:  MICROGRAPHIA_SAMPLES=../shared/data python benchmarks/info_bar.py
"""

from __future__ import annotations

import csv
import os
import re
import time
from pathlib import Path

from micrographia.read import read

PRINT_NM = 372e6


def main() -> None:
    root = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")) / "sem-nffa"
    with (root / "classes.csv").open(encoding="utf-8") as file:
        described = {row["file"]: row["description"] for row in csv.DictReader(file)}
    print("| picture | pixel size / nm | by magnification | apart | a pixel of the line | EHT / kV | described | s |")
    print("|---|---|---|---|---|---|---|---|")
    apart, count = [], 0
    for path in sorted(root.glob("classes/*.jpg")) + sorted(root.glob("sizing/*/*.jpg")):
        start = time.perf_counter()
        found = read(path)
        took_s = time.perf_counter() - start
        context, size_nm = found.context, found.pixel_size_nm
        count += 1
        name = f"{path.parent.name}/{path.name[:8]}"
        if size_nm is None or context.magnification is None:
            print(f"| {name} | not read: {'; '.join(context.notes)} | | | | | | {took_s:.1f} |")
            continue
        by_magnification_nm = PRINT_NM / context.magnification / found.frames.shape[2]
        line_px = next(int(m.group(1)) for n in context.notes if (m := re.search(r"in (\d+) ± 1 px", n)))
        apart.append(abs(size_nm / by_magnification_nm - 1))
        volts = re.search(r"EHT = ([\d.]+) kV", described.get(path.name, ""))
        print(
            f"| {name} | {size_nm:g} | {by_magnification_nm:.4g} | {apart[-1]:.1%} "
            f"| {1 / line_px:.1%} | {context.energy_kev:g} | {volts.group(1) if volts else '–'} | {took_s:.1f} |"
        )
    print(
        f"\n{len(apart)} of {count} read; {sum(a <= 0.01 for a in apart)} within 1 % of the magnification's pixel size."
    )


if __name__ == "__main__":
    main()
