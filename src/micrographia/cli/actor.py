"""Who is at the command line, for records."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from micrographia.errors import InputError

ActorFlag = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who does this; by default the user of this computer.")
]


def actor_or_user(actor: str | None) -> str:
    """Return who was named, or the user of this computer.

    Raises
    ------
    InputError
        Nobody was named, and the computer does not say who its user is.
    """
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise InputError("this computer does not say who its user is; say it with --actor NAME") from error
