"""``micrographia segment``: learn to segment from a handful of labelled images, segment others, and measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from micrographia.cli.app import app, fail
from micrographia.cli.batch import require_folder, scans_of
from micrographia.cli.flags import NoInfoBarFlag, OutFlag, PixelSizeFlag
from micrographia.cli.progress import bar, say
from micrographia.cli.segmenting import segmenting
from micrographia.errors import InputError, MicrographiaError, OutputError

if TYPE_CHECKING:
    from micrographia.segment.kinds import Kind

segment = typer.Typer(
    help="Learn phases from a handful of labelled images, find them in others, and measure them.", no_args_is_help=True
)
app.add_typer(segment, name="segment")

ClassesFlag = Annotated[
    str | None, typer.Option("--classes", metavar="NAME,NAME,...", help="What the classes are called, by their number.")
]
UnlabelledFlag = Annotated[
    str, typer.Option("--unlabelled", metavar="NUMBER", help="Number of pixels without a label, or none.")
]


def _names(classes: str | None) -> tuple[str, ...]:
    names = tuple(n.strip() for n in classes.split(",")) if classes else ()
    if len(set(names)) != len(names) or "" in names:
        raise InputError(f"--classes is {classes!r}; accepted is a different name for each class, with commas between")
    return names


def _unlabelled(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if not text.isdecimal() or not 0 <= int(text) <= 255:
        raise InputError(f"--unlabelled is {text!r}; accepted is a whole number from 0 to 255, or none")
    return int(text)


@segment.command("train")
def train(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Folder of 1 to 50 images, or one image.")],
    masks: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of index masks of the same names: one number a class; scribbles are enough."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="File for the model, ending in .safetensors.")],
    classes: ClassesFlag = None,
    unlabelled: UnlabelledFlag = "255",
    encoder: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="efficientnet-lite0, fusion, fusion:FILE, or the folder or hub name of a transformers backbone.",
        ),
    ] = "efficientnet-lite0",
    orientation: Annotated[
        str,
        typer.Option(
            metavar="auto|any|rows|columns", help="What directions mean: nothing, or layers along rows or columns."
        ),
    ] = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 240,
    megapixels: Annotated[float, typer.Option(min=0.1, help="How much to look at, over all altered views.")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Learn to segment from labelled images, in minutes. Writes the model and, beside it, its card."""
    from micrographia.embed.choose import absolute
    from micrographia.embed.fusion.maps import load_segmenting
    from micrographia.learn.segment.card import model_card
    from micrographia.learn.segment.train import Directions, SegmentSettings, train_segmenter
    from micrographia.report.folder import new_folder
    from micrographia.segment.labelled import read_training_set
    from micrographia.segment.network.saved import SUFFIX, save_model

    if out.suffix != SUFFIX:
        raise OutputError(f"--out is {out}; accepted is a file name that ends in {SUFFIX}")
    if orientation not in get_args(Directions):
        raise InputError(f"--orientation is {orientation!r}; accepted is {', '.join(get_args(Directions))}")
    require_folder(out.parent)
    training = read_training_set(
        images, masks, names=_names(classes), unlabelled=_unlabelled(unlabelled), info_bar=not no_info_bar
    )
    settings = SegmentSettings(
        encoder=absolute(encoder),
        orientation=cast("Directions", orientation),
        megapixels=megapixels,
        steps=steps,
        seed=seed,
    )
    with bar("steps") as tell:
        model = train_segmenter(training, settings=settings, load=load_segmenting, progress=tell)
    with new_folder(out.parent) as folder:
        save_model(model, folder / out.name)
        (folder / out.with_suffix(".md").name).write_text(model_card(model), encoding="utf-8")
    say(
        f"{len(training.images)} image{'s' * (len(training.images) > 1)}, classes: "
        + ", ".join(f"{v} {n}" for v, n in zip(training.values, training.names, strict=True))
        + f"\nmodel: {out}"
    )


