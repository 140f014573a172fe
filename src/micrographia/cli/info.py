"""``micrographia info``: what a file holds, and what it says about how it was made."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from micrographia.cli.app import app
from micrographia.cli.flags import NoInfoBarFlag
from micrographia.context import Context
from micrographia.micrograph import Micrograph
from micrographia.read.dispatch import LEAST_SIDE_PX, Opened, choose, entries, open_file, to_micrograph
from micrographia.read.entry import ImageEntry
from micrographia.report.fields import FIELDS

SCHEMA: Final = "micrographia/info/1"
_LEAST_SHOWN_PX: Final = 2
_MOST_LISTED: Final = 20


@app.command()
def info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file, or FILE::image where it holds several.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Show what a file holds and what it says about how it was made: values, origins, doubts."""
    opened = open_file(file)
    micrograph = None
    if opened.wanted is not None or len(opened.contents.images) == 1:
        micrograph = to_micrograph(opened, choose(opened, info_bar=not no_info_bar), least_side_px=_LEAST_SHOWN_PX)
        micrograph = _with_size_note(micrograph)
    if as_json:
        print(json.dumps(info_record(opened, micrograph), indent=2, ensure_ascii=False, allow_nan=False))
        return
    console = Console(highlight=False, emoji=False)
    _print_file(console, opened, micrograph)
    if micrograph is None:
        _print_list(console, opened)
    else:
        _print_context(console, micrograph)


def info_record(opened: Opened, micrograph: Micrograph | None) -> dict[str, Any]:
    """Return what ``info --json`` prints.

    Parameters
    ----------
    opened : Opened
        The file.
    micrograph : Micrograph, optional
        The image that was asked for, or the only one; None where a file holds several.

    Returns
    -------
    dict
        As ``report/schemas/info-1.json`` describes it.
    """
    listed = entries(opened.contents)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "file": str(opened.path),
        "bytes": opened.path.stat().st_size,
        "sha256": opened.sha256,
        "format": opened.contents.file_format,
        "reader": opened.contents.reader,
        "images": [asdict(entry) for entry in listed],
        "image": None,
        "pixel_size": None,
        "context": None,
        "notes": [],
    }
    if micrograph is None:
        return record
    frames, context = micrograph.frames, micrograph.context
    size = micrograph.pixel_size_nm
    record["image"] = {
        "file": micrograph.provenance.file,
        "channels": frames.shape[0],
        "height": frames.shape[1],
        "width": frames.shape[2],
        "minimum": float(frames.min()),
        "maximum": float(frames.max()),
    }
    record["pixel_size"] = {
        "value": size,
        "unit": "nm",
        "origin": None if size is None else micrograph.pixel_size_origin,
    }
    record["context"] = {
        name: {"value": getattr(context, name), "unit": unit or None, "origin": context.origins.get(name)}
        for name, (_, unit) in FIELDS.items()
    }
    record["notes"] = list(context.notes)
    return record


def _with_size_note(micrograph: Micrograph) -> Micrograph:
    height, width = micrograph.frames.shape[1:]
    if min(height, width) >= LEAST_SIDE_PX:
        return micrograph
    note = f"{height} x {width} px is too small for anything but a look: at least {LEAST_SIDE_PX} x {LEAST_SIDE_PX}"
    context: Context = micrograph.context
    return replace(micrograph, context=replace(context, notes=(*context.notes, note)))


def _print_file(console: Console, opened: Opened, micrograph: Micrograph | None) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    rows = [
        ("File", opened.path.name),
        ("Size", f"{opened.path.stat().st_size:,} bytes"),
        ("SHA-256", opened.sha256),
        ("Format", opened.contents.file_format),
        ("Reader", opened.contents.reader),
    ]
    if micrograph is not None:
        channels, height, width = micrograph.frames.shape
        several = f", {channels} channels" if channels > 1 else ""
        rows += [
            ("Image", f"{height} x {width} px{several}"),
            ("Intensity", f"{micrograph.frames.min():g} to {micrograph.frames.max():g}, in the file's units"),
        ]
    for title, value in rows:
        table.add_row(title, escape(value))
    console.print(table)


def _print_context(console: Console, micrograph: Micrograph) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("Context", "Value", "Origin"):
        table.add_column(title)
    size = micrograph.pixel_size_nm
    table.add_row(
        "Pixel size",
        "[dim]unknown[/dim]" if size is None else f"{size:.6g} nm",
        "" if size is None else micrograph.pixel_size_origin,
    )
    for name, (title, unit) in FIELDS.items():
        value = getattr(micrograph.context, name)
        shown = "[dim]unknown[/dim]" if value is None else escape(f"{_shown(value)} {unit}".rstrip())
        table.add_row(title, shown, micrograph.context.origins.get(name, ""))
    console.print()
    console.print(table)
    if micrograph.context.notes:
        console.print("\nNotes")
        for note in micrograph.context.notes:
            console.print(f"  - {escape(note)}", soft_wrap=True)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.6g}"
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(v, float) for v in value):
            return f"{_shown(value[0])} to {_shown(value[1])}"
        return "; ".join("unknown" if v is None else _shown(v) for v in value) or "none"
    return str(value)


def _print_list(console: Console, opened: Opened) -> None:
    listed: tuple[ImageEntry, ...] = entries(opened.contents)
    table = Table(box=None, pad_edge=False)
    for title in ("Index", "Name", "Shape", "Kind"):
        table.add_column(title)
    for entry in listed[:_MOST_LISTED]:
        table.add_row(str(entry.index), escape(entry.name), f"{entry.shape[0]} x {entry.shape[1]} px", entry.kind)
    console.print(f"\n{len(listed)} images")
    console.print(table)
    if len(listed) > _MOST_LISTED:
        console.print(f"... and {len(listed) - _MOST_LISTED} more, to index {len(listed) - 1}")
    name = Path(opened.path).name
    console.print(f"\nTake one by its index or name: {escape(name)}::0", soft_wrap=True)
