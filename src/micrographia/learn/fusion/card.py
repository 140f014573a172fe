"""The model card that lies beside a fused encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def model_card(record: Mapping[str, Any], *, weights: Path) -> str:
    """Return what a fused encoder is, what it learned from and what it is not good for, Markdown.

    Parameters
    ----------
    record : mapping
        What the training wrote of itself.
    weights : Path
        The file of the weights.
    """
    settings, pictures, made = record["settings"], record["pictures"], record["made"]
    plan = settings["plan"]
    parts = [name for name in ("graph", "hypergraph", "language", "gates") if plan[name]]
    explained = record["measured"]["held_back_r2"]
    found = "not measured" if explained is None else f"{100 * explained:.1f} % of the variance"
    losses = "\n".join(f"| {name} | {weight:g} |" for name, weight in settings["weights"].items())
    return f"""# Fused encoder of micrographs

A student that turns a micrograph into vectors, taught by {" and ".join(record["teachers"]["sees"])},
by what is measured on images, and by the words for it as {record["teachers"]["reads"]} reads them.
Made by {made["software"]} (commit {made["commit"]}).

- **Use**: `micrographia embed IMAGE --encoder fusion:{weights.name}`, and wherever an encoder can be named.
- **Parts**: {len(plan["blocks"])} levels of patches, {", ".join(parts) or "no other stream"}; width {plan["width"]}.
- **Weights**: {weights.stat().st_size / 1e6:.1f} MB, SHA-256 `{hashlib.sha256(weights.read_bytes()).hexdigest()[:16]}`.
- **Learned from**: views of {pictures["given"]:,} given pictures and {pictures["made_up"]:,} made-up ones on each of
  {record["processes"]} processes; {settings["steps"]:,} steps of {settings["batch"]} views, seed {settings["seed"]}.
- **Made-up pictures of another seed**: explains {found} of what the image teachers say of them.

| loss | weight |
|---|---|
{losses}

## What it is not good for

- Colours, and whatever depends on the absolute grey: greys are normalised to each view.
- Structures finer than some 4 px, or coarser than the view.
- Truth about a material: it says which images are alike, no more. Check it on images of your own.
"""