@segment.command("apply")
def apply(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file; or folder or hub name of a checkpoint.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Images of any size, or FILE::image.")],
    out: OutFlag,
    probability: Annotated[
        bool, typer.Option("--probability", help="Write the probability of each class too, as TIFF.")
    ] = False,
    tiff: Annotated[bool, typer.Option("--tiff", help="Write masks as TIFF instead of PNG.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Look at each window once, not mirrored too.")] = False,
    pixel_size_nm: PixelSizeFlag = None,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Segment images: for each an index mask, an overlay and a picture of the uncertainty."""
    from micrographia.cli.fields import read_field
    from micrographia.report.segmented import Segmented, free_names, write_segmentation, write_segmented

    require_folder(out)
    scans = scans_of(images, channels=False)
    names = free_names([scan.name for scan in scans], tiff=tiff)
    _keep_images([scan.files[0] for scan in scans], names, out, tiff=tiff)
    way = segmenting(model, flips=not fast, probability=probability)
    entries, failed = [], False
    try:
        for scan, name in zip(scans, names, strict=True):
            try:
                micrograph = read_field(scan.files[0], pixel_size_nm=pixel_size_nm, info_bar=not no_info_bar)
                found = Segmented(name=name, micrograph=micrograph, segmentation=way.apply(micrograph, name))
                entries.append(write_segmented(found, out, tiff=tiff))
                say(f"{scan.files[0]}: {found.headline}")
            except MicrographiaError as error:
                if len(images) == 1:
                    raise
                failed = True
                fail(error)
    finally:  # an interrupted batch lists what it has done
        if entries:
            write_segmentation(entries, way.source, out)
            say(f"masks: {out}")
    if failed:
        raise typer.Exit(2)


def _keep_images(images: list[str], names: list[str], out: Path, *, tiff: bool) -> None:
    """Refuse to write a mask over one of the images, which often lie in the folder where one works."""
    from micrographia.report.segmented import files_of

    written = {(out / file).resolve() for name in names for file in files_of(name, tiff=tiff)}
    for image in images:
        path = Path(image.partition("::")[0])
        if path.resolve() in written:
            raise OutputError(f"--out is {out}, where {path.name} would be written over the image; give another folder")


@segment.command("measure")
def measure(
    source: Annotated[
        str, typer.Argument(metavar="MASK|MODEL", help="Model file; or an index mask, or a folder of them.")
    ],
    out: OutFlag,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE...]", help="Images: to segment with a model, or that masks belong to."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=KIND",
            help="What a class is: phase, objects, powder, grains, cracks or layer. Repeat for more; the others are "
            "told by name and shape.",
        ),
    ] = None,
    classes: ClassesFlag = None,
    pixel_size_nm: PixelSizeFlag = None,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Measure segmented fields of one specimen: fractions, sizes, grains, cracks, layers, with 95 % intervals."""
    import numpy as np

    from micrographia.cli.fields import fields_of_masks, fields_of_model, is_mask
    from micrographia.report.measurements import headlines, write_measurements
    from micrographia.segment.measured import measure as measure_fields

    require_folder(out)
    asked = _kinds(kind)
    if not is_mask(source):
        if not images:
            raise InputError(
                f"{source} is no mask, and no image was given; give an index mask or a folder of them, or a model and "
                "images to segment"
            )
        if classes is not None:
            raise InputError("--classes was given with a model, which knows the names of its classes; leave it out")
        found = fields_of_model(source, images, kinds=asked, pixel_size_nm=pixel_size_nm, info_bar=not no_info_bar)
    else:
        found = fields_of_masks(
            Path(source), images or [], names=_names(classes), pixel_size_nm=pixel_size_nm, info_bar=not no_info_bar
        )
    if found.fields:
        measured = measure_fields(found.fields, kinds=asked, rng=np.random.default_rng(0))
        write_measurements(measured, found.greys, out, source=found.source, pixel_size_origin=found.pixel_size_origin)
        for line in headlines(measured):
            say(line)
        say(f"report: {out / 'report.html'}")
    for error in found.failures:
        fail(error)
    if found.failures:
        raise typer.Exit(2)


def _kinds(flags: list[str] | None) -> dict[str, Kind]:
    from micrographia.segment.kinds import KINDS

    kinds: dict[str, Kind] = {}
    for flag in flags or []:
        name, _, kind = flag.partition("=")
        if not name or kind not in KINDS:
            raise InputError(f"--kind is {flag!r}; accepted is CLASS=KIND, where KIND is one of {', '.join(KINDS)}")
        kinds[name] = kind  # type: ignore[assignment]  # it is one of KINDS
    return kinds
