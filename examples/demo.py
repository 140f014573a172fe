"""The main job on a real pair of scans where they can be had, else on a simulated one.

Run:  python examples/demo.py [--out demo-out]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from micrographia.errors import ReadError
from micrographia.read.samples import sample_path

CONTEXT = Path(__file__).with_name("wse2-ti.yaml")


def micrographia(*arguments: str | Path) -> None:
    """Run the command line, showing what is run."""
    words = [str(a) for a in arguments]
    print("$ micrographia " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-c", "from micrographia.cli import main; main()", *words], check=True)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    out = parser.parse_args().out
    try:
        folder = sample_path("stem-wse2-ti-field25")
    except ReadError as error:
        print(f"The real sample is not to be had ({error}).\nThis demo therefore runs on a SIMULATED scan instead.")
        out.mkdir(parents=True, exist_ok=True)
        scan = out / "simulated.hspy"
        micrographia(
            *("simulate", "scan", "--host", "WSe2", "--dopant", "Ti", "--defect", "V_X=0.03", "--defect", "D_M=0.01"),
            *(
                "--size-nm",
                "12",
                "12",
                "--energy-kev",
                "80",
                "--convergence-mrad",
                "30",
                "--collection-mrad",
                "70",
                "200",
            ),
            *("--collection-mrad", "40", "100", "--pixel-size-nm", "0.03", "--source-size-nm", "0.05"),
            *("--dose", "3e5", "--seed", "1", "--out", scan),
        )
        micrographia("analyse", scan, "--out", out)
    else:
        print("A real pair of scans of Ti-doped WSe2, recorded by two detectors at the same time.")
        micrographia(
            *("analyse", folder / "adf1.dm4", folder / "adf2.dm4", "--channels"),
            *("--context", CONTEXT, "--out", out),
        )
    print(f"\nOpen {(out / 'report.html').resolve()}")


if __name__ == "__main__":
    main()
