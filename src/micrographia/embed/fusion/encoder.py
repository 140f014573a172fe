"""The fused network as an encoder of images of any size, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder, version_of
from micrographia.embed.fusion.looks import looked_at, said
from micrographia.embed.fusion.network import Fused, FusionNetwork
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.summary import summarised, vectors_of
from micrographia.embed.read_out import LevelReadOut, ReadOut
from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

LEAST_SIDE_PX: Final = 32
WINDOW_PX: Final = 256
_BESIDE: Final = 2
_BATCH: Final = 8
_PREPARED: Final = "2 grey 1 to 99 % to -1 to 1, mirrored to 64 px, windows of 256 px"


class FusionEncoder(Encoder):
    """A fused network as an encoder of images.

    Grey values are `normalised`, and an image is mirrored at its right and lower edge up to a multiple of 64 px. What
    is larger than 256 px is looked at in windows; neighbours overlap where the side is no multiple of 256 px. Patches
    that lie in the margin do not count.

    Parameters
    ----------
    network : FusionNetwork
        With its weights.
    sentences : sequence of str
        Of its bank.
    name, version, licence, caution : str
        See `Encoder`.
    """

    def __init__(
        self,
        network: FusionNetwork,
        sentences: Sequence[str],
        *,
        name: str,
        version: str,
        licence: str,
        caution: str,
    ) -> None:
        super().__init__(
            name=name, version=version, sees=True, reads=False, shared_space=False, licence=licence, caution=caution
        )
        self._network = network.eval()
        self._sentences = tuple(sentences)
        self.plan = network.plan

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed images, in their order; see `Encoder`.

        ``whole`` is what `summarised` makes of the mean over the windows and of all patches; a patch is that of the
        finest level beside the one of the next level in which it lies.
        """
        for k, frame in enumerate(frames):
            _check_size(frame, self.name, f"image {k + 1} of {len(frames)}")
            yield self._embedded(frame, batch)

    @torch.inference_mode()
    def _embedded(self, frame: Float[np.ndarray, "height width"], batch: int) -> ImageEmbedding:
        plan = self.plan
        height, width = frame.shape
        shown = _windows(frame, plan.side_px)
        seen = list(self._seen(shown, batch))
        vectors = [torch.cat(parts).mean(dim=0, keepdim=True) for parts in zip(*map(vectors_of, seen), strict=True)]
        merged = [
            shown.merged(torch.cat(parts), px)
            for px, parts in zip(plan.patch_px, zip(*(fused.patches for fused in seen), strict=True), strict=True)
        ]
        # Patches that lie in the mirrored margin say nothing new.
        grids = [
            g[:, :, : max(1, height // px), : max(1, width // px)] for px, g in zip(plan.patch_px, merged, strict=True)
        ]
        return ImageEmbedding(
            whole=summarised(vectors, grids)[0].numpy(),
            patches=_beside(merged[-_BESIDE:], grids[-1].shape[2:]).numpy(),
            patch_px=float(plan.patch_px[-1]),
        )

    @torch.inference_mode()
    def read_out(self, frame: Float[np.ndarray, "height width"]) -> ReadOut:
        """Return what the network looked at in an image; weights are means over the windows. See `Encoder`."""
        _check_size(frame, self.name, "the image")
        plan = self.plan
        height, width = frame.shape
        shown = _windows(frame, plan.side_px)
        seen = list(self._seen(shown, _BATCH))
        gates = torch.cat([fused.gates for fused in seen]).mean(dim=0).tolist()
        looked = torch.cat([looked_at(fused) for fused in seen])
        times = looked * looked[0].numel()
        patch_px = plan.patch_px[-1]
        patches = shown.merged(times[:, None], patch_px)[0, 0]
        return ReadOut(
            levels=tuple(
                LevelReadOut(patch_px=px, patch_stream=one, graph_stream=other)
                for px, (one, other) in zip(plan.patch_px, gates, strict=True)
            ),
            patches=patches[: max(1, height // patch_px), : max(1, width // patch_px)].numpy(),
            patch_px=patch_px,
            sentences=said([fused.spoken for fused in seen if fused.spoken is not None], self._sentences),
        )

    def _seen(self, shown: _Windows, batch: int) -> Iterator[Fused]:
        for k in range(0, len(shown.greys), batch):
            yield self._network(shown.greys[k : k + batch])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Windows:
    """An image in windows.

    Parameters
    ----------
    greys : float tensor (window, 1, side, side)
        Normalised.
    corners : list of (int, int)
        Row and column where each begins [px].
    shape : (int, int)
        Height and width of the image with its margin [px].
    """

    greys: Float32[Tensor, "window 1 height width"]
    corners: list[tuple[int, int]]
    shape: tuple[int, int]

    def merged(
        self, parts: Float[Tensor, "window channel row column"], patch_px: int
    ) -> Float32[Tensor, "1 channel rows columns"]:
        """Return the patches of the windows as one grid, the mean where windows overlap."""
        rows, columns = parts.shape[2:]
        merged = torch.zeros(1, parts.shape[1], self.shape[0] // patch_px, self.shape[1] // patch_px)
        times = torch.zeros(1, 1, *merged.shape[2:])
        for part, (top, left) in zip(parts, self.corners, strict=True):
            here = (
                ...,
                slice(top // patch_px, top // patch_px + rows),
                slice(left // patch_px, left // patch_px + columns),
            )
            merged[here] += part
            times[here] += 1
        return merged / times


def _windows(frame: Float[np.ndarray, "height width"], multiple_px: int) -> _Windows:
    height, width = frame.shape
    grey = np.pad(normalised(frame), ((0, -height % multiple_px), (0, -width % multiple_px)), mode="symmetric")
    side = tuple(min(WINDOW_PX, n) for n in grey.shape)
    corners = [
        (top, left)
        for top in _starts(grey.shape[0], side[0], multiple_px)
        for left in _starts(grey.shape[1], side[1], multiple_px)
    ]
    greys = torch.from_numpy(np.stack([grey[t : t + side[0], x : x + side[1]] for t, x in corners]))[:, None]
    return _Windows(greys=greys, corners=corners, shape=(grey.shape[0], grey.shape[1]))


def _beside(
    grids: Sequence[Float[Tensor, "1 channel _row _column"]], shape: Sequence[int]
) -> Float[Tensor, "row column channels"]:
    """Return the vectors of the finest patches, each beside those of the coarser ones in which it lies."""
    rows = grids[-1].shape[2]
    spread = [functional.interpolate(g, scale_factor=rows // g.shape[2], mode="nearest") for g in reversed(grids)]
    return torch.cat(spread, dim=1)[0, :, : shape[0], : shape[1]].permute(1, 2, 0).float()


def _check_size(frame: Float[np.ndarray, "height width"], name: str, which: str) -> None:
    if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE_PX:
        raise InputError(
            f"{which} is of shape {frame.shape}; encoder {name} accepts (height, width) of at least "
            f"{LEAST_SIDE_PX} x {LEAST_SIDE_PX} px"
        )


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


def load_fusion(path: Path, *, name: str, licence: str, caution: str) -> FusionEncoder:
    """Return a fused encoder from the file of its weights.

    Raises
    ------
    ReadError
        See `read_fusion`.
    """
    network, record = read_fusion(path)
    version = version_of([path], _PREPARED)
    return FusionEncoder(network, record["sentences"], name=name, version=version, licence=licence, caution=caution)
