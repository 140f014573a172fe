"""A library made ready for samples: references embedded, each criterion fitted and calibrated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int

from micrographia.embed.choose import load_embedder
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError
from micrographia.qualify.calibrated import calibrate
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.evidence import Known, View
from micrographia.qualify.library import Contents, Library, Reference, contents
from micrographia.qualify.library.vectors import VectorKey
from micrographia.qualify.reference_images import Embedded, embedded_references, key_of
from micrographia.qualify.settings import QualifySettings
from micrographia.qualify.similarity.net import net_similarity
from micrographia.qualify.similarity.patches import GRID, LEAST_ACCEPTED, PatchBank, patch_bank
from micrographia.qualify.verdict import Ready, make_ready

MOST_WITH_PATCHES: Final = 200
"""References of a criterion up to which their patches are compared: of more, whole images tell enough."""


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
    beside_texts : mapping of str to mapping of VectorKey to float32 array (dimension,)
        By encoder, the references' embeddings that such texts are compared with.
    """

    library: Library
    contents: Contents
    settings: QualifySettings
    encoders: tuple[Encoder, ...]
    ready: tuple[Ready, ...]
    text_sides: Mapping[str, Mapping[str, TextSides]]
    beside_texts: Mapping[str, Mapping[VectorKey, Float32[np.ndarray, " _dimension"]]]

    def comparable(self, references: Sequence[Reference], encoder: str) -> Float[np.ndarray, "reference dimension"]:
        """Return the embeddings of references that texts are compared with, by one of the encoders."""
        return np.array([self.beside_texts[encoder][key_of(r)] for r in references], dtype=np.float64)


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
    used = tuple(r for c in wanted for r in held.references[c.id])
    if not any({r.polarity for r in held.references[c.id]} == {"accept", "reject"} for c in wanted):
        raise InputError(
            f"library {library.folder} has no criterion with references to accept and to reject among "
            f"{', '.join(c.id for c in wanted)}; accepted is at least one of each: `micrographia library add`"
        )
    few = [own for c in wanted if len(own := held.references[c.id]) <= MOST_WITH_PATCHES]
    patched = {key_of(r) for own in few for r in own}
    vectors = {}
    for k, encoder in enumerate(encoders):

        def tell(done: int, total: int, before: int = k) -> None:
            if progress is not None:
                progress(before * total + done, len(encoders) * total)

        vectors[encoder.name] = embedded_references(
            library, used, encoder, with_patches=patched, actor=actor, progress=tell
        )
    sides = {c.id: _text_sides(c, encoders) for c in wanted}
    ready = tuple(_ready(c, held.references[c.id], encoders, vectors, sides[c.id], settings) for c in wanted)
    beside = {name: {key: e.whole for key, e in vectors[name].items()} for own in sides.values() for name in own}
    return Prepared(
        library=library,
        contents=held,
        settings=settings,
        encoders=encoders,
        ready=ready,
        text_sides=sides,
        beside_texts=beside,
    )


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
    embedded: Mapping[str, Mapping[VectorKey, Embedded]],
    sides: Mapping[str, TextSides],
    settings: QualifySettings,
) -> Ready:
    own = {name: [found[key_of(r)] for r in references] for name, found in embedded.items()}
    # In the same precision as samples: a sample that is like a reference must not differ from it by rounding.
    wholes = {name: np.array([e.whole for e in several], dtype=np.float64) for name, several in own.items()}
    accepted = np.array([r.polarity == "accept" for r in references], dtype=bool)
    specimens, remark = _specimens(references, accepted)
    by_image = [e.name for e in encoders if e.name in settings.encoders]
    enough = len(references) <= MOST_WITH_PATCHES and len(np.unique(specimens[accepted])) >= LEAST_ACCEPTED
    by_patches = [name for name in by_image if enough and _in_patches(own[name])]
    known = Known(
        ids=tuple(r.id for r in references),
        accepted=accepted,
        specimens=specimens,
        images=tuple(wholes[name] for name in by_image) if references else (),
        banks=tuple(_bank(own[name]) for name in by_patches),
        nets=tuple(net_similarity(wholes[name], *sides[name]) for name in sides) if references else (),
    )
    views = (
        *(View(encoder=name, modality="image") for name in by_image),
        *(View(encoder=name, modality="patches") for name in by_patches),
        *(View(encoder=name, modality="text") for name in sides),
    )
    calibrated = calibrate(known) if min(known.counts) else None
    ready = make_ready(criterion, views, known, calibrated=calibrated, alpha=settings.alpha)
    return replace(ready, remarks=(*ready.remarks, *remark))


def _in_patches(embedded: list[Embedded]) -> bool:
    """Return whether an encoder sees patches at all: one that describes an image does not."""
    return all(e.patches is not None and e.patches.shape[:2] == (GRID, GRID) for e in embedded)


def _bank(embedded: list[Embedded]) -> PatchBank:
    return patch_bank(np.stack([e.patches.reshape(GRID**2, -1) for e in embedded if e.patches is not None]))


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
