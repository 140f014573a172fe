"""The model card that lies beside a trained segmentation model."""

from __future__ import annotations

from typing import Any, Final

from micrographia.segment.network.saved import SegmentationModel

_DIRECTIONS: Final = {
    "any": "mean nothing: images were turned and mirrored freely",
    "rows": "matter: layers run along rows, so images were mirrored left to right and tilted a little, never turned",
    "columns": "matter: layers run along columns, so images were mirrored up and down, tilted a little, never turned",
}


def model_card(model: SegmentationModel) -> str:
    """Return what a model is, what it learned from and what it is not good for, Markdown.

    Parameters
    ----------
    model : SegmentationModel
        From `train_segmenter`.
    """
    record = model.record
    settings: dict[str, Any] = record["settings"]
    classes = "\n".join(
        f"| {value} | {name} | {100 * share:.2f} |"
        for value, name, share in zip(model.values, model.names, record["share"], strict=True)
    )
    images = "\n".join(f"| {i['name']} | {100 * i['labelled']:.1f} | `{i['sha256'][:12]}` |" for i in record["images"])
    return f"""# Segmentation model

Tells {len(model.names)} classes apart on every pixel of a micrograph. Made by {record["made"]["software"]} (commit
{record["made"]["commit"]}) in {record["seconds"]:.0f} s.

| number in masks | class | share of the labelled pixels [%] |
|---|---|---|
{classes}

## Learned from

| image | labelled [%] | SHA-256 |
|---|---|---|
{images}

## How

- Encoder: {settings["encoder"]}, as it came; it did not learn, and is not in the file.
- {record["views"]} views of the images ({settings["megapixels"]:g} Mpx in all), altered in magnification, contrast,
  brightness, gamma, shading, blur and noise. Directions {_DIRECTIONS[record["orientation"]]}.
- Every pixel learned to vote by itself, and a decoder learned shapes in {settings["steps"]} steps. Neither saw what
  the other says; the answer is a weighted mean of their log-probabilities.
- Seed {settings["seed"]}.

## What it is not good for

- Images of another material, preparation, detector or magnification than those above. `segment apply` flags images
  that look unlike all of them; an image that is not flagged may still be wrong.
- The uncertainty of a pixel is the entropy of the network's own probabilities. Check it on labelled images of your
  own before you rely on it.
"""
