"""Qualify: samples against the criteria of a library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.choose import DEFAULT_SEES, DESCRIBES, load_embedder
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError
from micrographia.findings import Decision, Qualification, Verdict, WhereEvidence
from micrographia.micrograph import Micrograph
from micrographia.qualify.calibrated import calibrate
from micrographia.qualify.conformal import references_needed
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.evidence import Known, Seen, View
from micrographia.qualify.library import (
    Contents,
    Library,
    Reference,
    contents,
    image_path,
    load_vectors,
    region_mask,
    store_vectors,
)
from micrographia.qualify.similarity.net import net_similarity
from micrographia.qualify.verdict import Ready, decide, make_ready
from micrographia.read import read

_STORED_AT_ONCE: Final = 64
_SAME: Final = 1e-6
_SAME_GREY: Final = 1e-3
_LEAST_TILE_PX: Final = 64
_TILES_A_SIDE: Final = 4


@dataclass(frozen=True, kw_only=True)
class QualifySettings:
    """How samples are qualified.

    Parameters
    ----------
    alpha : float
        Share of decisions that may be wrong, above 0 and up to 0.5.
    encoders : tuple of str
        Encoders of images, as `load_embedder` names them; of those that read, the texts of criteria count too.
    texts : str, optional
        Encoder by which texts are compared where no other reads them; None to leave texts out.
    allow_known : bool
        Whether to qualify a sample that is itself among the references, which decides nothing.
    where : bool
        Whether to map where in the image the evidence lies.
    criteria : tuple of str, optional
        Ids of criteria; None for all.
    """

    alpha: float = 0.05
    encoders: tuple[str, ...] = (DEFAULT_SEES,)
    texts: str | None = DESCRIBES
    allow_known: bool = False
    where: bool = True
    criteria: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        references_needed(self.alpha)
        if not self.encoders or len(set(self.encoders)) < len(self.encoders):
            raise InputError(f"encoders are {', '.join(self.encoders) or 'none'}; accepted is at least one, none twice")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A library made ready for samples.

    Parameters
    ----------
    library : Library
        The library.
    contents : Contents
        What it held at that moment.
    settings : QualifySettings
        How samples are qualified.
    encoders : tuple of Encoder
        Those that see.
    ready : tuple of Ready
        The criteria.
    text_sides : mapping of str to mapping of str to (float array, float array)
        By criterion and encoder, the embeddings of its positive and negative texts.
    """

    library: Library
    contents: Contents
    settings: QualifySettings
    encoders: tuple[Encoder, ...]
    ready: tuple[Ready, ...]
    text_sides: Mapping[str, Mapping[str, TextSides]]


TextSides = tuple[Float32[np.ndarray, "_positive _dimension"], Float32[np.ndarray, "_negative _dimension"]]


