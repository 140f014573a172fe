"""References: images that an expert accepted or rejected on a criterion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Bool
from sqlalchemy import Connection, Row, func, select

from micrographia.errors import LibraryError
from micrographia.qualify.library.definitions import current_criteria, require_criterion, version_of
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.incoming import Incoming, receive, region_of
from micrographia.qualify.library.reference import Contents, Polarity, Reference, Retirement
from micrographia.qualify.library.rows import append
from micrographia.qualify.library.store import keep, stored_path
from micrographia.qualify.library.tables import audit, reference_images, retirements
from micrographia.qualify.library.transactions import changing, looking
from micrographia.qualify.plain import optional_text, plain_text


def add_references(
    library: Library,
    criterion_id: str,
    polarity: Polarity,
    images: Sequence[str | Path],
    *,
    actor: str,
    text: str | None = None,
    expert: str | None = None,
    specimen: str | None = None,
    mask: str | Path | None = None,
    mask_value: int | None = None,
) -> tuple[Reference, ...]:
    """Add references: all that are given, or none.

    Parameters
    ----------
    library : Library
        Open to be changed.
    criterion_id : str
        The criterion.
    polarity : str
        ``"accept"`` or ``"reject"``.
    images : sequence of str or Path
        Files of one image each that `micrographia.read.read` reads.
    actor : str
        Who adds them.
    text, expert, specimen : str, optional
        As in `Reference`.
    mask : str or Path, optional
        Index mask of the same size as the image, of which there is one then.
    mask_value : int, optional
        Which pixels of the mask are the region; by default all but 0.

    Raises
    ------
    LibraryError
        There is no such criterion, an image is a reference of that criterion already, or the library cannot be
        written to.
    ReadError, InputError
        An image or the mask cannot be read, or the mask marks nothing.
    """
    if polarity not in get_args(Polarity):
        raise LibraryError(f"polarity is {polarity!r}; accepted is accept or reject")
    if not images:
        raise LibraryError("no image was given; give at least one")
    if mask is not None and len(images) > 1:
        raise LibraryError(f"one mask was given for {len(images)} images; add them one by one, each with its mask")
    if mask is None and mask_value is not None:
        raise LibraryError(f"a mask value was given ({mask_value}) without a mask; give both or neither")
    said = {
        "text": optional_text(text, name="text"),
        "expert": optional_text(expert, name="expert"),
        "specimen": optional_text(specimen, name="specimen"),
    }
    actor = plain_text(actor, name="actor")
    with looking(library) as connection:
        require_criterion(connection, criterion_id)
    paths, drawn = [Path(image) for image in images], None if mask is None else Path(mask)
    with receive(library, paths, mask=drawn, mask_value=mask_value) as incoming, changing(library) as connection:
        added = []
        for one in incoming:
            _refuse_duplicate(connection, one, criterion_id, polarity)
            record = {**_record(connection, one, criterion_id, polarity, mask_value), **said}
            keep(library.folder, "images", one.image)
            if one.mask is not None:
                keep(library.folder, "masks", one.mask)
            entry = append(connection, actor=actor, action="add reference", record=record)
            added.append(Reference(**record, added_at=entry.time, added_by=actor))
    return tuple(added)


def references(library: Library, criterion_id: str, *, with_retired: bool = False) -> tuple[Reference, ...]:
    """Return the references of a criterion in the order in which they were added.

    Parameters
    ----------
    library : Library
        The library.
    criterion_id : str
        The criterion.
    with_retired : bool
        Whether to return those that count no more, too.

    Raises
    ------
    LibraryError
        There is no such criterion.
    """
    with looking(library) as connection:
        require_criterion(connection, criterion_id)
        found = _references(connection, criterion_id)
    return tuple(r for r in found if with_retired or r.retired is None)


def contents(library: Library) -> Contents:
    """Return version, criteria and references of a library, all of one moment."""
    with looking(library) as connection:
        criteria = current_criteria(connection)
        every = _references(connection, None)
        return Contents(
            version=version_of(connection),
            criteria=criteria,
            references={
                c.id: tuple(r for r in every if r.criterion_id == c.id and r.retired is None) for c in criteria
            },
        )


def retire_reference(library: Library, reference_id: str, *, actor: str, reason: str) -> Reference:
    """Have a reference count no more. It is kept, with the date, who said so, and why.

    Raises
    ------
    LibraryError
        There is no such reference, it is retired already, the reason is blank, or the library cannot be written to.
    """
    actor, reason = plain_text(actor, name="actor"), plain_text(reason, name="reason")
    with changing(library) as connection:
        found = {r.id: r for r in _references(connection, None)}
        if reference_id not in found:
            raise LibraryError(f"there is no reference {reference_id!r}; see `micrographia library list`")
        reference = found[reference_id]
        if reference.retired is not None:
            raise LibraryError(f"reference {reference_id} was retired on {reference.retired.at} already")
        record = {"reference_id": reference_id, "reason": reason}
        entry = append(connection, actor=actor, action="retire reference", record=record)
    return Reference(**{**vars(reference), "retired": Retirement(at=entry.time, by=actor, reason=reason)})


def image_path(library: Library, reference: Reference) -> Path:
    """Return where a reference's image is kept; `micrographia.read.read` reads it."""
    suffix = Path(reference.file).suffix.lower()
    return stored_path(library.folder, "images", sha256=reference.image_sha256, suffix=suffix)


