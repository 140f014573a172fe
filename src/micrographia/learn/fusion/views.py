"""What the student is shown: a part of a picture at some magnification, clean, and as a worse instrument saw it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

_SCALES: Final = (0.5, 2.0)
_TRIES: Final = 8
_GAMMA: Final = 2.0
_BLUR_PX: Final = (0.3, 2.0)
_SNR: Final = (2.0, 50.0)


def clean_view(
    picture: Float[np.ndarray, "height width"], rng: np.random.Generator, *, side_px: int
) -> Float[np.ndarray, "side side"]:
    """Return a square part of a picture, magnified, turned and mirrored at random, with `normalised` greys.

    Parameters
    ----------
    picture : float array (height, width)
        Intensities in any units.
    rng : Generator
        Draws the part: between half and twice as many pixels along a side as the view has, as far as there are.
    side_px : int
        Side of the view [px].

    Raises
    ------
    InputError
        Eight parts in a row have pixels of one grey only.
    """
    for _ in range(_TRIES):
        wanted = side_px * math.exp(rng.uniform(*np.log(_SCALES)))
        side = int(min(round(wanted), *picture.shape))
        top, left = (int(rng.integers(n - side + 1)) for n in picture.shape)
        part = picture[top : top + side, left : left + side].astype(np.float32)
        if part.min() < part.max():
            break
    else:
        raise InputError("parts of a picture are of one grey each; accepted are pictures that show something")
    part = np.rot90(part, int(rng.integers(4)))
    part = part[:, ::-1] if rng.random() < 0.5 else part
    if side != side_px:
        wide = torch.from_numpy(np.ascontiguousarray(part))[None, None]
        wide = functional.interpolate(wide, size=(side_px, side_px), mode="bilinear", antialias=True)
        part = wide[0, 0].numpy()
    if part.min() == part.max():
        part = part + np.linspace(0, 1e-3, side_px, dtype=np.float32)
    return normalised(np.ascontiguousarray(part))


def degraded(view: Float[np.ndarray, "side side"], rng: np.random.Generator) -> Float[np.ndarray, "side side"]:
    """Return a view as a worse instrument would have recorded it, with `normalised` greys.

    Each with a chance of one half: tones by a gamma between 1/2 and 2; a blur of 0.3 to 2 px; half the resolution;
    counting noise that leaves a signal-to-noise ratio of 2 to 50; black and white ends cut off.

    Parameters
    ----------
    view : float array (side, side)
        Of `clean_view`.
    rng : Generator
        Draws what is done.
    """
    low, high = float(view.min()), float(view.max())
    grey = torch.from_numpy((view - low) / (high - low))[None, None]
    if rng.random() < 0.5:
        grey = grey ** math.exp(rng.uniform(-1, 1) * math.log(_GAMMA))
    if rng.random() < 0.5:
        grey = _blurred(grey, rng.uniform(*_BLUR_PX))
    if rng.random() < 0.25:
        half = functional.avg_pool2d(grey, 2)
        grey = functional.interpolate(half, size=grey.shape[2:], mode="bilinear")
    found = grey[0, 0].numpy()
    if rng.random() < 0.5:
        found = _counted(found, math.exp(rng.uniform(*np.log(_SNR))), rng)
    if rng.random() < 0.5:
        ends = np.quantile(found, [rng.uniform(0, 0.05), rng.uniform(0.95, 1)])
        found = np.clip(found, *ends) if ends[0] < ends[1] else found
    return normalised(found) if found.min() < found.max() else view


def _blurred(grey: Float[Tensor, "1 1 height width"], sigma_px: float) -> Float[Tensor, "1 1 height width"]:
    reach = math.ceil(3 * sigma_px)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(grey, (reach, reach, reach, reach), mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None, :])


def _counted(
    grey: Float[np.ndarray, "height width"], snr: float, rng: np.random.Generator
) -> Float[np.ndarray, "height width"]:
    """Return greys with counting noise of which the spread of the greys is ``snr`` times the root mean square."""
    spread = max(float(grey.std()), 1e-6)
    # Counts n have a variance of n: with the dose d, grey has a noise of sqrt(grey / d).
    dose = float(grey.mean()) * snr**2 / spread**2
    counts: Float[np.ndarray, "height width"] = (rng.poisson(np.clip(grey, 0, None) * dose) / dose).astype(np.float32)
    return counts
