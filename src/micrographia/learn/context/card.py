"""The model card that goes with the network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micrographia.atoms.network.trained import read_network


def model_card(weights: Path) -> str:
    """Return the card of trained weights, Markdown.

    Parameters
    ----------
    weights : Path
        From `calibrate`.

    Raises
    ------
    ReadError
        It is no trained context network.
    """
    trained = read_network(weights)
    record = trained.record
    settings, held_out = record["settings"], record["held_out"]
    count = sum(values.numel() for values in trained.network.parameters())
    made = record["made"]
    lines = [
        "# Context network",
        "",
        "What is at an atomic site of a dark-field STEM scan of a 2H-MX2 monolayer, from a canonical patch around it",
        "(three lattice constants, one or several detectors) and the context as far as it is known.",
        "",
        f"- **File**: {weights.name}, {weights.stat().st_size / 1e6:.2f} MB, SHA-256 `{trained.sha256}`",
        f"- **Parameters**: {count:,}, kept in half precision",
        f"- **Made by**: {made['software']}, commit `{made['commit']}`, kernels {made['kernels']}",
        f"- **Recipe**: `{_command(settings, held_out)}`",
        "- **Data**: none on disk. Patches of the simulator as they are made, half of them under conditions of the",
        "  continuous prior (30–300 keV, 15–40 mrad, any annular dark field), half under the catalogue's; every label",
        "  in play equally often; each patch shown with more or less of its context, laid as a lattice fit would, with",
        "  its lines put back as far as `defects` can.",
        *_left_out(held_out),
        "- **Licence**: GPL-3.0-or-later, as the package",
        "",
        "## Calibrated on fresh simulations of the whole catalogue",
        "",
        "| what is known | sites | accuracy | entropy / nats | calibration error | temperature |",
        "|---|---|---|---|---|---|",
        *(
            f"| {state} | {m['sites']:,} | {m['accuracy']:.2%} | {m['entropy_nats']:.4f} "
            f"| {m['calibration_error']:.4f} | {m['temperature']:.3f} |"
            for state, m in record["measured"].items()
        ),
        "",
        "Doses are log-uniform from 1e4 to 1e8 e/Å²; *uncalibrated* is all but pixel size, dose and brightness,",
        "*partial* any part, *nothing* the image alone. By dose, beside the Bayes oracle, and on real scans:",
        "docs/benchmarks/context-network.md. Where brightness is not known, defects here differ from their simulation",
        "as in the training: by 2 to 10 % of what sets them apart from the pristine column, standard deviations.",
        "",
        "## Limits",
        "",
        "- It knows pristine 2H-MX2 monolayers with isolated point defects, and eight labels. It does not know 1T or",
        "  1T' phases, bilayers, edges, grain boundaries, adatoms, holes, or beam damage; where a site looks unlike",
        "  all that was simulated it is flagged, but not every such site will be.",
        "- Trained on round probes only. Astigmatism and coma beyond what passes for blur are outside its experience.",
        "- Of a chalcogen pair the simulator always takes or replaces the same one; top and bottom look alike within",
        "  2 %.",
        "- Its probabilities suppose that all labels are equally likely; `defects` estimates how frequent they are.",
        "- Real scans were never trained on. How well it does there was measured on two fields of Ti-doped and one of",
        "  Cr-doped WSe2 only.",
        "",
    ]
    return "\n".join(lines)


def _command(settings: Mapping[str, Any], held_out: Mapping[str, Any] | None) -> str:
    words = f"micrographia train context --steps {settings['steps']} --seed {settings['seed']} --out DIR"
    return words if held_out else f"{words} --everything"


def _left_out(held_out: Mapping[str, Any] | None) -> list[str]:
    if not held_out:
        return ["- **Never trained on**: real scans"]
    return [
        f"- **Never trained on**: real scans; compounds with the host {', '.join(held_out['hosts'])} or the dopant",
        f"  {', '.join(held_out['dopants'])}; the condition {held_out['condition']} and its neighbourhood in the prior",
    ]
