"""What an expert asks of a microstructure, in the expert's own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from micrographia.errors import LibraryError
from micrographia.qualify.plain import optional_text, plain_text

EXAMPLE: Final = (
    "criteria: [{id: cracks, title: No cracks in the oxide, accept: [an intact oxide layer], "
    "reject: [an oxide layer with cracks across it]}]"
)
"""A file of criteria in one line, for messages."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MOST_BYTES: Final = 1_000_000
_MOST_CRITERIA: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One thing that is accepted or rejected.

    Parameters
    ----------
    id : str
        Short name: a to z, 0 to 9, ``_`` and ``-``, up to 64 characters.
    title : str
        What it is called in reports.
    accept_texts, reject_texts : tuple of str
        What an acceptable and an unacceptable microstructure look like. Either may be empty.
    note : str, optional
        What else a reader should know, for instance the standard that it follows.

    Raises
    ------
    LibraryError
        The id is not of that form, or a text is blank.

    Examples
    --------
    >>> Criterion(id="cracks", title="No cracks", accept_texts=("an intact layer",), reject_texts=()).id
    'cracks'
    """

    id: str
    title: str
    accept_texts: tuple[str, ...]
    reject_texts: tuple[str, ...]
    note: str | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise LibraryError(
                f"id of a criterion is {self.id[:80]!r}; accepted are a to z, 0 to 9, _ and -, up to 64, the first a "
                "letter or digit"
            )
        object.__setattr__(self, "title", plain_text(self.title, name=f"title of criterion {self.id}"))
        object.__setattr__(self, "note", optional_text(self.note, name=f"note of criterion {self.id}"))
        for field, side in (("accept_texts", "accept"), ("reject_texts", "reject")):
            name = f"a text under {side} of criterion {self.id}"
            object.__setattr__(self, field, tuple(plain_text(text, name=name) for text in getattr(self, field)))


class _Written(BaseModel):
    """One criterion as it is written in a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    title: str
    accept: list[str]
    reject: list[str]
    note: str | None = None


class _File(BaseModel):
    """A file of criteria."""

    model_config = ConfigDict(extra="forbid", strict=True)

    criteria: list[_Written] = Field(min_length=1, max_length=_MOST_CRITERIA)


def read_criteria(path: str | Path) -> tuple[Criterion, ...]:
    r"""Read criteria that an expert wrote, in YAML.

    Parameters
    ----------
    path : str or Path
        A file with the list ``criteria``; each with ``id``, ``title``, ``accept`` and ``reject`` (lists of texts,
        perhaps empty), and perhaps ``note``.

    Raises
    ------
    LibraryError
        The file is missing or no YAML, a key is unknown or missing, a value is of another type, an id is not of the
        form that `Criterion` accepts, or two criteria have one id.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "criteria.yaml"
    ...     _ = path.write_text("criteria:\n  - {id: pores, title: Few pores, accept: [dense], reject: [porous]}\n")
    ...     read_criteria(path)[0].reject_texts
    ('porous',)
    """
    path = Path(path)
    tree = _tree(path)
    if not isinstance(tree, Mapping):
        raise LibraryError(f"{path.name} holds no key criteria; write for instance {EXAMPLE}")
    try:
        written = _File.model_validate(dict(tree))
    except ValidationError as error:
        raise LibraryError(f"{path.name}: {_first_problem(error, tree)}") from error
    try:
        criteria = tuple(
            Criterion(id=w.id, title=w.title, accept_texts=tuple(w.accept), reject_texts=tuple(w.reject), note=w.note)
            for w in written.criteria
        )
        check_ids(criteria)
    except LibraryError as error:
        raise LibraryError(f"{path.name}: {error}") from error
    return criteria


def check_ids(criteria: Sequence[Criterion]) -> None:
    """Refuse none, and two criteria with one id.

    Raises
    ------
    LibraryError
        There is no criterion, or two have one id.
    """
    if not criteria:
        raise LibraryError("there is no criterion; give at least one")
    doubled = [name for name, count in Counter(c.id for c in criteria).items() if count > 1]
    if doubled:
        raise LibraryError(f"two criteria have the id {doubled[0]!r}; give each an id of its own")


def criteria_yaml(criteria: Sequence[Criterion]) -> str:
    """Return criteria as `read_criteria` reads them."""
    listed = []
    for c in criteria:
        entry: dict[str, Any] = {"id": c.id, "title": c.title}
        entry |= {"accept": list(c.accept_texts), "reject": list(c.reject_texts)}
        listed.append(entry if c.note is None else {**entry, "note": c.note})
    return yaml.safe_dump({"criteria": listed}, sort_keys=False, allow_unicode=True, width=100)


def _tree(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LibraryError(f"{path.name} has more than {_MOST_BYTES} bytes, it is no file of criteria")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror}; give a YAML file of criteria") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise LibraryError(f"{path.name} is no valid YAML ({reason}); write for instance {EXAMPLE}") from error


def _first_problem(error: ValidationError, tree: Mapping[Any, Any]) -> str:
    """Say what the first problem is, where, and what is accepted there."""
    first = error.errors(include_url=False)[0]
    *place, last = first["loc"]
    where = f"criterion {_called(tree, first['loc'][1])}: " if len(first["loc"]) > 1 else ""
    kind = first["type"]
    if kind == "extra_forbidden":
        accepted = ("id", "title", "accept", "reject", "note") if place else ("criteria",)
        return f"{where}key {str(last)!r} is unknown; accepted are {', '.join(accepted)}"
    if kind == "missing":
        return f"{where}key {str(last)!r} is missing; write for instance {EXAMPLE}"
    if kind == "too_short":
        return f"the list criteria is empty; write for instance {EXAMPLE}"
    if kind == "too_long":
        return f"the list criteria is longer than {_MOST_CRITERIA}; give fewer criteria"
    if kind == "string_type":
        key = last if isinstance(last, str) else place[-1]
        return f"{where}{key} holds {first['input']!r}, which is no text; put it in quotes"
    if kind == "list_type":
        return f"{where}{last} is {str(first['input'])[:60]!r}; accepted is a list, even of one: [ … ]"
    return f"{where}{str(first['input'])[:60]!r} cannot be used ({first['msg']}); write for instance {EXAMPLE}"


def _called(tree: Mapping[Any, Any], position: int | str) -> str:
    """Return the id of a criterion where it has one, or else its number in the list."""
    written = tree["criteria"][position]
    named = isinstance(written, Mapping) and isinstance(written.get("id"), str)
    return repr(written["id"]) if named else f"number {int(position) + 1}"
