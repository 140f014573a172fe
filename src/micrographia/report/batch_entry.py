"""One scan of a batch, as its index lists it."""

from __future__ import annotations

from dataclasses import dataclass

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True)
class BatchEntry:
    """One scan of a batch.

    Parameters
    ----------
    name : str
        File name, or the names of its channels.
    folder : str, optional
        Folder of its results, in the folder of the batch; None when it failed.
    headline : str, optional
        The answer in one line; None when it failed.
    error : str, optional
        Why it failed; None when it did not.

    Raises
    ------
    InputError
        Neither a folder nor an error, or both.

    Examples
    --------
    >>> BatchEntry(name="scan.dm4", folder="scan", headline="3 vacancies", error=None).folder
    'scan'
    """

    name: str
    folder: str | None
    headline: str | None
    error: str | None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.error is None):
            raise InputError(f"{self.name}: an entry of a batch has either a folder of results or an error, not both")
