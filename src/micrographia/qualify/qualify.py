"""Qualify: a sample against the criteria of a library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from micrographia.embed.cache import cached_embeddings
from micrographia.errors import InputError
from micrographia.findings import Decision, Qualification, Verdict, WhereEvidence
from micrographia.micrograph import Micrograph
from micrographia.qualify.evidence import Seen
from micrographia.qualify.prepare import Prepared, TextSides
from micrographia.qualify.reference_images import reference_frame
from micrographia.qualify.similarity.net import net_similarity
from micrographia.qualify.similarity.patches import pooled_patches
from micrographia.qualify.verdict import Ready, decide

_SAME: Final = 1e-6
_SAME_GREY: Final = 1e-3
_LEAST_TILE_PX: Final = 64
_TILES_A_SIDE: Final = 4


def qualify(micrograph: Micrograph, prepared: Prepared) -> Qualification:
    """Return the verdicts on one sample.

    Parameters
    ----------
    micrograph : Micrograph
        The sample; its first channel counts.
    prepared : Prepared
        What `prepare` made of a library.

    Raises
    ------
    InputError
        The sample is among the references, or no encoder can see it.
    """
    settings = prepared.settings
    remarks = []
    frame = micrograph.frames[0]
    if len(micrograph.frames) > 1:
        remarks.append(f"Only the first of {len(micrograph.frames)} channels was looked at.")
    seen = {e.name: next(iter(cached_embeddings(e, [frame]))) for e in prepared.encoders}
    vectors = {name: embedding.whole[None] for name, embedding in seen.items()}
    patches = {name: pooled_patches(e.patches).reshape(1, -1, e.patches.shape[2]) for name, e in seen.items()}
    twin = _twin(micrograph, vectors, prepared)
    if twin is not None:
        if not settings.allow_known:
            raise InputError(
                f"{micrograph.provenance.file} is reference {twin} of this library, and would be compared with itself; "
                "accepted is a sample that is not among the references, or --allow-known to go on"
            )
        remarks.append(f"It is reference {twin} of this library and was compared with itself.")
    tiles = _tiles(frame, prepared) if settings.where else None
    verdicts = tuple(_decided(ready, vectors, patches, tiles, prepared) for ready in prepared.ready)
    return Qualification(
        micrograph=micrograph,
        verdicts=verdicts,
        disposition=disposition(tuple(v.verdict for v in verdicts)),
        library_id=prepared.library.id,
        library_version=prepared.contents.version,
        encoders={e.name: e.version for e in prepared.encoders},
        settings=asdict(settings),
        remarks=tuple(remarks),
    )


def disposition(verdicts: tuple[Decision, ...]) -> Decision:
    """Return what becomes of a sample: rejected by any criterion, else undecided by any, else accepted.

    Examples
    --------
    >>> disposition(("accept", "abstain")), disposition(("abstain", "reject")), disposition(("accept", "accept"))
    ('abstain', 'reject', 'accept')
    """
    if "reject" in verdicts:
        return "reject"
    return "abstain" if "abstain" in verdicts or not verdicts else "accept"


def _decided(
    ready: Ready,
    vectors: Mapping[str, Float32[np.ndarray, "sample _dimension"]],
    patches: Mapping[str, Float32[np.ndarray, "sample patch _dimension"]],
    tiles: _Tiles | None,
    prepared: Prepared,
) -> Verdict:
    sides = prepared.text_sides[ready.criterion.id]
    where = None
    if tiles is not None and ready.calibrated is not None:
        frozen = ready.calibrated.frozen.without_patches()
        score = frozen.score(_seen(ready, tiles.vectors, {}, sides))
        where = WhereEvidence(score=score.reshape(tiles.shape), tile_px=tiles.tile_px, step_px=tiles.step_px)
    return decide(_seen(ready, vectors, patches, sides), ready, where=where)


def _seen(
    ready: Ready,
    vectors: Mapping[str, Float32[np.ndarray, "_sample _dimension"]],
    patches: Mapping[str, Float32[np.ndarray, "_sample _patch _dimension"]],
    sides: Mapping[str, TextSides],
) -> Seen:
    """Return samples, or tiles of one, by the views of a criterion; tiles have no patches."""
    by_image, by_patches, by_text = (
        [v.encoder for v in ready.views if v.modality == modality] for modality in ("image", "patches", "text")
    )
    return Seen(
        patches=tuple(patches[name] for name in by_patches if patches),
        images=tuple(vectors[name].astype(np.float64) for name in by_image),
        nets=tuple(net_similarity(vectors[name].astype(np.float64), *sides[name]) for name in by_text),
    )


def _twin(
    micrograph: Micrograph, vectors: Mapping[str, Float[np.ndarray, "_one _dimension"]], prepared: Prepared
) -> str | None:
    """Return the id of a reference that is the sample, whatever file it came in; None where there is none."""
    for ready in prepared.ready:
        for reference in prepared.contents.references[ready.criterion.id]:
            if reference.image_sha256 == micrograph.provenance.sha256:
                return reference.id
        names = [v.encoder for v in ready.views if v.modality == "image"]
        for name, known in zip(names, ready.known.images, strict=False):
            same = np.abs(known - vectors[name]).max(axis=1) <= _SAME * np.abs(known).max()
            for k in np.flatnonzero(same):
                # Encoders that say little, as one that describes, may say the same of different pictures.
                reference = prepared.contents.references[ready.criterion.id][int(k)]
                if _same_picture(micrograph.frames[0], reference_frame(prepared.library, reference)):
                    return reference.id
    return None


def _same_picture(a: Float32[np.ndarray, "_row _column"], b: Float32[np.ndarray, "_line _pixel"]) -> bool:
    """Return whether the pixels are the same, in whatever unit of grey."""
    if a.shape != b.shape:
        return False
    one, other = ((f - f.mean(dtype=np.float64)) / (f.std(dtype=np.float64) or 1.0) for f in (a, b))
    return bool(np.abs(one - other).max() <= _SAME_GREY)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tiles:
    """Tiles of a sample, embedded: each as if it were an image of its own."""

    vectors: Mapping[str, Float32[np.ndarray, "_tile _dimension"]]
    shape: tuple[int, int]
    tile_px: int
    step_px: int


def _tiles(frame: Float32[np.ndarray, "height width"], prepared: Prepared) -> _Tiles | None:
    """Embed overlapping tiles; None for a sample that is too small for a map."""
    side = max(_LEAST_TILE_PX, min(frame.shape) // _TILES_A_SIDE)
    if min(frame.shape) < 2 * side:
        return None
    step = side // 2
    found = {e.name: e.embed_tiles(frame, side_px=side, step_px=step) for e in prepared.encoders}
    rows, columns = next(iter(found.values())).shape[:2]
    return _Tiles(
        vectors={name: vectors.reshape(rows * columns, -1) for name, vectors in found.items()},
        shape=(rows, columns),
        tile_px=side,
        step_px=step,
    )
