"""``micrographia embed``: images and texts as vectors, images as words, and which encoders there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from micrographia.cli.app import app, fail, stderr
from micrographia.cli.batch import require_folder, scans_of
from micrographia.cli.flags import NoInfoBarFlag
from micrographia.cli.progress import bar, say
from micrographia.embed.choose import DEFAULT_READS, DEFAULT_SEES, ENCODERS
from micrographia.errors import InputError, MicrographiaError, OutputError, ReadError

if TYPE_CHECKING:
    from micrographia.embed.encoder import Encoder
    from micrographia.report.searched import Query, Searchable


@app.command("embed")
def embed(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="Images of any size, or FILE::image.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="TEXT", help="A text to embed; may be repeated.")
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", metavar="FILE", help="Texts to embed, one a line, in UTF-8.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help=f"What makes the vectors; --list shows what there is. {DEFAULT_SEES} for images, {DEFAULT_READS} for "
            "texts, with --search the one of the folder, unless it is given.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = None,
    search: Annotated[
        Path | None,
        typer.Option(
            "--search",
            metavar="DIR",
            help="Find the most alike among the images that an earlier embed put into DIR, of each file or text.",
        ),
    ] = None,
    nearest: Annotated[
        int, typer.Option("--nearest", min=1, metavar="N", help="With --search: how many to find, at most.")
    ] = 5,
    list_: Annotated[
        bool, typer.Option("--list", help="List the encoders with their licences and cautions, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: print JSON.")] = False,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Embed images: for each a vector of the whole and one of each patch, and its texture in words.

    Or texts, with --text or --text-file: for each a vector of the whole and one of each token.
    """
    worded = bool(text) or text_file is not None
    if list_:
        if files or worded:
            raise InputError(f"--list was given with {'files' if files else 'texts'}; give one or the other")
        return _list(as_json=as_json)
    if as_json:
        raise InputError("--json was given without --list; results are written as JSON into --out anyway")
    if files and worded:
        raise InputError(
            "files and texts were given; give one or the other: images and texts go into files of their own"
        )
    if not files and not worded:
        raise InputError(
            "no file was given; accepted is `micrographia embed FILE... --out DIR`, --text TEXT --out DIR, or --list"
        )
    if out is None:
        raise InputError("--out was not given; say which folder the vectors shall go to")
    searched = None if search is None else _searchable(search, out)
    name = encoder if encoder is not None or searched is None else searched.encoder.name
    if not files:
        texts = [*(text or ()), *_lines(text_file)]
        if searched is not None:
            return _search_texts(texts, name or DEFAULT_READS, out, searched=searched, nearest=nearest)
        return _embed_texts(texts, name or DEFAULT_READS, out)
    return _embed(files, name or DEFAULT_SEES, out, info_bar=not no_info_bar, searched=searched, nearest=nearest)


def _searchable(folder: Path, out: Path) -> Searchable:
    from micrographia.report.searched import read_searchable

    if folder.resolve() == out.resolve():
        raise OutputError(f"--out is {out}, which is searched and would be written over; give another folder")
    return read_searchable(folder)


def _loaded(name: str, searched: Searchable | None) -> Encoder:
    """Load an encoder; refuse one whose vectors do not compare with those that are searched."""
    from micrographia.embed.choose import load_embedder
    from micrographia.report.searched import check_searchable

    model = load_embedder(name)
    if searched is not None:
        check_searchable(searched, model)
    return model


