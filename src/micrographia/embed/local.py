"""The image encoder that needs no download: feature maps of EfficientNet-Lite0 at five scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch.nn import functional

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder, tile_corners, version_of
from micrographia.embed.evidence import added_by_patches
from micrographia.embed.read_out import PatchEvidence
from micrographia.errors import InputError
from micrographia.segment.network.encoder import PACKAGED, EfficientNetLite, load_packaged, packaged_weights
from micrographia.segment.network.normalise import normalised

PATCH_PX: Final = 16
LEAST_SIDE_PX: Final = 32
_STATISTICS: Final = "2"
"""To be changed with `pooled` or `patch_vectors`, so that vectors made before and after do not meet."""
_SCALES: Final = (1, 2)
_MOST_EVIDENCE_PX: Final = 1024
_WINDOW_PX: Final = 512
_PART_PX: Final = 2048
# How far a feature sees, see `EfficientNetLite`: with these around them, windows and parts give what the whole gives.
_WINDOW_MARGIN_PX: Final = 64
_PART_MARGIN_PX: Final = 448


class LocalEncoder(Encoder):
    """EfficientNet-Lite0 as an encoder of images.

    Grey values are `normalised`. An image is mirrored at its right and lower edge up to a multiple of 32 px; features
    that lie there do not count. What is larger than 2944 px goes through in parts, whose statistics are joined.

    Parameters
    ----------
    network : EfficientNetLite
        With its weights.
    version : str
        See `version_of`.
    licence, caution : str
        See `Encoder`.
    """

    def __init__(self, network: EfficientNetLite, *, version: str, licence: str, caution: str) -> None:
        super().__init__(
            name=PACKAGED,
            version=version,
            sees=True,
            reads=False,
            shared_space=False,
            licence=licence,
            caution=caution,
        )
        self._network = network.eval()

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed images, in their order; see `Encoder`.

        ``whole`` is what `pooled` makes of the maps of the image, and then of those at twice the magnification.
        """
        for group in _alike(frames, most=batch):
            greys = np.stack([normalised(frame) for frame in group])
            # At twice the magnification the network sees what is finer than its first map.
            closer = functional.interpolate(torch.from_numpy(greys)[:, None], scale_factor=2, mode="bicubic")
            seen = zip(_embedded(greys, self._network), _embedded(closer[:, 0].numpy(), self._network), strict=True)
            for once, twice in seen:
                whole = np.concatenate([once.whole, twice.whole])
                yield ImageEmbedding(whole=whole, patches=once.patches, patch_px=once.patch_px)

    def evidence(
        self, frame: Float[np.ndarray, "height width"], slopes: Float[np.ndarray, " dimension"]
    ) -> PatchEvidence | None:
        """Return what each patch adds to a score, as `added_by_patches`, of the maps of both magnifications.

        See `Encoder`. None of images above 1024 px, whose maps would fill the memory.
        """
        if max(frame.shape) > _MOST_EVIDENCE_PX:
            return None
        grey = torch.from_numpy(normalised(frame))[None, None]
        shape = frame.shape[0] // PATCH_PX, frame.shape[1] // PATCH_PX
        added = torch.zeros(shape)
        for scale, along in zip(_SCALES, torch.from_numpy(slopes).float().chunk(2), strict=True):
            seen = grey if scale == 1 else functional.interpolate(grey, scale_factor=scale, mode="bicubic")
            height, width = seen.shape[2:]
            maps = [
                m[:, :, : max(1, height // s), : max(1, width // s)]
                for m, s in zip(_maps(_padded(seen), self._network), self._network.strides, strict=True)
            ]
            added += added_by_patches(
                maps,
                self._network.strides,
                lambda own, along=along: pooled(own)[0] @ along,  # type: ignore[misc]
                patch_px=PATCH_PX * scale,
                shape=shape,
            )
        return PatchEvidence(patch_px=PATCH_PX, added=added.numpy())

    def embed_tiles(
        self, frame: Float[np.ndarray, "height width"], *, side_px: int, step_px: int
    ) -> Float32[np.ndarray, "row column dimension"]:
        """Embed overlapping tiles; see `Encoder`. The image goes through once, and its maps are pooled tile by tile.

        So a tile is seen with its surroundings, in the greys of the whole image. Images whose maps would not fit in
        memory are cut.
        """
        if max(frame.shape) > _PART_PX:
            return super().embed_tiles(frame, side_px=side_px, step_px=step_px)
        tops, lefts = tile_corners(frame.shape, side_px=side_px, step_px=step_px)
        grey = torch.from_numpy(normalised(frame))[None, None]
        found = []
        for scale in _SCALES:
            seen = grey if scale == 1 else functional.interpolate(grey, scale_factor=2, mode="bicubic")
            maps = _maps(_padded(seen), self._network)
            found.append(
                [
                    [_of_tile(maps, self._network, top * scale, left * scale, side_px * scale) for left in lefts]
                    for top in tops
                ]
            )
        return np.concatenate([np.array(vectors, dtype=np.float32) for vectors in found], axis=2)


def load_local(*, licence: str, caution: str) -> LocalEncoder:
    """Return the packaged encoder.

    Examples
    --------
    >>> encoder = load_local(licence="Apache-2.0", caution="")
    >>> (ramp,) = encoder.embed_images([np.tile(np.linspace(0, 1, 80), (64, 1))])
    >>> ramp.whole.shape, ramp.patches.shape
    ((4096,), (4, 5, 512))
    """
    version = version_of([packaged_weights()], f"{_STATISTICS} grey 1 to 99 % to -1 to 1, mirrored to 32 px")
    return LocalEncoder(load_packaged(), version=version, licence=licence, caution=caution)


def pooled(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return what stands for a whole image: four statistics of each channel of each map.

    A mean tells of what there is much of, an extreme of what there is once. The values of a map under a statistic are
    scaled to a root mean square of 1, so that no map outweighs another and the contrast of the image does not count.

    Parameters
    ----------
    maps : sequence of float tensor (batch, channel, row, column)
        Feature maps, finest first.

    Returns
    -------
    float tensor (batch, dimension)
        For each statistic, mean, standard deviation, greatest and least value, the channels of all maps.

    Examples
    --------
    >>> pooled([torch.tensor([[[[1.0, 3.0]]]])]).tolist()
    [[1.0, 1.0, 1.0, 1.0]]
    """
    return _finished(_raw(maps), [m.shape[1] for m in maps])


def _raw(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return mean, mean square, greatest and least value of each channel, (statistic, batch, channels of all maps)."""
    statistics = []
    for m in maps:
        flat = m.flatten(2)
        variance, mean = (s.double() for s in torch.var_mean(flat, dim=2, correction=0))
        # Parts are joined by their mean squares, in double precision: a difference of large numbers follows.
        statistics.append(torch.stack([mean, variance + mean.square(), flat.amax(2), flat.amin(2)]))
    return torch.cat(statistics, dim=2)


def _joined(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """Return what `_raw` makes of two parts together; ``share`` is that of the other in their area."""
    means = one[:2] * (1 - share) + other[:2] * share
    return torch.stack([*means, torch.maximum(one[2], other[2]), torch.minimum(one[3], other[3])])


def _finished(raw: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    mean, square, most, least = raw
    spread = (square - mean.square()).clamp_min(0).sqrt()
    parts = [part for values in (mean, spread, most, least) for part in values.split(list(channels), dim=1)]
    of_size_one = [p / p.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-9) for p in parts]
    return torch.cat(of_size_one, dim=1).float()


def patch_vectors(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the maps side by side on one grid of 16 px: finer ones averaged over it, coarser ones repeated.

    Parameters
    ----------
    maps : sequence of float tensor (batch, channel, row, column)
        Feature maps at strides of 2, 4, 8, 16 and 32 px.

    Returns
    -------
    float tensor (batch, row, column, channels of all maps)
        One vector a patch.
    """
    rows, columns = maps[3].shape[2:]
    return torch.cat([functional.interpolate(m, size=(rows, columns), mode="area") for m in maps], dim=1).permute(
        0, 2, 3, 1
    )


@torch.inference_mode()
def _embedded(greys: Float32[np.ndarray, "batch height width"], network: EfficientNetLite) -> list[ImageEmbedding]:
    """Return the embeddings of images of one size, part by part where they are large."""
    height, width = greys.shape[1:]
    images = torch.from_numpy(greys)[:, None]
    padded = _padded(images)
    patches = np.empty((len(greys), height // PATCH_PX, width // PATCH_PX, sum(network.channels)), dtype=np.float32)
    raw, area = torch.zeros(()), 0
    for top, bottom, first, last in _spans(padded.shape[2], _PART_PX, _PART_MARGIN_PX):
        for left, right, start, end in _spans(padded.shape[3], _PART_PX, _PART_MARGIN_PX):
            seen = padded[:, :, first:last, start:end]
            maps = [
                m[:, :, (top - first) // s : (bottom - first) // s, (left - start) // s : (right - start) // s]
                for m, s in zip(_maps(seen, network), network.strides, strict=True)
            ]
            vectors = patch_vectors(maps).numpy()
            here = patches[:, top // PATCH_PX : bottom // PATCH_PX, left // PATCH_PX : right // PATCH_PX]
            here[:] = vectors[:, : here.shape[1], : here.shape[2]]
            # Features that lie in the mirrored margin say nothing new.
            inside = min(bottom, height) - top, min(right, width) - left
            kept = [
                m[:, :, : max(1, inside[0] // s), : max(1, inside[1] // s)]
                for m, s in zip(maps, network.strides, strict=True)
            ]
            here_px = inside[0] * inside[1]
            area += here_px
            raw = _raw(kept) if area == here_px else _joined(raw, _raw(kept), here_px / area)
    return [
        ImageEmbedding(whole=whole, patches=own, patch_px=float(PATCH_PX))
        for whole, own in zip(_finished(raw, network.channels).numpy(), patches, strict=True)
    ]


@torch.inference_mode()
def _of_tile(
    maps: Sequence[torch.Tensor], network: EfficientNetLite, top: int, left: int, side: int
) -> Float32[np.ndarray, " dimension"]:
    """Return the statistics of one tile of an image's maps."""
    kept = [
        m[:, :, top // s : max(top // s + 1, (top + side) // s), left // s : max(left // s + 1, (left + side) // s)]
        for m, s in zip(maps, network.strides, strict=True)
    ]
    return np.asarray(pooled(kept)[0].numpy())


def _padded(images: torch.Tensor) -> torch.Tensor:
    """Return images mirrored at the right and the lower edge up to multiples of 32 px."""
    height, width = images.shape[2:]
    return functional.pad(images, (0, -width % 32, 0, -height % 32), mode="reflect")


@torch.inference_mode()
def _maps(images: torch.Tensor, network: EfficientNetLite) -> list[torch.Tensor]:
    """Return the maps of images; the fine ones, which take the memory, window by window."""
    rows = [
        [
            [
                m[:, :, (top - first) // s : (bottom - first) // s, (left - start) // s : (right - start) // s]
                for m, s in zip(network.fine(images[:, :, first:last, start:end]), network.strides, strict=False)
            ]
            for left, right, start, end in _spans(images.shape[3], _WINDOW_PX, _WINDOW_MARGIN_PX)
        ]
        for top, bottom, first, last in _spans(images.shape[2], _WINDOW_PX, _WINDOW_MARGIN_PX)
    ]
    fine = [torch.cat([torch.cat([w[k] for w in row], dim=3) for row in rows], dim=2) for k in range(3)]
    return [*fine, *network.coarse(fine[-1])]


def _spans(length: int, core: int, margin: int) -> list[tuple[int, int, int, int]]:
    """Return where parts of a length begin and end, and where what is shown with them does; all multiples of 32.

    Examples
    --------
    >>> _spans(640, 640, 64), _spans(1600, 512, 64)
    ([(0, 640, 0, 640)], [(0, 544, 0, 608), (544, 1088, 480, 1152), (1088, 1600, 1024, 1600)])
    """
    count = max(1, round(length / core)) if length > core + 2 * margin else 1
    size = 32 * -(-length // (32 * count))
    edges = [*range(0, length, size), length]
    return [(a, b, max(0, a - margin), min(length, b + margin)) for a, b in pairwise(edges)]


def _alike(
    frames: Sequence[Float[np.ndarray, "_height _width"]], *, most: int
) -> Iterator[list[Float[np.ndarray, "height width"]]]:
    """Return neighbours of one size together, large ones alone."""
    group: list[Float[np.ndarray, "height width"]] = []
    for k, frame in enumerate(frames):
        if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE_PX:
            raise InputError(
                f"image {k + 1} of {len(frames)} is of shape {frame.shape}; encoder {PACKAGED} accepts (height, width) "
                f"of at least {LEAST_SIDE_PX} x {LEAST_SIDE_PX} px"
            )
        large = frame.size > _WINDOW_PX**2
        if group and (large or len(group) >= most or group[0].shape != frame.shape):
            yield group
            group = []
        group.append(frame)
        if large:
            yield group
            group = []
    if group:
        yield group
