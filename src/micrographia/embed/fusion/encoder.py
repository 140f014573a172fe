"""The fused network as an encoder of images of any size, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder, version_of
from micrographia.embed.evidence import added_by_patches
from micrographia.embed.fusion.looks import looked_at
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import STEM_PX
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.summary import grids_of, grids_px, related_px, summarised, vectors_of
from micrographia.embed.read_out import LevelReadOut, PatchEvidence, ReadOut
from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

LEAST_SIDE_PX: Final = 32
WINDOW_PX: Final = 256
_LEVELS_IN_PATCHES: Final = 2
_BATCH: Final = 8
_PREPARED: Final = "4 grey 1 to 99 % to -1 to 1, mirrored to 64 px, windows of 256 px"


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

        ``whole`` is what `summarised` makes of the mean over the windows and of all patches. A patch of 16 px is what
        the stem sees in it beside the last map, and before them, if there are streams, what these make of it and of
        the patch of the next level in which it lies.
        """
        for k, frame in enumerate(frames):
            _check_size(frame, self.name, f"image {k + 1} of {len(frames)}")
        for shape, group in groupby(frames, key=lambda frame: frame.shape):
            alike = list(group)
            at_once = max(1, batch // _windows_of(shape, self.plan.side_px))
            for k in range(0, len(alike), at_once):
                for seen in self._see(alike[k : k + at_once], batch):
                    yield ImageEmbedding(
                        whole=summarised(seen.vectors, seen.grids, seen.related)[0].numpy(),
                        patches=self._side_by_side(seen.grids).numpy(),
                        patch_px=float(STEM_PX),
                    )

    def read_out(self, frame: Float[np.ndarray, "height width"]) -> ReadOut | None:
        """Return what the network attended to in an image; weights are means over its windows. See `Encoder`.

        None without streams.
        """
        _check_size(frame, self.name, "the image")
        (seen,) = self._see([frame], _BATCH)
        if seen.looks is None:
            return None
        order = seen.sentences.argsort(descending=True).tolist()
        return ReadOut(
            levels=tuple(
                LevelReadOut(patch_px=px, patch_stream=one, graph_stream=other)
                for px, (one, other) in zip(self.plan.patch_px, seen.gates.tolist(), strict=True)
            ),
            patches=(seen.looks / seen.looks.mean()).numpy(),
            patch_px=self.plan.patch_px[-1],
            sentences=tuple((self._sentences[k], float(seen.sentences[k])) for k in order),
        )

    def evidence(
        self, frame: Float[np.ndarray, "height width"], slopes: Float[np.ndarray, " dimension"]
    ) -> PatchEvidence:
        """Return what each patch adds to a score of the image's vector; see `Encoder`.

        As `added_by_patches`, of all maps whose statistics or relations count. What patches add by way of the fused
        vectors, and of language, is left out.
        """
        _check_size(frame, self.name, "the image")
        (seen,) = self._see([frame], _BATCH)
        slope = torch.from_numpy(slopes).float()
        count = len(seen.grids)
        added = added_by_patches(
            [*seen.grids, *seen.related],
            [*grids_px(self.plan), *related_px(self.plan)],
            lambda maps: summarised(seen.vectors, maps[:count], maps[count:])[0] @ slope,
            patch_px=STEM_PX,
            shape=(max(1, frame.shape[0] // STEM_PX), max(1, frame.shape[1] // STEM_PX)),
        )
        return PatchEvidence(patch_px=STEM_PX, added=added.numpy())

    @torch.no_grad()
    def _see(self, frames: Sequence[Float[np.ndarray, "height width"]], batch: int) -> list[_Seen]:
        """Return what the network makes of images of one size."""
        shown = [_windows(frame, self.plan.side_px) for frame in frames]
        greys = torch.cat([one.greys for one in shown])
        vectors, grids, related, gates, looks, words = [], [], [], [], [], []
        for k in range(0, len(greys), batch):
            fused = self._network(greys[k : k + batch])
            vectors.append(vectors_of(fused))
            grids.append(grids_of(fused))
            related.append(fused.related)
            if fused.streams is not None:
                gates.append(fused.streams.gates)
                looks.append(looked_at(fused.streams))
                spoken = fused.streams.spoken
                words.append(torch.zeros(len(looks[-1]), 0) if spoken is None else spoken.sentences.softmax(dim=1))
        of_images, of_grids, of_related = (
            [torch.cat(part) for part in zip(*some, strict=True)] for some in (vectors, grids, related)
        )
        height, width = frames[0].shape

        def put_together(one: _Windows, own: slice, maps: Sequence[Tensor], maps_px: Sequence[int]) -> list[Tensor]:
            # What lies in the mirrored margin says nothing new.
            return [
                one.merged(m[own], px)[:, :, : max(1, height // px), : max(1, width // px)]
                for m, px in zip(maps, maps_px, strict=True)
            ]

        found = []
        for k, one in enumerate(shown):
            own = slice(k * len(one.greys), (k + 1) * len(one.greys))
            found.append(
                _Seen(
                    vectors=[v[own].mean(dim=0, keepdim=True) for v in of_images],
                    grids=put_together(one, own, of_grids, grids_px(self.plan)),
                    related=put_together(one, own, of_related, related_px(self.plan)),
                    gates=torch.cat(gates)[own].mean(dim=0) if gates else torch.zeros(0, 2),
                    looks=put_together(one, own, [torch.cat(looks)[:, None]], [STEM_PX])[0][0, 0] if looks else None,
                    sentences=torch.cat(words)[own].mean(dim=0) if words else torch.zeros(0),
                )
            )
        return found

    def _side_by_side(self, grids: Sequence[Float[Tensor, "1 _channel _row _column"]]) -> Float[Tensor, "row column n"]:
        """Return the vectors of the patches of 16 px, each beside those of the coarser ones in which it lies.

        At the right and the lower edge, where there is no whole coarser patch, the last one stands in.
        """
        # Fused patches of each level come first, what the stem saw on the finest one and the last map come last.
        finest, deep = len(grids) - 2, len(grids) - 1
        levels = len(self.plan.patch_px)
        streams = range(levels)[: -_LEVELS_IN_PATCHES - 1 : -1] if self.plan.fused else ()
        rows, columns = grids[finest].shape[2:]
        spread = []
        for k in (*streams, finest, deep):
            times = grids_px(self.plan)[k] // STEM_PX
            down, across = (
                torch.arange(n).div(times, rounding_mode="floor").clamp_max(m - 1)
                for n, m in zip((rows, columns), grids[k].shape[2:], strict=True)
            )
            spread.append(grids[k][0][:, down][:, :, across])
        return torch.cat(spread).permute(1, 2, 0).float()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """What the network makes of an image, its windows put together.

    Parameters
    ----------
    vectors : list of float tensor (1, width)
        Of the whole image.
    grids : list of float tensor (1, channel, row, column)
        See `grids_of`.
    related : list of float tensor (1, direction, row, column)
        Features whose relations count.
    gates : float tensor (level, stream)
        Weights of the streams; of no level where there are none.
    looks : float tensor (row, column) or None
        How much each of the finest patches was looked at, as a share of its window.
    sentences : float tensor (sentence,)
        Weights; of no sentence where there is no language.
    """

    vectors: list[Float[Tensor, "1 width"]]
    grids: list[Float[Tensor, "1 _channel _row _column"]]
    related: list[Float[Tensor, "1 direction _row _column"]]
    gates: Float[Tensor, "level stream"]
    looks: Float[Tensor, "row column"] | None
    sentences: Float[Tensor, " sentence"]


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


def _windows_of(shape: tuple[int, ...], multiple_px: int) -> int:
    """Return how many windows an image is looked at in."""
    return math.prod(-(-(n + -n % multiple_px) // WINDOW_PX) for n in shape)


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
