"""An image of any size through a trained network, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from monai.inferers import sliding_window_inference
from torch.nn import functional

from micrographia.segment.network.familiar import Look, most_familiar_look, shown, strangeness, tiles
from micrographia.segment.network.normalise import normalised
from micrographia.segment.network.own import Own, adjusted, learn_own, weight_of_own
from micrographia.segment.network.saved import SegmentationModel
from micrographia.segment.network.segmenter import joined, maps_of, multiple_px
from micrographia.segment.network.temper import temperature, tempered
from micrographia.segment.segmentation import MOST_DISSENT, Segmentation

_WINDOW_PX: Final = 1024
_OVERLAP: Final = 0.125
_PARTS_ACROSS: Final = 2
_STRIP_FLOATS: Final = 40_000_000
"""Probabilities that are held at a time; an image with more of them is done strip by strip."""


@dataclass(frozen=True, kw_only=True)
class ApplySettings:
    """How an image is segmented.

    Parameters
    ----------
    flips : bool
        Whether each window is seen mirrored too, and the two answers averaged: half the speed, smoother edges.
    probability : bool
        Whether to keep the probability of each class.
    own : bool
        Whether an image on which the two opinions differ has a say in its own pixels, see `learn_own`. It is then
        looked at three times.
    match : bool
        Whether an image that looks clearly more like the training images with black and white exchanged, or enlarged or
        reduced, is shown to the network like that; and one that looks a little more like them so, if the two opinions
        differ widely on the image as it is, and less than half as often so.
    """

    flips: bool = True
    probability: bool = False
    own: bool = True
    match: bool = True


def segment(
    frame: Float[np.ndarray, "height width"],
    model: SegmentationModel,
    *,
    settings: ApplySettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Segmentation:
    """Return the class of every pixel.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.
    model : SegmentationModel
        A trained network.
    settings : ApplySettings, optional
        How to apply it.
    progress : callable, optional
        Told how many windows are done, of how many; where an image is looked at again, there are more of them.

    Returns
    -------
    Segmentation
        With uncertainty, strangeness and dissent; with probabilities if asked for.

    Raises
    ------
    InputError
        All pixels are equal.
    """
    settings = ApplySettings() if settings is None else settings
    grey = normalised(frame)
    encoder = model.network.encoder
    passes: list[int] = []

    def seen(look: Look, own: Own | None = None) -> Segmentation:
        windows = 0

        def tell(done: int, total: int) -> None:
            nonlocal windows
            windows = total
            if progress is not None:
                progress(sum(passes) + done, sum(passes) + total)

        found = _segmented(grey, model, look, own, settings, tell)
        passes.append(windows)
        return found

    look = most_familiar_look(grey, encoder, model.familiar) if settings.match else Look()
    found = seen(look)
    if settings.match and look == Look() and (found.dissent or 0) > MOST_DISSENT:
        nearest = most_familiar_look(grey, encoder, model.familiar, nearer=0)
        if nearest != look:
            again = seen(nearest)
            if 2 * (again.dissent or 0) < (found.dissent or 0):
                found, look = again, nearest
    if settings.own and (weight := weight_of_own(found.dissent or 0)):
        side = _shown_px(_window(grey.shape, model, look), model, look)
        device = next(encoder.parameters()).device
        parts = tiles(grey, look, side_px=side, across=_PARTS_ACROSS, overlapping=True)
        if own := learn_own((part.to(device) for part in parts), model.network, weight=weight):
            found = seen(look, own)
    return found


def _segmented(
    grey: Float32[np.ndarray, "height width"],
    model: SegmentationModel,
    look: Look,
    own: Own | None,
    settings: ApplySettings,
    progress: Callable[[int, int], None],
) -> Segmentation:
    """Return the class of every pixel of a normalised image that is shown in a certain way."""
    classes = len(model.values)
    height, width = grey.shape
    place = np.array(model.values, dtype=np.uint8)
    mask = np.empty((height, width), dtype=np.uint8)
    uncertainty = np.empty((height, width), dtype=np.float32)
    kept = np.empty((classes, height, width), dtype=np.float32) if settings.probability else None
    window = _window(grey.shape, model, look)
    strips = list(_strips(height, width, classes, window))
    dissents: list[float] = []
    done, total = 0, sum(_windows(end - first, width, window) for first, end, _, _ in strips)

    def looked(dissent: float) -> None:
        nonlocal done
        done += 1
        dissents.append(dissent)
        progress(min(done, total), total)

    for first, end, top, bottom in strips:
        p = _probabilities(grey[first:end], model, window, look, own, flips=settings.flips, looked=looked)
        p = p[:, top - first : bottom - first]
        mask[top:bottom] = place[p.argmax(axis=0)]
        entropy = -(p * np.log(np.maximum(p, 1e-9))).sum(axis=0)
        uncertainty[top:bottom] = np.clip(entropy / np.log(classes), 0, 1)
        if kept is not None:
            kept[:, top:bottom] = p
    return Segmentation(
        values=model.values,
        names=model.names,
        mask=mask,
        uncertainty=uncertainty,
        probability=kept,
        strangeness=strangeness(grey, model.network.encoder, model.familiar, look=look),
        dissent=float(np.mean(dissents)),
        own_weight=0.0 if own is None else own.weight,
        seen=look.words,
    )


def _window(shape: tuple[int, ...], model: SegmentationModel, look: Look) -> int:
    """Return the side of a window of the image [px]: the usual one as it is shown, or less in a smaller image."""
    multiple = multiple_px(model.network.encoder)
    usual = round(_WINDOW_PX / look.magnification / multiple)
    return multiple * max(1, min(usual, -(-min(shape) // multiple)))


def _shown_px(window: int, model: SegmentationModel, look: Look) -> int:
    """Return the side of a window as the network is shown it [px]."""
    multiple = multiple_px(model.network.encoder)
    return multiple * max(1, round(window * look.magnification / multiple))


def _strips(height: int, width: int, classes: int, window: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield rows to look at, and the rows among them to keep: neighbouring strips see half a window of each other."""
    rows = max(_STRIP_FLOATS // ((classes + 1) * width), 2 * window)  # and a temperature
    if height <= rows:
        yield 0, height, 0, height
        return
    kept = rows - window
    for top in range(0, height, kept):
        bottom = min(top + kept, height)
        yield max(top - window // 2, 0), min(bottom + window // 2, height), top, bottom


def _windows(height: int, width: int, window: int) -> int:
    step = window - int(window * _OVERLAP)
    return int(np.prod([max(1, -(-(n - window) // step) + 1) for n in (max(height, window), max(width, window))]))


def _probabilities(
    grey: Float32[np.ndarray, "height width"],
    model: SegmentationModel,
    window: int,
    look: Look,
    own: Own | None,
    *,
    flips: bool,
    looked: Callable[[float], None],
) -> Float32[np.ndarray, "class height width"]:
    """Return the probability of each class of a part of an image.

    Every window has its temperature. Windows blend, and so do their temperatures; they are applied last, so that no
    pixel changes its class.
    """
    height, width = grey.shape
    multiple = multiple_px(model.network.encoder)
    below, right = (max(window - n, -n % multiple) for n in (height, width))
    padded = np.pad(grey, ((0, below), (0, right)), mode="symmetric")
    network = model.network.eval()
    device = next(network.parameters()).device
    side = _shown_px(window, model, look)

    def answer(image: torch.Tensor) -> tuple[torch.Tensor, float]:
        seen = shown(image, look, (side, side)).contiguous(memory_format=torch.channels_last)
        maps = maps_of(seen, network.encoder)
        votes, shapes = network.opinions(maps)
        differ = float((votes.argmax(1) != shapes.argmax(1)).float().mean())
        both = joined(votes, shapes)
        p = (both if own is None else adjusted(both, maps, network.vote, own)).exp()
        return (p if side == window else functional.interpolate(p, size=(window, window), mode="bilinear")), differ

    def answers(image: torch.Tensor) -> torch.Tensor:
        image = image.to(device)
        p, differ = answer(image)
        if flips:
            mirrored, differ_mirrored = answer(image.flip(-1))
            p, differ = (p + mirrored.flip(-1)) / 2, (differ + differ_mirrored) / 2
        looked(differ)
        heat = torch.full_like(p[:, :1], math.log(temperature(p, dissent=differ)))
        return torch.cat([p, heat], 1)

    with torch.no_grad():
        both = sliding_window_inference(
            torch.from_numpy(padded)[None, None], window, 1, answers, overlap=_OVERLAP, mode="gaussian", device="cpu"
        )
    if not isinstance(both, torch.Tensor):
        raise TypeError(f"the sliding window gave {type(both)}")
    both = both[..., :height, :width]
    return np.asarray(tempered(both[:, :-1], both[:, -1:].exp())[0])
