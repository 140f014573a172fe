"""Thresholds of a frame with a plain ground, and what speaks for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, gaussian_filter, gaussian_gradient_magnitude
from skimage.filters import threshold_otsu
from skimage.measure import regionprops

from micrographia.segment.instances.contacts import neighbours
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.separate import ObjectSettings, separate_objects

Ground = Literal["dark", "bright"]
"""Whether the ground is darker or brighter than the objects."""

_LEAST_GROUND_PX: Final = 100
# The quadratic surface of the ground is fitted to so many points along the shorter side, in so many rounds.
_SURFACE_POINTS: Final = 64
_SURFACE_ROUNDS: Final = 8
_CLIP_SD: Final = 2.5


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One threshold, and what it finds.

    Parameters
    ----------
    way : str
        How the threshold was chosen.
    ground : {"dark", "bright"}
        Which side of it was taken for the ground.
    image : float array (height, width)
        What was thresholded.
    level : float
        The threshold, in the units of ``image``.
    edge : float
        Mean gradient along the outlines, over that away from them.
    found : Instances
        The objects on the other side of the ground.
    rounded : float
        Area of the objects over that of their convex hulls, all taken together.
    whole : float
        Share of the objects' area that is rounded and lies whole within the frame.
    """

    way: str
    ground: Ground
    image: Float[np.ndarray, "height width"]
    level: float
    edge: float
    found: Instances
    rounded: float
    whole: float


def try_thresholds(
    image: Float[np.ndarray, "height width"], *, smoothing_px: float, least_edge: float, objects: ObjectSettings
) -> Iterator[Trial]:
    """Yield both sides of each threshold. Below ``least_edge`` nothing is set apart, for it is noise.

    Examples
    --------
    >>> y, x = np.mgrid[:60, :60]
    >>> disk = np.where(np.hypot(y - 30, x - 30) < 12, 9.0, 1.0)
    >>> trials = try_thresholds(disk, smoothing_px=1.0, least_edge=3.0, objects=ObjectSettings())
    >>> [(trial.ground, round(trial.whole, 1)) for trial in trials][:2]
    [('dark', 1.0), ('bright', 0.0)]
    """
    smooth = gaussian_filter(image, smoothing_px)
    gradient = gaussian_gradient_magnitude(image, smoothing_px)
    levelled = smooth - ground_surface(smooth)
    for name, shown in (("", smooth), (" after levelling the ground", levelled)):
        weighted = float((gradient**2 * shown).sum() / (gradient**2).sum())
        for way, level in (("Otsu", float(threshold_otsu(shown))), ("gradient-weighted mean", weighted)):
            above = shown > level
            edge = _edge(above, gradient, smoothing_px)
            sides: tuple[tuple[Ground, np.ndarray], ...] = (("dark", above), ("bright", ~above))
            for ground, mask in sides:
                # Separating what is noise takes long and tells nothing.
                kept = mask if edge >= least_edge else np.zeros(image.shape, dtype=bool)
                found = separate_objects(kept, settings=objects)
                rounded, whole = _shape(found)
                yield Trial(
                    way=way + name,
                    ground=ground,
                    image=shown,
                    level=level,
                    edge=edge,
                    found=found,
                    rounded=rounded,
                    whole=whole,
                )


def ground_surface(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return a quadratic surface fitted to the ground, leaving out what stands off from it.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64] / 64.0
    >>> tilted = 5 + 2 * x - y + x * y
    >>> spotted = tilted + np.where(np.hypot(y - 0.5, x - 0.5) < 0.1, 50, 0)
    >>> bool(np.allclose(ground_surface(spotted), tilted))
    True
    """
    height, width = image.shape
    step = max(1, min(height, width) // _SURFACE_POINTS)
    y, x = (np.linspace(-1, 1, n) for n in (height, width))

    def terms(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        y, x = np.meshgrid(y, x, indexing="ij")
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)

    design = terms(y[::step], x[::step]).reshape(-1, 6)
    values = image[::step, ::step].ravel()
    kept = np.ones(len(values), dtype=bool)
    for _ in range(_SURFACE_ROUNDS):
        fit = np.linalg.lstsq(design[kept], values[kept], rcond=None)[0]
        rest = values - design @ fit
        middle = float(np.median(rest[kept]))
        sd = 1.4826 * float(np.median(np.abs(rest[kept] - middle)))
        near = np.abs(rest - middle) <= _CLIP_SD * sd
        # A ground without any noise has no spread to clip by.
        if near.sum() < len(values) / 10:
            break
        kept = near
    surface: Float[np.ndarray, "height width"] = terms(y, x) @ fit
    return surface


def _edge(
    mask: Bool[np.ndarray, "height width"], gradient: Float[np.ndarray, "height width"], smoothing_px: float
) -> float:
    """Return the mean gradient along the outlines of a mask over that away from them; 0 where it has no outlines."""
    outline = np.zeros(mask.shape, dtype=bool)
    for here, there in neighbours():
        changes = mask[here] != mask[there]
        outline[here] |= changes
        outline[there] |= changes
    away = ~binary_dilation(outline, iterations=int(np.ceil(3 * smoothing_px)))
    if not outline.any():
        return 0.0
    if away.sum() < _LEAST_GROUND_PX:
        away = ~outline
    elsewhere = float(gradient[away].mean()) if away.any() else 0.0
    # A ground without any noise has no gradient.
    return float(gradient[outline].mean()) / max(elsewhere, 1e-6 * float(gradient.max()))


def _shape(found: Instances) -> tuple[float, float]:
    """Return the area of objects over that of their hulls, and the share of their area that is rounded and whole."""
    labels = found.labels
    cut = set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])).tolist())
    regions = regionprops(labels)
    area = sum(region.area for region in regions)
    if not area:
        return 0.0, 0.0
    hull = sum(region.area_convex for region in regions)
    whole = sum(region.area * region.solidity for region in regions if region.label not in cut)
    return float(area / hull), float(whole / area)
