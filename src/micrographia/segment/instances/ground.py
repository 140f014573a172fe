"""Objects on a plain ground, without any training: bright or dark, and how many within which doubt.

Several thresholds are tried, and each is judged by what it finds. Its outlines must follow edges of the image, and
what it takes for objects must be rounded and lie whole within the frame. Where no threshold passes, there is nothing
that can be told apart in this way, and that is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.separate import ObjectSettings, separate_objects
from micrographia.segment.instances.thresholds import Ground, Trial, ground_surface, try_thresholds

_LEAST_SIDE_PX: Final = 32
_LEVEL_SHIFT: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class GroundSettings:
    """What counts as objects on a plain ground.

    Parameters
    ----------
    smoothing_px : float
        Standard deviation of the blur against noise [px].
    least_edge : float
        Least gradient along the outlines, as a multiple of the gradient away from them. At a threshold through a
        Gaussian random field of any spectrum it is 4/π = 1.27, and up to 1.8 where the field is so fine that little of
        it is away from outlines.
    least_rounded : float
        Least area of the objects over that of their convex hulls, all taken together.
    least_whole : float
        Least share of the objects' area that is rounded and lies whole within the frame. The ground reaches the
        border, so that this also tells objects from ground.
    objects : ObjectSettings
        How objects are told apart. By default rounded holes are filled: a threshold leaves dark faces in bright
        particles.

    Raises
    ------
    InputError
        A setting is out of its range.

    Examples
    --------
    >>> GroundSettings(smoothing_px=1.0).least_edge
    5.0
    """

    smoothing_px: float = 2.0
    least_edge: float = 5.0
    least_rounded: float = 0.8
    least_whole: float = 0.4
    objects: ObjectSettings = field(default_factory=lambda: ObjectSettings(holes="rounded"))

    def __post_init__(self) -> None:
        if not 0 < self.smoothing_px <= 50:
            raise InputError(f"smoothing_px is {self.smoothing_px}; accepted is above 0, to 50")
        if not self.least_edge > 0:
            raise InputError(f"least_edge is {self.least_edge}; accepted is above 0")
        for name in ("least_rounded", "least_whole"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; accepted is a share, 0 to 1")


@dataclass(frozen=True, kw_only=True)
class FoundObjects:
    """Objects that were found on a plain ground, and how their number hangs on the settings.

    Parameters
    ----------
    instances : Instances
        The objects.
    ground : {"dark", "bright"}
        Whether the objects are brighter or darker than the ground.
    way : str
        How the threshold was chosen.
    edge : float
        Gradient along the outlines over the gradient away from them.
    rounded, whole : float
        Shares as in `GroundSettings`.
    variants : tuple of (str, int)
        Number of objects with one setting changed within reason, and what was changed.
    """

    instances: Instances
    ground: Ground
    way: str
    edge: float
    rounded: float
    whole: float
    variants: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """Number of objects."""
        return self.instances.count

    @property
    def low(self) -> int:
        """Fewest objects over all variants."""
        return min([self.count, *(number for _, number in self.variants)])

    @property
    def high(self) -> int:
        """Most objects over all variants."""
        return max([self.count, *(number for _, number in self.variants)])

    @property
    def sentence(self) -> str:
        """What was found, for a person."""
        objects = "object" if self.count == 1 else "objects"
        shade = "bright" if self.ground == "dark" else "dark"
        doubt = "" if self.high <= 2 * self.low else " The number hangs on the settings: do not rely on it."
        return (
            f"{self.count} {shade} {objects} on a {self.ground} ground ({self.low} to {self.high} over "
            f"{len(self.variants) + 1} settings); thresholded by {self.way}.{doubt}"
        )


def segment_objects(
    frame: Float[np.ndarray, "height width"], *, settings: GroundSettings | None = None
) -> FoundObjects:
    """Find bright or dark objects on a plain ground, without a trained model.

    The frame is blurred, and thresholded four ways: as it is, and with a quadratic surface of the ground taken off; by
    Otsu, and at the mean intensity weighted by the squared gradient, which finds the edge of objects too few for Otsu.
    Both sides of each threshold are tried as objects. Of the trials that pass all of the `GroundSettings`, that with
    the largest share of whole and rounded objects is taken. The range of the count is over all other trials on the same
    ground that pass, and over changes of one setting: half and double the blur, a threshold a fifth of the contrast
    higher and lower, stricter and laxer necks, and no objects below a tenth of the median area.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities, in any unit; without an information bar.
    settings : GroundSettings, optional
        What counts as an object.

    Returns
    -------
    FoundObjects
        Objects, and the range of their number. The range is no confidence interval: it says what else one could
        have counted.

    Raises
    ------
    InputError
        The frame is too small, not finite or without contrast, or nothing in it can be told from a plain ground.

    Notes
    -----
    N. Otsu, doi:10.1109/TSMC.1979.4310076. Level weighted by gradient: J. Kittler, J. Illingworth and J. Föglein,
    doi:10.1016/0734-189X(85)90093-0. The ratio 4/π is that of the mean square to the squared mean of a gradient that is
    Rayleigh-distributed.

    Examples
    --------
    >>> y, x = np.mgrid[:100, :150]
    >>> frame = np.random.default_rng(0).normal(100, 5, (100, 150))
    >>> for x0 in (30, 75, 120):
    ...     frame[np.hypot(y - 50, x - x0) < 12] -= 40
    >>> segment_objects(frame).sentence
    '3 dark objects on a bright ground (3 to 3 over ...
    """
    settings = settings or GroundSettings()
    if min(frame.shape) < _LEAST_SIDE_PX:
        raise InputError(
            f"the frame is {frame.shape[0]} × {frame.shape[1]} px; accepted is at least {_LEAST_SIDE_PX} × "
            f"{_LEAST_SIDE_PX}"
        )
    image = frame.astype(np.float64)
    if not np.isfinite(image).all():
        raise InputError("the frame holds values that are not finite; replace or crop them first")
    if image.min() == image.max():
        raise InputError(
            f"all pixels are equal ({image.flat[0]:g}), so there are no objects; give a frame with contrast"
        )
    trials = list(
        try_thresholds(
            image, smoothing_px=settings.smoothing_px, least_edge=settings.least_edge, objects=settings.objects
        )
    )
    passed = [trial for trial in trials if _reason(trial, settings) is None]
    if not passed:
        closest = max(trials, key=lambda trial: (trial.edge >= settings.least_edge, trial.whole), default=None)
        reason = "no threshold parts it" if closest is None else _reason(closest, settings)
        raise InputError(
            f"no objects can be told from a plain ground: {reason}; give a frame of separate particles or pores, or "
            "segment it with a trained network"
        )
    best = max(passed, key=lambda trial: trial.whole)
    return FoundObjects(
        instances=best.found,
        ground=best.ground,
        way=best.way,
        edge=best.edge,
        rounded=best.rounded,
        whole=best.whole,
        variants=tuple(_variants(image, best, passed, settings)),
    )


def _reason(trial: Trial, settings: GroundSettings) -> str | None:
    """Return why a trial does not pass; None where it does."""
    if trial.edge < settings.least_edge:
        return (
            f"the gradient along outlines is {trial.edge:.1f} times that elsewhere, where {settings.least_edge:g} is "
            "asked for and noise has up to 1.8"
        )
    if not trial.found.count:
        return f"nothing of {settings.objects.least_area_px} px or more is left"
    if trial.whole < settings.least_whole:
        return (
            f"{trial.whole:.0%} of what is set apart is rounded and lies whole within the frame, where "
            f"{settings.least_whole:.0%} is asked for"
        )
    if trial.rounded < settings.least_rounded:
        return (
            f"what is set apart fills {trial.rounded:.0%} of its convex hulls, where {settings.least_rounded:.0%} is "
            "asked for: it is a network, fibres or texture rather than particles"
        )
    return None


def _variants(
    image: Float[np.ndarray, "height width"], best: Trial, passed: list[Trial], settings: GroundSettings
) -> Iterator[tuple[str, int]]:
    """Yield other settings, and how many objects each finds."""
    for trial in passed:
        if trial is not best and trial.ground == best.ground:
            yield f"threshold by {trial.way}", trial.found.count

    def count(shown: np.ndarray, level: float, objects: ObjectSettings) -> int:
        return separate_objects(shown > level if best.ground == "dark" else shown < level, settings=objects).count

    objects = settings.objects
    inside = best.found.labels > 0
    contrast = float(np.median(best.image[inside]) - np.median(best.image[~inside])) if not inside.all() else 0.0
    for sign in (1, -1):
        share = f"{'+' if sign > 0 else '-'}{_LEVEL_SHIFT:.0%} of the contrast"
        yield f"threshold {share}", count(best.image, best.level + sign * _LEVEL_SHIFT * contrast, objects)
    levelled = best.way.endswith("ground")
    for factor in (0.5, 2.0):
        smooth = gaussian_filter(image, settings.smoothing_px * factor)
        yield f"blur × {factor:g}", count(smooth - ground_surface(smooth) if levelled else smooth, best.level, objects)
    for step in (-0.05, 0.05):
        neck = min(max(objects.largest_neck + step, 0.0), 1.0)
        yield f"largest neck {neck:.2f}", count(best.image, best.level, replace(objects, largest_neck=neck))
    median = float(np.median(best.found.areas_px2))
    yield "no objects below a tenth of the median area", int((best.found.areas_px2 >= median / 10).sum())
