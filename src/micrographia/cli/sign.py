"""``micrographia sign``: a reviewer's word on verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from micrographia.cli.app import app
from micrographia.cli.progress import say
from micrographia.errors import InputError

if TYPE_CHECKING:
    from micrographia.qualify.sign import Decision


@app.command()
def sign(
    verdicts: Annotated[Path, typer.Argument(metavar="DIR/verdicts.json", help="As `qualify` wrote it.")],
    reviewer: Annotated[str, typer.Option(metavar="NAME", help="Who signs.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="The verdicts are right.")] = False,
    overrule: Annotated[
        str | None, typer.Option(metavar="accept|reject|abstain", help="A verdict is wrong; this is right.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="FILE|SHA", help="The sample that is meant, where there are several.")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option(metavar="ID", help="The criterion that is meant, where there are several.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ed25519 key (PEM); by default the reviewer's own, made if need be."),
    ] = None,
    library: Annotated[
        Path | None, typer.Option(metavar="LIB", help="The library, if it is not where the verdicts say.")
    ] = None,
    new_key: Annotated[
        str | None, typer.Option(metavar="REASON", help="Replace the reviewer's registered key, and say why.")
    ] = None,
) -> None:
    """Confirm or overrule verdicts, with a reason, signed; a later signature amends an earlier one."""
    from micrographia.qualify.sign import Review, sign_verdicts

    if confirm == (overrule is not None):
        raise InputError("say either --confirm or --overrule accept|reject|abstain")
    if overrule not in (None, "accept", "reject", "abstain"):
        raise InputError(f"--overrule is {overrule!r}; accepted is accept, reject or abstain")
    decision = cast("Decision", "confirm" if overrule is None else f"overrule {overrule}")
    review = Review(reviewer=reviewer, decision=decision, reason=reason, sample=sample, criterion=criterion)
    signed = sign_verdicts(verdicts, review, library=library, key=key, new_key_reason=new_key)
    message = signed.signature.message
    if signed.new_key_file is not None:
        say(f"key: made for {message['reviewer']}, {signed.new_key_file}; keep it, and keep it to yourself")
    what = f"sample {message['sample'][:12]}" if message["sample"] else "all samples"
    say(f"{message['decision']}: {what}, {message['criterion'] or 'all criteria'}, by {message['reviewer']}")
    if message["amends"]:
        say(f"amends the signature {message['amends'][:16]}…")
    say(f"signatures: {signed.file}")
