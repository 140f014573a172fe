"""Views to learn from: each image several times, altered as another session at the microscope would alter it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from micrographia.segment.labelled import UNLABELLED, Labelled, TrainingSet
from micrographia.segment.network.encoder import Encoder
from micrographia.segment.network.normalise import normalised
from micrographia.segment.network.segmenter import Maps, maps_of, multiple_px

Orientation = Literal["any", "rows", "columns"]
"""What directions mean: nothing, or layers that run along rows or along columns of the image."""

MOST_SIDE_PX: Final = 1024
"""Largest height and width of a view [px]."""

_LAYERED: Final = 4.0
_TILT_DEG: Final = 6.0
_LEVELS: Final = 6
_WEAKEST: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Alterations:
    """How much a crop is altered. Each is drawn anew for every crop.

    Parameters
    ----------
    octaves : float
        Magnification changes by up to this many factors of two either way.
    contrast_octaves, brightness, gamma_octaves : float
        Standard deviation of a change of contrast, of brightness (in normalised grey values) and of gamma.
    tone : float
        Standard deviation of the logarithm of the steps between grey levels, which bends the tone curve.
    shading : float
        Standard deviation of slow changes of brightness across the crop.
    blur_px : float
        Largest blur.
    noise : float
        Mean of the noise's standard deviation.
    """

    octaves: float = 1.0
    contrast_octaves: float = 0.3
    brightness: float = 0.25
    gamma_octaves: float = 0.4
    tone: float = 0.8
    shading: float = 0.2
    blur_px: float = 1.5
    noise: float = 0.1

    def scaled(self, strength: float) -> Alterations:
        """Return alterations that are weaker by a factor, 0 to 1; magnification changes as before unless it is 0."""
        changed = {name: strength * value for name, value in asdict(self).items() if name != "octaves"}
        return Alterations(octaves=self.octaves if strength else 0.0, **changed)


def orientation_of(training: TrainingSet) -> Orientation:
    """Tell from the masks whether classes lie in layers, so that an image upside down would mean something else.

    Layers along rows make the share of a class vary from row to row much more than from column to column.

    Examples
    --------
    >>> mask = np.zeros((64, 64), dtype=np.uint8)
    >>> mask[40:50] = 1
    >>> image = Labelled(name="a", sha256="", frame=np.zeros((64, 64), dtype=np.float32), mask=mask)
    >>> orientation_of(TrainingSet(images=(image,), values=(0, 1), names=("a", "b")))
    'rows'
    """
    ratios = []
    for image in training.images:
        known = image.mask != UNLABELLED
        if known.mean() < 0.5:
            continue  # scribbles say where somebody drew, not where the classes lie
        along = [0.0, 0.0]
        for k in range(len(training.values)):
            here = image.mask == k
            for axis in (1, 0):
                share = here.sum(axis=axis) / np.maximum(known.sum(axis=axis), 1)
                along[1 - axis] += float(np.var(share))
        ratios.append(math.log((along[0] + 1e-9) / (along[1] + 1e-9)))
    if not ratios:
        return "any"
    ratio = float(np.median(ratios))
    if abs(ratio) < math.log(_LAYERED):
        return "any"
    return "rows" if ratio > 0 else "columns"


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """An image as it might have looked, and what the encoder says of it.

    Parameters
    ----------
    maps : Maps
        Grey values and the encoder's maps.
    mask : int64 tensor (1, height, width)
        Classes; `UNLABELLED` where nobody said.
    """

    maps: Maps
    mask: torch.Tensor


def look(
    training: TrainingSet,
    encoder: Encoder,
    *,
    megapixels: float,
    orientation: Orientation,
    alterations: Alterations,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[View, ...]:
    """Return views of every image, the first of each as it is and the others altered more or less.

    The encoder's maps are kept in half precision.

    Parameters
    ----------
    training : TrainingSet
        Labelled images.
    encoder : Encoder
        What looks.
    megapixels : float
        How much to look at in all. Every image is looked at once at least.
    orientation : Orientation
        Which rotations and flips leave the meaning as it is.
    alterations : Alterations
        How much the most altered views of a single image are altered. Where there are several, tone curves bend less,
        magnification changes less (towards half as much), and views may be altered less than half as much.
    seed : int
        Seed of all that is random.
    progress : callable
        Told how many views are done, of how many.
    """
    largest = [min(n, MOST_SIDE_PX) for i in training.images for n in i.mask.shape]
    each = max(1, round(megapixels * 1e6 / sum(h * w for h, w in zip(largest[::2], largest[1::2], strict=True))))
    # The fewer images there are, the less they say of how others will differ.
    few = 1 / len(training.images)
    alterations = replace(
        alterations, tone=alterations.tone * few**0.5, octaves=alterations.octaves * (1 + few**0.5) / 2
    )
    views = []
    for k in range(each):
        for n in range(len(training.images)):
            rng = np.random.default_rng([seed, 0, k, n])
            grey, mask = draw(
                training.images[n],
                classes=len(training.values),
                multiple_px=multiple_px(encoder),
                orientation=orientation if k else None,
                alterations=alterations.scaled(float(rng.uniform(_WEAKEST * few, 1)) if k else 0.0),
                rng=rng,
            )
            with torch.no_grad():
                maps = maps_of(grey.to(memory_format=torch.channels_last), encoder)
            kept = tuple(tuple(m.half() for m in features) for features in maps.features)
            views.append(View(maps=Maps(image=grey, features=kept), mask=mask))
            progress(len(views), each * len(training.images))
    return tuple(views)


def draw(
    labelled: Labelled,
    *,
    classes: int,
    multiple_px: int,
    orientation: Orientation | None,
    alterations: Alterations,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a view of an image: all of it, or of a large image a part that shows a class chosen at random.

    Parameters
    ----------
    labelled : Labelled
        The image.
    classes : int
        Number of classes.
    multiple_px : int
        Height and width of the view are multiples of this [px].
    orientation : Orientation, optional
        Which rotations and flips leave the meaning as it is; None to leave the image as it lies.
    alterations : Alterations
        How much to alter it.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    image : float tensor (1, 1, height, width)
        Normalised grey values.
    mask : int64 tensor (1, height, width)
        Classes.
    """
    height, width = labelled.mask.shape
    high, wide = (multiple_px * min(-(-n // multiple_px), MOST_SIDE_PX // multiple_px) for n in (height, width))
    zoom = 2.0 ** rng.uniform(-alterations.octaves, alterations.octaves)
    present = [k for k in range(classes) if (labelled.mask == k).any()]
    row, column = divmod(int(rng.choice(np.flatnonzero(labelled.mask == rng.choice(present)))), width)
    # The class lies somewhere in the view, not always in its middle, and the view within the image if it can.
    centre = [
        float(np.clip(at + rng.uniform(-0.8, 0.8) * half, min(half, n / 2), max(n - half, n / 2)))
        for at, half, n in ((row, high / 2 * zoom, height), (column, wide / 2 * zoom, width))
    ]
    turn = _turn(orientation, rng) @ np.diag([wide / 2, high / 2]) * zoom
    move = torch.tensor(
        [
            [turn[0, 0] / (width / 2), turn[0, 1] / (width / 2), centre[1] / (width / 2) - 1],
            [turn[1, 0] / (height / 2), turn[1, 1] / (height / 2), centre[0] / (height / 2) - 1],
        ],
        dtype=torch.float32,
    )[None]
    grid = functional.affine_grid(move, [1, 1, high, wide], align_corners=False)
    grey = torch.from_numpy(normalised(labelled.frame))[None, None]
    drawn = torch.from_numpy(labelled.mask.astype(np.float32))[None, None]
    image = functional.grid_sample(grey, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    drawn = functional.grid_sample(drawn, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return _altered(image, alterations, rng), drawn[:, 0].long()


def _turn(orientation: Orientation | None, rng: np.random.Generator) -> Float[np.ndarray, "xy xy"]:
    """Return a rotation, perhaps with a flip that keeps the layers' order."""
    if orientation is None:
        return np.eye(2)
    any_way = orientation == "any"
    angle = rng.uniform(0, 2 * math.pi) if any_way else math.radians(rng.normal(0, _TILT_DEG))
    flip = rng.choice([-1.0, 1.0])
    mirror = np.diag([1.0, flip]) if orientation == "columns" else np.diag([flip, 1.0])
    turn: Float[np.ndarray, "xy xy"] = (
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ mirror
    )
    return turn


def _altered(x: torch.Tensor, by: Alterations, rng: np.random.Generator) -> torch.Tensor:
    """Change what a detector's settings, the dose and the focus change."""
    if by.tone and rng.random() < 0.5:
        # A rising curve through random levels: what another detector does to the greys between black and white.
        steps = np.exp(rng.normal(0, by.tone, _LEVELS - 1))
        levels = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum() * 2 - 1
        known = np.clip(x.numpy(), -2, 2)
        inside = np.interp(known, np.linspace(-1, 1, _LEVELS), levels)
        x = torch.from_numpy((inside + known - np.clip(known, -1, 1)).astype(np.float32))
    if by.gamma_octaves and rng.random() < 0.5:
        x = ((x + 2) / 4).clamp(1e-3, 1) ** float(2 ** rng.normal(0, by.gamma_octaves)) * 4 - 2
    x = x * float(2 ** rng.normal(0, by.contrast_octaves)) + float(rng.normal(0, by.brightness))
    if by.shading and rng.random() < 0.5:
        coarse = torch.from_numpy(rng.normal(0, by.shading, (1, 1, 4, 4)).astype(np.float32))
        x = x + functional.interpolate(coarse, size=x.shape[-2:], mode="bicubic")
    if by.blur_px and rng.random() < 0.3:
        sigma = float(rng.uniform(0.3, max(by.blur_px, 0.3)))
        reach = int(3 * sigma + 1)
        weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
        weights = weights / weights.sum()
        x = functional.pad(x, (reach,) * 4, mode="reflect")
        x = functional.conv2d(functional.conv2d(x, weights[None, None, :, None]), weights[None, None, None, :])
    if by.noise and rng.random() < 0.5:
        white = rng.standard_normal(x.shape, dtype=np.float32)
        x = x + torch.from_numpy(white) * float(rng.exponential(by.noise))
    return x
