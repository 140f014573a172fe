"""Segmentation checkpoints of others, by name or folder: SegFormer, Mask2Former and SAM through transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from PIL import Image
from torch.nn import functional

from micrographia.errors import InputError, ReadError
from micrographia.segment.network.normalise import picture
from micrographia.segment.segmentation import Segmentation

KINDS: Final = ("segformer", "mask2former", "sam")
MOST_CLASSES: Final = 255
_POINTS: Final = 16
_LEAST_QUALITY: Final = 0.8
_SAME: Final = 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A network that others trained, with its own classes.

    Parameters
    ----------
    name : str
        Folder or hub name.
    kind : str
        One of `KINDS`.
    network : torch.nn.Module
        For inference.
    processor : object
        The image processor that belongs to it.
    classes : tuple of str
        Its classes; SAM knows only ground and object.
    """

    name: str
    kind: str
    network: Any
    processor: Any
    classes: tuple[str, ...]


def load_checkpoint(name: str) -> Checkpoint:
    """Load a checkpoint of the transformers library.

    Parameters
    ----------
    name : str
        A folder, or a name on the Hugging Face hub. Only safetensors are read, and no code of the checkpoint runs.

    Raises
    ------
    ReadError
        It is missing, damaged, or a pickle.
    InputError
        It is not one of `KINDS`, or has too many classes for an index mask.
    """
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModelForMaskGeneration,
        AutoModelForSemanticSegmentation,
        SamImageProcessorPil,
        SamProcessor,
    )
    from transformers import AutoModelForUniversalSegmentation as Universal

    place = str(Path(name)) if Path(name).exists() else name
    makers = {
        "segformer": AutoModelForSemanticSegmentation,
        "mask2former": Universal,
        "sam": AutoModelForMaskGeneration,
    }
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
        if config.model_type not in KINDS:
            raise InputError(f"{name} is of type {config.model_type}; accepted is one of {', '.join(KINDS)}")
        network = makers[config.model_type].from_pretrained(place, use_safetensors=True, trust_remote_code=False)
        if config.model_type == "sam":  # its points need a processor of their own
            processor: Any = SamProcessor(SamImageProcessorPil.from_pretrained(place))
        else:
            processor = AutoImageProcessor.from_pretrained(place, backend="pil", trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"{name} cannot be loaded ({reason}); accepted is a model that `micrographia segment train` wrote, or the "
            f"folder or hub name of a {', '.join(KINDS)} checkpoint with safetensors weights"
        ) from error
    if config.model_type == "sam":
        classes: tuple[str, ...] = ("ground", "object")
    else:
        classes = tuple(str(config.id2label[k]) for k in range(config.num_labels))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise InputError(f"{name} has {len(classes)} classes; accepted are 2 to {MOST_CLASSES}")
    return Checkpoint(name=name, kind=config.model_type, network=network.eval(), processor=processor, classes=classes)


def segment_with(frame: Float[np.ndarray, "height width"], checkpoint: Checkpoint) -> Segmentation:
    """Segment an image with a checkpoint's own classes.

    The image is scaled to the size that the checkpoint works at, so fine structure of large images may be lost. It
    never saw this kind of image as far as we know: nothing can be said of how strange it is to it.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.
    checkpoint : Checkpoint
        What to segment with.

    Raises
    ------
    InputError
        All pixels are equal.
    """
    shown = picture(frame)
    with torch.no_grad():
        if checkpoint.kind == "sam":
            p = _objectness(shown, checkpoint)
        else:
            inputs = checkpoint.processor(images=shown, return_tensors="pt")
            p = _semantic(checkpoint.network(**inputs), checkpoint.kind, frame.shape)
    entropy = -(p * np.log(np.maximum(p, 1e-9))).sum(axis=0) / np.log(len(p))
    return Segmentation(
        values=tuple(range(len(checkpoint.classes))),
        names=checkpoint.classes,
        mask=p.argmax(axis=0).astype(np.uint8),
        uncertainty=np.clip(entropy, 0, 1).astype(np.float32),
    )


def _semantic(outputs: Any, kind: str, shape: tuple[int, ...]) -> Float32[np.ndarray, "class height width"]:
    """Return the probability of each class at full resolution."""
    if kind == "segformer":
        logits = functional.interpolate(outputs.logits, size=shape, mode="bilinear")
        p = logits.softmax(1)[0]
    else:
        # A query's mask counts for its classes; the last class is "no object" (Cheng et al., arXiv 2112.01527).
        queries = outputs.class_queries_logits.softmax(-1)[..., :-1]
        masks = functional.interpolate(outputs.masks_queries_logits, size=shape, mode="bilinear").sigmoid()
        p = torch.einsum("bqc,bqhw->bchw", queries, masks)[0]
        p = p / p.sum(0, keepdim=True).clamp_min(1e-9)
    return np.asarray(p.float().cpu().numpy())


def _objectness(shown: Image.Image, checkpoint: Checkpoint) -> Float32[np.ndarray, "class height width"]:
    """Return the probability of ground and object: SAM is asked at a grid of points, and its surest masks are kept."""
    width, height = shown.size
    columns, rows = np.meshgrid(
        (np.arange(_POINTS) + 0.5) / _POINTS * width, (np.arange(_POINTS) + 0.5) / _POINTS * height
    )
    points = [[[[float(x), float(y)]] for x, y in zip(columns.ravel(), rows.ravel(), strict=True)]]
    inputs = checkpoint.processor(images=shown, input_points=points, return_tensors="pt")
    outputs = checkpoint.network(**inputs)
    masks = checkpoint.processor.post_process_masks(
        outputs.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"], binarize=False
    )[0]
    quality = outputs.iou_scores[0].flatten()
    found = masks.flatten(0, 1)[torch.argsort(quality, descending=True)]
    kept: list[Bool[np.ndarray, "height width"]] = []
    p = np.zeros((height, width), dtype=np.float32)
    for mask, score in zip(found, torch.sort(quality, descending=True).values, strict=True):
        here = np.asarray((mask > 0).numpy())
        if float(score) < _LEAST_QUALITY or here.mean() > 0.5 or not here.any():
            continue  # a mask of most of the picture is its ground
        if any((here & k).sum() > _SAME * (here | k).sum() for k in kept):
            continue
        kept.append(here)
        p = np.maximum(p, np.asarray(mask.sigmoid().numpy(), dtype=np.float32))
    return np.stack([1 - p, p])
