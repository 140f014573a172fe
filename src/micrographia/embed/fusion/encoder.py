"""The fused network as an encoder of images of any size, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder, version_of
from micrographia.embed.fusion.network import Fused, FusionNetwork
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.summary import grids_of, summarised, vectors_of
from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

LEAST_SIDE_PX: Final = 32
WINDOW_PX: Final = 192
_PREPARED: Final = "1 grey 1 to 99 % to -1 to 1, mirrored to 64 px, windows of 192 px"


class FusionEncoder(Encoder):
    """A fused network as an encoder of images.

    Grey values are `normalised`, and an image is mirrored at its right and lower edge up to a multiple of 64 px. What
    is larger than 192 px is looked at in windows, as the network learned; neighbours overlap where the side is no
    multiple of 192 px. Patches that lie in the margin do not count.

    Parameters
    ----------
    network : FusionNetwork
        With its weights.
    name, version, licence, caution : str
        See `Encoder`.
    """

    def __init__(self, network: FusionNetwork, *, name: str, version: str, licence: str, caution: str) -> None:
        super().__init__(
            name=name, version=version, sees=True, reads=False, shared_space=False, licence=licence, caution=caution
        )
        self._network = network.eval()
        self.plan = network.plan

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed images, in their order; see `Encoder`.

        ``whole`` is what `summarised` makes of the mean over the windows and of all patches; a patch is that of the
        finest level beside the one of the next level in which it lies.
        """
        for k, frame in enumerate(frames):
            if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE_PX:
                raise InputError(
                    f"image {k + 1} of {len(frames)} is of shape {frame.shape}; encoder {self.name} accepts "
                    f"(height, width) of at least {LEAST_SIDE_PX} x {LEAST_SIDE_PX} px"
                )
            yield self._embedded(frame, batch)

    @torch.inference_mode()
    def _embedded(self, frame: Float[np.ndarray, "height width"], batch: int) -> ImageEmbedding:
        plan = self._network.plan
        height, width = frame.shape
        grey = normalised(frame)
        grey = np.pad(grey, ((0, -height % plan.side_px), (0, -width % plan.side_px)), mode="symmetric")
        side = tuple(min(WINDOW_PX, n) for n in grey.shape)
        corners = [
            (top, left)
            for top in _starts(grey.shape[0], side[0], plan.side_px)
            for left in _starts(grey.shape[1], side[1], plan.side_px)
        ]
        windows = torch.from_numpy(np.stack([grey[t : t + side[0], x : x + side[1]] for t, x in corners]))[:, None]
        seen = [self._network(windows[k : k + batch]) for k in range(0, len(windows), batch)]
        vectors = [torch.cat(parts).mean(dim=0, keepdim=True) for parts in zip(*map(vectors_of, seen), strict=True)]
        sides_px = plan.patch_px[1:] or plan.patch_px
        grids = [
            _merged(torch.cat(parts), corners, px, shape=grey.shape)
            for px, parts in zip(sides_px, zip(*map(grids_of, seen), strict=True), strict=True)
        ]
        kept = [g[:, :, : max(1, height // px), : max(1, width // px)] for px, g in zip(sides_px, grids, strict=True)]
        fine = kept[-1].shape[2:]
        coarser = [
            functional.interpolate(g, scale_factor=px // sides_px[-1], mode="nearest")[:, :, : fine[0], : fine[1]]
            for px, g in zip(sides_px[:-1], grids[:-1], strict=True)
        ]
        patches = torch.cat([kept[-1], *coarser], dim=1)[0].permute(1, 2, 0)
        return ImageEmbedding(
            whole=summarised(vectors, kept)[0].numpy(), patches=patches.float().numpy(), patch_px=float(sides_px[-1])
        )

    @torch.inference_mode()
    def explain(self, frame: Float[np.ndarray, "height width"]) -> Fused:
        """Return all that the network makes of one image of at most 192 x 192 px, weights included; see `Fused`.

        Raises
        ------
        InputError
            The image is larger, or smaller than 32 x 32 px.
        """
        if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE_PX or max(frame.shape) > WINDOW_PX:
            raise InputError(
                f"the image has shape {frame.shape}; accepted are (height, width) of {LEAST_SIDE_PX} to {WINDOW_PX} px"
            )
        margin = [(0, -n % self._network.plan.side_px) for n in frame.shape]
        grey = np.pad(normalised(frame), margin, mode="symmetric")
        fused: Fused = self._network(torch.from_numpy(grey)[None, None])
        return fused


def _starts(length: int, side: int, step: int) -> list[int]:
    """Return where windows begin: as few as cover the length, multiples of the step, evenly spread.

    Examples
    --------
    >>> _starts(256, 256, 64), _starts(576, 256, 64)
    ([0], [0, 128, 320])
    """
    count = -(-length // side)
    if count == 1:
        return [0]
    last = (length - side) // step
    return [last * k // (count - 1) * step for k in range(count)]


def _merged(
    parts: Float[Tensor, "window channel row column"],
    corners: Sequence[tuple[int, int]],
    patch_px: int,
    *,
    shape: tuple[int, ...],
) -> Float32[Tensor, "1 channel rows columns"]:
    """Return the patches of the windows as one grid, the mean where windows overlap."""
    rows, columns = parts.shape[2:]
    merged = torch.zeros(1, parts.shape[1], shape[0] // patch_px, shape[1] // patch_px)
    times = torch.zeros(1, 1, *merged.shape[2:])
    for part, (top, left) in zip(parts, corners, strict=True):
        here = (
            ...,
            slice(top // patch_px, top // patch_px + rows),
            slice(left // patch_px, left // patch_px + columns),
        )
        merged[here] += part
        times[here] += 1
    return merged / times


def load_fusion(path: Path, *, name: str, licence: str, caution: str) -> FusionEncoder:
    """Return a fused encoder from the file of its weights.

    Raises
    ------
    ReadError
        See `read_fusion`.
    """
    network, _ = read_fusion(path)
    return FusionEncoder(network, name=name, version=version_of([path], _PREPARED), licence=licence, caution=caution)