def _embed(
    files: list[str], name: str, out: Path, *, info_bar: bool, searched: Searchable | None, nearest: int
) -> None:
    from micrographia.cli.fields import read_field
    from micrographia.embed.cache import cached_embeddings
    from micrographia.embed.describe import describe
    from micrographia.report.embedded import vectors_file, write_embeddings, write_vectors
    from micrographia.report.searched import searched_image, write_search

    require_folder(out)
    scans = scans_of(files, channels=False)
    written = {(out / vectors_file(scan.name)).resolve() for scan in scans}
    if over := [f for f in files if Path(f.partition("::")[0]).resolve() in written]:
        raise OutputError(f"--out is {out}, where vectors would be written over {over[0]}; give another folder")
    model = _loaded(name, searched)
    if not model.sees:
        raise InputError(f"encoder {model.name} does not see images; accepted is one that does, see --list")
    entries, failed = [], False
    queries: list[Query] = []

    def note(line: str) -> None:
        stderr.print(f"micrographia: {line}", markup=False)

    try:
        with bar("images") as tell:
            for k, scan in enumerate(scans):
                tell(k, len(scans), scan.name)
                try:
                    micrograph = read_field(scan.files[0], pixel_size_nm=None, info_bar=info_bar)
                    frame = micrograph.frames[0]
                    (vectors,) = cached_embeddings(model, [frame], note=note)
                    entries.append(write_vectors(micrograph, vectors, describe(frame), name=scan.name, out=out))
                    if searched is not None:
                        queries.append(searched_image(micrograph, vectors.whole, searched, most=nearest))
                except MicrographiaError as error:
                    if len(scans) == 1:
                        raise
                    failed = True
                    fail(error)
            tell(len(scans), len(scans))
    finally:  # an interrupted batch lists what it has done
        if entries:
            write_embeddings(entries, model, out)
        if queries and searched is not None:
            write_search(queries, searched, out)
    for entry in entries:
        rows, columns, _ = entry.patches
        say(f"{entry.scan.file}: {entry.dimension} numbers, {rows} x {columns} patches. {entry.description}")
    _tell(queries, out)
    if entries:
        say(f"vectors: {out}")
    if failed:
        raise typer.Exit(2)


def _tell(queries: list[Query], out: Path) -> None:
    for query in queries:
        found = ", ".join(f"{f.file} ({f.similarity:.3f})" for f in query.result.found)
        say(f"{query.result.image or query.result.text}: most like {found}")
    if queries:
        say(f"report: {out / 'report.html'}")


def _embed_texts(texts: list[str], name: str, out: Path) -> None:
    from micrographia.embed.choose import load_embedder
    from micrographia.embed.encoder import check_texts
    from micrographia.report.embedded_texts import write_texts

    require_folder(out)
    check_texts(texts)
    model = load_embedder(name)
    embedded = []
    with bar("texts") as tell:
        for embedding in model.embed_tokens(texts):
            embedded.append(embedding)
            tell(len(embedded), len(texts))
    result = write_texts(texts, embedded, model, out)
    say(
        f"{len(texts)} texts, {sum(len(t.tokens) for t in result.texts)} tokens, {result.dimension} numbers each: {out}"
    )


def _search_texts(texts: list[str], name: str, out: Path, *, searched: Searchable, nearest: int) -> None:
    """Find images by texts, which encoders of images and texts can do that have no vectors of tokens."""
    from micrographia.embed.encoder import check_texts
    from micrographia.report.searched import searched_text, write_search

    require_folder(out)
    check_texts(texts)
    model = _loaded(name, searched)
    if not model.shared_space:
        raise InputError(
            f"texts do not compare with images by the encoder {model.name}; accepted to search images by texts are "
            "vectors of describe, clip, siglip or flava"
        )
    vectors = model.embed_texts(texts)
    queries = [searched_text(t, v, searched, most=nearest) for t, v in zip(texts, vectors, strict=True)]
    write_search(queries, searched, out)
    _tell(queries, out)


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"--text-file {path} cannot be read ({error}); accepted is plain text in UTF-8") from error
    if not found:
        raise InputError(f"--text-file {path} is empty; accepted is one text a line")
    return found


def _list(*, as_json: bool) -> None:
    if as_json:
        from micrographia.report.embedded import encoders_json

        return say(encoders_json())
    for kind in ENCODERS:
        does = " and ".join(word for word, can in (("sees", kind.sees), ("reads", kind.reads)) if can)
        together = ", texts compare with images" if kind.shared_space else ""
        say(f"{kind.example}\n    {does}{together}; licence {kind.licence}\n    {kind.caution}")
    return say("Weights of kinds with a colon are never downloaded: `hf download NAME` gets them; a folder will do.")