def mask_path(library: Library, reference: Reference) -> Path | None:
    """Return where a reference's mask is kept; None where the whole image counts."""
    if reference.mask_sha256 is None or reference.mask_file is None:
        return None
    suffix = Path(reference.mask_file).suffix.lower()
    return stored_path(library.folder, "masks", sha256=reference.mask_sha256, suffix=suffix)


def region_mask(
    library: Library, reference: Reference, shape: tuple[int, int]
) -> Bool[np.ndarray, "_row _column"] | None:
    """Return which pixels of a reference's image count; None where all do.

    Parameters
    ----------
    library : Library
        The library.
    reference : Reference
        One of its references.
    shape : (int, int)
        Height and width of the image as it was read [px].

    Returns
    -------
    bool array (height, width), optional
        True within the region.
    """
    mask = mask_path(library, reference)
    if mask is None:
        return None
    image = image_path(library, reference)
    return region_of(mask, reference.mask_value, shape, image=image, name=reference.mask_file or mask.name)


def _references(connection: Connection, criterion_id: str | None) -> tuple[Reference, ...]:
    """Return the references of a criterion, or of all, with those that count no more."""
    gone = audit.alias("gone")
    query = (
        select(
            reference_images,
            audit.c.time,
            audit.c.actor,
            retirements.c.reason.label("gone_reason"),
            gone.c.time.label("gone_time"),
            gone.c.actor.label("gone_actor"),
        )
        .join(audit, audit.c.sequence == reference_images.c.sequence)
        .outerjoin(retirements, retirements.c.reference_id == reference_images.c.id)
        .outerjoin(gone, gone.c.sequence == retirements.c.sequence)
        .order_by(reference_images.c.sequence)
    )
    if criterion_id is not None:
        query = query.where(reference_images.c.criterion_id == criterion_id)
    return tuple(_reference(row) for row in connection.execute(query))


def _reference(row: Row[Any]) -> Reference:
    retired = None
    if row.gone_time is not None:
        retired = Retirement(at=row.gone_time, by=row.gone_actor, reason=row.gone_reason)
    return Reference(
        id=row.id,
        criterion_id=row.criterion_id,
        polarity=row.polarity,
        image_sha256=row.image_sha256,
        file=row.file,
        mask_file=row.mask_file,
        mask_sha256=row.mask_sha256,
        mask_value=row.mask_value,
        text=row.text,
        expert=row.expert,
        specimen=row.specimen,
        added_at=row.time,
        added_by=row.actor,
        retired=retired,
    )


def _refuse_duplicate(connection: Connection, one: Incoming, criterion_id: str, polarity: Polarity) -> None:
    query = (
        select(reference_images.c.id, reference_images.c.polarity)
        .outerjoin(retirements, retirements.c.reference_id == reference_images.c.id)
        .where(
            reference_images.c.criterion_id == criterion_id,
            reference_images.c.image_sha256 == one.image.sha256,
            retirements.c.sequence.is_(None),
        )
    )
    twin = connection.execute(query).first()
    if twin is None:
        return
    if twin.polarity == polarity:
        raise LibraryError(f"{one.file} is reference {twin.id} of {criterion_id} ({polarity}) already; leave it out")
    raise LibraryError(
        f"{one.file} is reference {twin.id} of {criterion_id} with the opposite meaning ({twin.polarity}); retire that "
        "one first if it was wrong, with `micrographia library retire`"
    )


def _record(
    connection: Connection, one: Incoming, criterion_id: str, polarity: Polarity, mask_value: int | None
) -> dict[str, Any]:
    count = connection.execute(select(func.count()).select_from(reference_images)).scalar_one()
    return {
        "id": f"R{count + 1}",
        "criterion_id": criterion_id,
        "polarity": polarity,
        "image_sha256": one.image.sha256,
        "file": one.file,
        "mask_file": one.mask_file,
        "mask_sha256": None if one.mask is None else one.mask.sha256,
        "mask_value": mask_value,
    }
