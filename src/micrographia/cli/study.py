"""``micrographia library study``: what the score's parts contribute, how far experts agree, what texts tell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from micrographia import __version__
from micrographia.cli.actor import ActorFlag, actor_or_user
from micrographia.cli.library import LibraryArgument, library
from micrographia.cli.progress import bar, say
from micrographia.embed.choose import DEFAULT_SEES
from micrographia.errors import InputError, LibraryError, OutputError

if TYPE_CHECKING:
    from micrographia.qualify.library import Library
    from micrographia.qualify.study.ablate import Ablation
    from micrographia.qualify.study.agreement import Agreement
    from micrographia.qualify.study.texts import TextStudy


@library.command("study")
def study(
    folder: LibraryArgument,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="How well references are told apart by each part of the score.")
    ] = False,
    agreement: Annotated[bool, typer.Option("--agreement", help="How far experts agree.")] = False,
    texts: Annotated[
        bool, typer.Option("--texts", help="Whether positive and negative texts differ, and other words change scores.")
    ] = False,
    paraphrases: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="With --texts: other words, {ID: {accept: […], reject: […]}}."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"With --ablate and --texts: what compares images. Repeat for more. [{DEFAULT_SEES}]"
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option(metavar="A", help="With --ablate: share of decisions that may be wrong.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="With --agreement: seed of the bootstrap.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers to a file, too.")
    ] = None,
    actor: ActorFlag = None,
) -> None:
    """Study a library: what each part of the score contributes, and how far experts agree."""
    import numpy as np

    from micrographia.qualify.library import library_version

    if not (ablate or agreement or texts):
        raise InputError("say what to study: --ablate, --agreement, --texts, or several of them")
    if paraphrases is not None and not texts:
        raise InputError("--paraphrases says nothing without --texts; give both")
    opened = _opened(folder)
    tree: dict[str, object] = {
        "schema": "micrographia/study/1",
        "software": __version__,
        "library": {"path": str(opened.folder), "id": opened.id, "version": library_version(opened)},
    }
    if ablate or texts:
        from micrographia.qualify.prepare import prepare
        from micrographia.qualify.settings import QualifySettings

        names = tuple(dict.fromkeys(encoder)) if encoder else (DEFAULT_SEES,)
        settings = QualifySettings(alpha=alpha, encoders=names, where=False)
        with bar("references") as tell:
            prepared = prepare(opened, settings=settings, actor=actor_or_user(actor), progress=tell)
        tree["encoders"] = {e.name: e.version for e in prepared.encoders}
    if ablate:
        from micrographia.qualify.study.ablate import ablate as ablate_library

        with bar("criteria") as tell:
            ablations = ablate_library(prepared, progress=tell)
        tree["ablation"] = [asdict(a) for a in ablations]
        _show_ablations(ablations)
    if texts:
        from micrographia.qualify.study.texts import read_paraphrases, study_texts

        known = tuple(c.id for c in prepared.contents.criteria)
        other_words = read_paraphrases(paraphrases, known=known) if paraphrases is not None else {}
        studied = study_texts(prepared, other_words)
        tree["texts"] = [asdict(t) for t in studied]
        _show_texts(studied)
    if agreement:
        from micrographia.qualify.study.agreement import DRAWS
        from micrographia.qualify.study.agreement import agreement as agreement_of

        agreements = agreement_of(opened, rng=np.random.default_rng(seed))
        tree["bootstrap"] = {"seed": seed, "draws": DRAWS}
        tree["agreement"] = [asdict(a) for a in agreements]
        _show_agreements(agreements)
    if json_file is not None:
        _write(tree, json_file)


def _opened(folder: Path) -> Library:
    """Open a library to be written to, where that is possible: embeddings that are made are kept."""
    from micrographia.errors import IntegrityError
    from micrographia.qualify.library import open_library

    try:
        return open_library(folder, writable=True)
    except IntegrityError:
        raise
    except LibraryError:
        return open_library(folder)


def _write(tree: dict[str, object], path: Path) -> None:
    try:
        path.write_text(json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; give another file") from error
    say(f"numbers: {path}")


def _show_ablations(ablations: Iterable[Ablation]) -> None:
    for found in ablations:
        accepted, rejected = found.counts
        groups = "" if found.specimens == accepted + rejected else f", of {found.specimens} specimens"
        say(f"{found.criterion}: {found.title} ({accepted} accepted and {rejected} rejected references{groups})")
        if found.rows:
            table = _table("Score", "AUROC", "95 %", "Difference", "95 %", "Decided", "Wrong")
            for row in found.rows:
                first = row is found.rows[0]
                table.add_row(
                    escape(row.variant),
                    f"{row.auroc:.3f}",
                    _span(row.auroc_interval),
                    "" if first else f"{row.difference:+.3f}",
                    "" if first else _span(row.difference_interval, signed=True),
                    "" if row.decided is None else f"{row.decided} of {accepted + rejected}",
                    "" if row.wrong is None else f"{row.wrong} of {row.decided}",
                )
            Console(highlight=False, emoji=False).print(table)
        for remark in found.remarks:
            say(remark)
        say("")


def _show_agreements(agreements: Iterable[Agreement]) -> None:
    for found in agreements:
        say(f"{found.criterion}: {found.title} ({found.images} images with two opinions or more)")
        if found.coefficients:
            table = _table("Coefficient", "Value", "95 %", "Images", "Between")
            for c in found.coefficients:
                value = "undefined" if c.value is None else f"{c.value:.3f}"
                table.add_row(c.name, value, _span(c.interval), str(c.images), escape(", ".join(c.experts)))
            Console(highlight=False, emoji=False).print(table)
        else:
            say("no image has opinions of two experts: record them with `micrographia library opine`")
        say("")


def _show_texts(studied: Iterable[TextStudy]) -> None:
    for found in studied:
        say(f"{found.criterion}, texts by {found.encoder}: {found.explanation}")
        if found.paraphrases:
            table = _table("Paraphrase", "Side", "Rank correlation", "Other sign")
            for p in found.paraphrases:
                rank = "–" if p.rank_correlation is None else f"{p.rank_correlation:.3f}"
                table.add_row(escape(p.text), p.side, rank, f"{p.sign_flips:.0%}")
            Console(highlight=False, emoji=False).print(table)
        say("")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    words = ("Score", "Coefficient", "Between", "Paraphrase", "Side")
    for title in titles:
        table.add_column(title, justify="left" if title in words else "right", overflow="fold")
    return table


def _span(interval: tuple[float, float] | None, *, signed: bool = False) -> str:
    if interval is None:
        return "–"
    low, high = interval
    return f"{low:+.2f} to {high:+.2f}" if signed else f"{low:.2f} to {high:.2f}"
