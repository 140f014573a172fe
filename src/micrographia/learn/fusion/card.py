"""The model card that lies beside a fused encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_EXPLAINED: Final = (
    "- **Made-up pictures of another seed**: explains {:.1f} % of the variance of what the image teachers say.\n"
)


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
    fused = any(plan["blocks"])
    streams = [name for name in ("graph", "hypergraph", "language", "gates") if plan[name]]
    parts = [
        f"{len(plan['blocks'])} resolutions",
        *([f"relations along {plan['relations']} directions"] if plan["relations"] else []),
        *([f"patch stream of width {plan['width']}", *streams] if fused else []),
    ]
    weights_of = {name: weight for name, weight in settings["weights"].items() if weight}
    asked = set(weights_of)
    teachers = [
        *(["what its own stem saw before"] if "inherited" in asked else []),
        *(record["teachers"]["sees"] if asked & {"whole", "patches", "masked"} else []),
        *(["what is measured on images"] if "cues" in asked else []),
        *([f"words as {record['teachers']['reads']} reads them"] if asked & {"captions", "sentences"} else []),
        *(["labels"] if "labels" in asked else []),
    ]
    explained = record["measured"]["held_back_r2"]
    told = "" if explained is None else _EXPLAINED.format(100 * explained)
    losses = "\n".join(f"| {name} | {weight:g} |" for name, weight in weights_of.items())
    return f"""# Fused encoder of micrographs

EfficientNet-Lite0's convolutions at several resolutions, whose maps are turned into one vector of an image.
Made by {made["software"]} (commit {made["commit"]}).

- **Use**: `micrographia embed IMAGE --encoder fusion:{weights.name}`, and wherever an encoder can be named.
- **Parts**: {", ".join(parts)}.
- **Taught by**: {", ".join(teachers) or "nothing but two views of each image"}.
- **Weights**: {weights.stat().st_size / 1e6:.1f} MB, SHA-256 `{hashlib.sha256(weights.read_bytes()).hexdigest()[:16]}`.
- **Learned from**: views of {pictures["given"]:,} given pictures and {pictures["made_up"]:,} made-up ones on each of
  {record["processes"]} processes; {settings["steps"]:,} steps of {settings["batch"]} views, seed {settings["seed"]}.
{told}- **Licence**: GPL-3.0-or-later; contains weights of EfficientNet-Lite0 (Apache-2.0), changed.

| loss | weight |
|---|---|
{losses}

## What it is not good for

- Colours, and whatever depends on the absolute grey: greys are normalised to each view.
- Structures finer than some 4 px, or coarser than the view.
- Truth about a material: it says which images are alike, no more. Check it on images of your own.
"""