def prepare(
    library: Library,
    *,
    settings: QualifySettings,
    actor: str,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Make a library ready: embed references that have not been, fit and calibrate each criterion.

    Parameters
    ----------
    library : Library
        The library; where it may be changed, new embeddings are stored.
    settings : QualifySettings
        How samples are qualified.
    actor : str
        Who asks.
    progress : callable, optional
        Told how many references are embedded, of how many.

    Raises
    ------
    InputError
        There is no such criterion or encoder, or no criterion has references of both sides.
    IntegrityError
        A stored embedding or image was altered.
    """
    held = contents(library)
    wanted = _wanted(held, settings)
    encoders = _encoders(wanted, settings)
    used = tuple({(r.image_sha256, r.region): r for c in wanted for r in held.references[c.id]}.values())
    if not any({r.polarity for r in held.references[c.id]} == {"accept", "reject"} for c in wanted):
        raise InputError(
            f"library {library.folder} has no criterion with references to accept and to reject among "
            f"{', '.join(c.id for c in wanted)}; accepted is at least one of each: `micrographia library add`"
        )
    vectors = {}
    for k, encoder in enumerate(encoders):

        def tell(done: int, total: int, before: int = k) -> None:
            if progress is not None:
                progress(before * total + done, len(encoders) * total)

        vectors[encoder.name] = _vectors(library, used, encoder, actor=actor, progress=tell)
    sides = {c.id: _text_sides(c, encoders) for c in wanted}
    ready = tuple(_ready(c, held.references[c.id], encoders, vectors, sides[c.id], settings) for c in wanted)
    return Prepared(library=library, contents=held, settings=settings, encoders=encoders, ready=ready, text_sides=sides)


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
    vectors = {e.name: next(iter(cached_embeddings(e, [frame]))).whole[None] for e in prepared.encoders}
    twin = _twin(micrograph, vectors, prepared)
    if twin is not None:
        if not settings.allow_known:
            raise InputError(
                f"{micrograph.provenance.file} is reference {twin} of this library, and would be compared with itself; "
                "accepted is a sample that is not among the references, or --allow-known to go on"
            )
        remarks.append(f"It is reference {twin} of this library and was compared with itself.")
    tiles = _tiles(frame, prepared) if settings.where else None
    verdicts = tuple(_decided(ready, vectors, tiles, prepared) for ready in prepared.ready)
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


def _wanted(held: Contents, settings: QualifySettings) -> tuple[Criterion, ...]:
    if settings.criteria is None:
        return held.criteria
    known = {c.id: c for c in held.criteria}
    if stray := [name for name in settings.criteria if name not in known]:
        raise InputError(f"criterion is {stray[0]!r}; accepted are those of the library: {', '.join(known)}")
    return tuple(known[name] for name in settings.criteria)


def _encoders(wanted: tuple[Criterion, ...], settings: QualifySettings) -> tuple[Encoder, ...]:
    """Return the encoders that see, and one that reads as well where there are texts and none of them does."""
    encoders = [load_embedder(name) for name in settings.encoders]
    if blind := [e.name for e in encoders if not e.sees]:
        raise InputError(
            f"encoder {blind[0]} does not see images; accepted is one that does: micrographia embed --list"
        )
    texts = any(c.accept_texts and c.reject_texts for c in wanted)
    if texts and settings.texts is not None and not any(e.shared_space for e in encoders):
        reader = load_embedder(settings.texts)
        if not reader.shared_space:
            raise InputError(
                f"encoder {reader.name} does not compare texts with images; accepted is one that does: "
                "micrographia embed --list"
            )
        encoders.append(reader)
    return tuple(encoders)


def _vectors(
    library: Library,
    used: tuple[Reference, ...],
    encoder: Encoder,
    *,
    actor: str,
    progress: Callable[[int, int], None],
) -> dict[tuple[str, str], Float32[np.ndarray, " _dimension"]]:
    """Return the embedding of every reference; those that are not stored are made, and stored where that is allowed."""
    keys = [(r.image_sha256, r.region) for r in used]
    found = load_vectors(library, keys, encoder=encoder)
    missing = [r for r, key in zip(used, keys, strict=True) if key not in found]
    progress(len(found), len(keys))
    for start in range(0, len(missing), _STORED_AT_ONCE):
        fresh: dict[tuple[str, str], ImageEmbedding] = {}
        for reference in missing[start : start + _STORED_AT_ONCE]:
            (embedding,) = cached_embeddings(encoder, [reference_frame(library, reference)])
            key = (reference.image_sha256, reference.region)
            # Verdicts rest on whole images; their patches would take a thousand times the room.
            fresh[key] = replace(embedding, patches=embedding.patches.mean(axis=(0, 1), keepdims=True))
            found[key] = embedding.whole
            progress(len(found), len(keys))
        if library.writable:
            store_vectors(library, fresh, encoder=encoder, actor=actor)
    return found


def reference_frame(library: Library, reference: Reference) -> Float32[np.ndarray, "_height _width"]:
    """Return what counts of a reference's image: all of it, or the smallest upright box around its region."""
    frame: Float32[np.ndarray, "_height _width"] = read(image_path(library, reference)).frames[0]
    region = region_mask(library, reference, (frame.shape[0], frame.shape[1]))
    if region is None:
        return frame
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    box: Float32[np.ndarray, "_row _column"] = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return box


def _text_sides(criterion: Criterion, encoders: tuple[Encoder, ...]) -> dict[str, TextSides]:
    if not (criterion.accept_texts and criterion.reject_texts):
        return {}
    return {
        e.name: (e.embed_texts(criterion.accept_texts), e.embed_texts(criterion.reject_texts))
        for e in encoders
        if e.shared_space
    }


def _ready(
    criterion: Criterion,
    references: tuple[Reference, ...],
    encoders: tuple[Encoder, ...],
    vectors: Mapping[str, Mapping[tuple[str, str], Float32[np.ndarray, " _dimension"]]],
    sides: Mapping[str, TextSides],
    settings: QualifySettings,
) -> Ready:
    by_image = [e.name for e in encoders if e.name in settings.encoders]
    views = (
        *(View(encoder=name, modality="image") for name in by_image),
        *(View(encoder=name, modality="text") for name in sides),
    )
    keys = [(r.image_sha256, r.region) for r in references]
    # In the same precision as samples: a sample that is like a reference must not differ from it by rounding.
    stacked = {n: np.array([own[k] for k in keys], dtype=np.float64) for n, own in vectors.items()} if keys else {}
    accepted = np.array([r.polarity == "accept" for r in references], dtype=bool)
    specimens, remark = _specimens(references, accepted)
    known = Known(
        ids=tuple(r.id for r in references),
        accepted=accepted,
        specimens=specimens,
        images=tuple(stacked[name] for name in by_image) if keys else (),
        nets=tuple(net_similarity(stacked[name], *sides[name]) for name in sides) if keys else (),
    )
    calibrated = calibrate(known) if min(known.counts) else None
    ready = make_ready(criterion, views, known, calibrated=calibrated, alpha=settings.alpha)
    return replace(ready, remarks=(*ready.remarks, *remark))


def _specimens(
    references: tuple[Reference, ...], accepted: np.ndarray
) -> tuple[Int[np.ndarray, " reference"], tuple[str, ...]]:
    """Return a number for each reference's specimen, and a remark where they cannot be left out one at a time."""
    each = np.arange(len(references))
    names = [r.specimen for r in references]
    for side, word in ((True, "accept"), (False, "reject")):
        own = {name for name, on in zip(names, accepted, strict=True) if on == side}
        if len(own) == 1 and None not in own and np.count_nonzero(accepted == side) > 1:
            return each, (
                f"All references to {word} are of specimen {own.pop()}: how other specimens differ is not known, and "
                "p-values hold for samples of the same specimens only.",
            )
    first = {name: k for k, name in reversed(list(enumerate(names)))}
    return np.array([k if name is None else first[name] for k, name in enumerate(names)], dtype=int), ()


def _decided(
    ready: Ready,
    vectors: Mapping[str, Float32[np.ndarray, "sample _dimension"]],
    tiles: _Tiles | None,
    prepared: Prepared,
) -> Verdict:
    sides = prepared.text_sides[ready.criterion.id]
    where = None
    if tiles is not None and ready.calibrated is not None:
        score = ready.calibrated.frozen.score(_seen(ready, tiles.vectors, sides))
        where = WhereEvidence(score=score.reshape(tiles.shape), tile_px=tiles.tile_px, step_px=tiles.step_px)
    return decide(_seen(ready, vectors, sides), ready, where=where)


def _seen(
    ready: Ready, vectors: Mapping[str, Float32[np.ndarray, "_sample _dimension"]], sides: Mapping[str, TextSides]
) -> Seen:
    by_image = [v.encoder for v in ready.views if v.modality == "image"]
    by_text = [v.encoder for v in ready.views if v.modality == "text"]
    return Seen(
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
